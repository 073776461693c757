"""The work of a schedule's task: the run of one scheduled time, submitted and waited for.

Rules: it waits for the run's end, so that KFP counts it as active as long as the run is, and fails
where the run fails, or grows older than the target lets it, so that a run that nobody can place
does not hold up its schedule for good; a time that is delivered twice finds the run that is there,
a failed one too, which is a person's to try again (`tandem retry`).
"""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from components.core.errors import PlatformError
from pipelines.kubeflow.once import submit
from pipelines.kubeflow.request import Request
from pipelines.kubeflow.runs import ClusterRun, get
from pipelines.kubeflow.session import Session
from pipelines.kubeflow.submission import prepare, utc_now
from pipelines.kubeflow.windows import window_of

MACRO, FORMAT = "[[ScheduledTime]]", "%Y%m%d%H%M%S"
"""KFP's parameter for the scheduled time, in UTC, and how it is written."""
POLL_SECONDS = 30.0
log = logging.getLogger(__name__)


def launch(
    request: Mapping[str, Any], schedule: str, scheduled: str, *, poll: float = POLL_SECONDS
) -> ClusterRun:
    """Submit the run of a scheduled time and return it when it has succeeded.

    Raises SettingsError for what cannot be submitted, PlatformError where the run failed.
    """
    asked = Request.from_dict(request)
    moment = datetime.datetime.strptime(scheduled, FORMAT).replace(tzinfo=datetime.UTC)
    window = window_of(moment, asked.loaded.settings, ZoneInfo(asked.target.time_zone))
    when = moment.isoformat().replace("+00:00", "Z")
    submission = prepare(
        asked.of(window),
        asked.target,
        cache=asked.cache,
        trigger=f"schedule {schedule} at {when}, for {window.first} to {window.last}",
    )
    session = Session.open()
    told = submit(session, submission, again=False)
    log.info("%s is the run %s", told.run.name, told.run.id)
    ended = wait(session, told.run, poll, asked.target.of_launcher().timeout_seconds or 0)
    if ended.state != "SUCCEEDED":
        raise PlatformError(
            f"the run {ended.name} ended {ended.state.lower()}",
            remedy=f"see `tandem logs {ended.id}`, then `tandem retry {ended.id}`",
        )
    return ended


def wait(session: Session, run: ClusterRun, poll: float, seconds: int) -> ClusterRun:
    """Return a run when it has ended; PlatformError for one that is older than so many seconds."""
    made = datetime.datetime.fromisoformat(run.started or utc_now().isoformat())
    while run.is_active:
        if utc_now() - made > datetime.timedelta(seconds=seconds):
            raise PlatformError(
                f"the run {run.name} is {run.state.lower()} still, {seconds} seconds after it was "
                "made: its time waits for it no longer",
                remedy=f"see what it waits for (`tandem runs show {run.id} --cluster`) or end it "
                f"(`tandem terminate {run.id}`); the limit is launcher.timeout_seconds",
            )
        time.sleep(poll)
        run = get(session, run.id)
    return run
