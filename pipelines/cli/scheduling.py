"""`tandem schedule` and `tandem backfill`: runs in Kubeflow Pipelines by time."""

from __future__ import annotations

import datetime
import sys
from argparse import Namespace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pipelines.cli.output import print_json
from pipelines.cli.submitting import load, look_for_machines

if TYPE_CHECKING:
    from pipelines.kubeflow.backfill import Filled
    from pipelines.kubeflow.request import Request
    from pipelines.kubeflow.schedules import Known

TIMES_SHOWN = 3


def create(arguments: Namespace) -> int:
    """Create a schedule; with the same words again it is the one that is there."""
    from components.core.errors import SettingsError
    from pipelines.kubeflow import schedules
    from pipelines.kubeflow.cron import check_cron
    from pipelines.kubeflow.session import Session
    from pipelines.sources import packages_of

    check_cron(arguments.cron)
    asked = _request(arguments)
    if arguments.time_zone != (zone := asked.target.time_zone):
        raise SettingsError(
            f"the schedules of the target {asked.target.name} are read in {zone}, not in "
            f"{arguments.time_zone}",
            remedy="give that zone; KFP has one for all schedules: CRON_SCHEDULE_TIMEZONE of its "
            "controller, which the target states as time_zone",
        )
    wanted = schedules.Schedule(
        name=arguments.schedule or asked.loaded.settings.name,
        cron=arguments.cron,
        request=asked,
        max_concurrency=arguments.max_concurrency,
        catch_up=arguments.catch_up,
    )
    known, is_new = schedules.create(Session.open(), wanted)
    for key, location in packages_of(asked.loaded.settings.source):
        print(
            f"{key} is at {location}: each time hashes it in the registry image, which has to "
            "hold that package; else put it into a bucket",
            file=sys.stderr,
        )
    if arguments.json:
        print_json(known.to_dict() | {"created_now": is_new})
    else:
        print(f"{known.name} {'created' if is_new else 'was there'}: {_when(known)}")
    return 0


def _request(arguments: Namespace) -> Request:
    from pipelines.kubeflow.request import Request
    from pipelines.kubeflow.submission import check_settings
    from pipelines.kubeflow.windows import require_spans
    from pipelines.target import load_target

    target, loaded = load_target(arguments.target), load(arguments)
    require_spans(loaded.settings)
    check_settings(loaded, target)
    look_for_machines(target, arguments)
    return Request(loaded, target, arguments.cache)


def _when(known: Known) -> str:
    """Return its cron with its zone, and the next times."""
    from pipelines.kubeflow.cron import next_times

    if known.cron is None:
        return "not by cron"
    if not known.is_on:
        return f"{known.cron} ({known.time_zone}), paused"
    now = datetime.datetime.now(datetime.UTC)
    times = next_times(known.cron, ZoneInfo(known.time_zone), now, TIMES_SHOWN)
    shown = ", ".join(time.isoformat(timespec="minutes") for time in times)
    return f"{known.cron} ({known.time_zone}), next {shown}"


def list_schedules(arguments: Namespace) -> int:
    """List the schedules of the namespace."""
    from pipelines.kubeflow.schedules import listed
    from pipelines.kubeflow.session import Session

    session = Session.open()
    found = listed(session)
    if arguments.json:
        print_json({"server": session.address.host, "schedules": [one.to_dict() for one in found]})
        return 0
    if not found:
        print(f"no schedules at {session.address.host}", file=sys.stderr)
    for one in found:
        print(f"{one.name:20}  {'on' if one.is_on else 'paused':6}  {one.cron or '-'}")
    return 0


def show(arguments: Namespace) -> int:
    """Show one schedule: its next times, and the spans that its runs take."""
    from pipelines.kubeflow.schedules import find
    from pipelines.kubeflow.session import Session

    known = find(Session.open(), arguments.schedule)
    if arguments.json:
        print_json(known.to_dict())
        return 0
    said = known.to_dict()
    print(f"{known.name}: {_when(known)}")
    for name in ("id", "use_case", "target", "window", "rule", "max_concurrency", "catch_up"):
        print(f"  {name:15}  {said[name]}")
    return 0


def pause(arguments: Namespace) -> int:
    """Pause a schedule."""
    return _switched(arguments, on=False)


def resume(arguments: Namespace) -> int:
    """Have a schedule go on."""
    return _switched(arguments, on=True)


def _switched(arguments: Namespace, *, on: bool) -> int:
    from pipelines.kubeflow.schedules import find, switch
    from pipelines.kubeflow.session import Session

    session = Session.open()
    known = find(session, arguments.schedule)
    switch(session, known, on=on)
    if arguments.json:
        print_json({"id": known.id, "name": known.name, "enabled": on})
    else:
        print(f"{known.name} {'goes on' if on else 'is paused'}")
    return 0


def delete(arguments: Namespace) -> int:
    """Delete a schedule; its runs stay."""
    from pipelines.kubeflow.schedules import delete as remove
    from pipelines.kubeflow.schedules import find
    from pipelines.kubeflow.session import Session

    session = Session.open()
    known = find(session, arguments.schedule)
    remove(session, known)
    if arguments.json:
        print_json({"id": known.id, "name": known.name, "deleted": True})
    else:
        print(f"{known.name} deleted; its runs stay")
    return 0


def backfill(arguments: Namespace) -> int:
    """Run the spans that have no run, and say what became of each; 1 where any has none."""
    from components.core.errors import PlatformError, SettingsError
    from pipelines.kubeflow.backfill import backfill as fill
    from pipelines.kubeflow.backfill import spans_of
    from pipelines.kubeflow.runs import require_allowed
    from pipelines.kubeflow.session import Session

    if arguments.parallel < 1:
        raise SettingsError(f"{arguments.parallel} runs at once cannot be", remedy="1 or more")
    if not arguments.every > 0:
        raise SettingsError(
            f"looking every {arguments.every:g} seconds cannot be", remedy="name more than 0"
        )
    asked = _request(arguments)
    spans = spans_of(asked, arguments.first, arguments.last)
    session = Session.open()
    require_allowed(session)
    filled = fill(
        session, asked, spans, parallel=arguments.parallel, poll=arguments.every, tell=_tell
    )
    if arguments.json:
        print_json({"spans": [_as_json(item) for item in filled]})
    return 0 if all(item.is_done for item in filled) else PlatformError.exit_code


def _tell(item: Filled) -> None:
    run = f"  {item.run.name}" if item.run else ""
    cause = f"  {item.cause}\nremedy: {item.remedy}" if item.cause else ""
    print(f"{item.span}  {item.state.lower():10}{run}{cause}", file=sys.stderr, flush=True)


def _as_json(item: Filled) -> dict[str, str | None]:
    run = item.run
    return {
        "span": item.span,
        "state": item.state,
        "run": run.id if run else None,
        "name": run.name if run else None,
        "cause": item.cause,
        "remedy": item.remedy,
    }
