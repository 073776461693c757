"""Schedules: KFP's recurring runs of the launching DAG (pipelines/launching.py).

Rules: a schedule's name is its own in the namespace, though KFP would take it twice: it is looked
for before it is made, after an answer that was lost, and once more afterwards, where the oldest
stays. What exists is never changed: created again with the same words it is the answer, with others
it is refused. Of missed times KFP makes up for the last one alone, unless asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import kfp_server_api

from components.core.errors import SettingsError
from components.core.settings import NAME_PATTERN
from components.core.words import nearest
from pipelines.compiler import LAUNCHING, compiled
from pipelines.kubeflow.cron import for_kfp, next_times
from pipelines.kubeflow.experiment import experiment_for
from pipelines.kubeflow.launcher import MACRO
from pipelines.kubeflow.once import ATTEMPTS
from pipelines.kubeflow.request import SHIPPED, Request
from pipelines.kubeflow.session import Session, Unanswered
from pipelines.kubeflow.submission import as_spec, utc_now
from pipelines.kubeflow.windows import window_of

LONGEST_NAME = 100
MOST_AT_ONCE = 10
"""What KFP takes (backend/src/apiserver/server/job_server.go)."""


@dataclass(frozen=True)
class Schedule:
    """A schedule as it is asked for; `cron` has five fields."""

    name: str
    cron: str
    request: Request
    max_concurrency: int = 1
    catch_up: bool = False

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of each of its runs."""
        return {"request": self.request.to_dict(), "schedule": self.name, "scheduled": MACRO}


@dataclass(frozen=True)
class Known:
    """A schedule that KFP has; `cron` is None, and `request` {}, of one that others made."""

    id: str
    name: str
    is_on: bool
    cron: str | None
    max_concurrency: int
    catch_up: bool
    created: str
    request: Mapping[str, Any]

    @property
    def time_zone(self) -> str:
        """The time zone that its target states."""
        return str(self.request.get("target", {}).get("time_zone", "UTC"))

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        settings = self.request.get("settings", {})
        return {
            "id": self.id,
            "name": self.name,
            "enabled": self.is_on,
            "cron": self.cron,
            "time_zone": self.time_zone,
            "max_concurrency": self.max_concurrency,
            "catch_up": self.catch_up,
            "use_case": settings.get("name"),
            "target": self.request.get("target", {}).get("name"),
            "window": settings.get("window"),
            "rule": settings.get("schedule"),
            "created": self.created,
        }


def create(session: Session, asked: Schedule) -> tuple[Known, bool]:
    """Return the schedule, and whether this call made it.

    Raises SettingsError for words that cannot be, for a rule of which no run can be made, and for a
    name that another schedule has.
    """
    cron = for_kfp(asked.cron)
    _require_name(asked.name)
    _require_window(asked)
    if not 1 <= asked.max_concurrency <= MOST_AT_ONCE:
        raise SettingsError(
            f"{asked.max_concurrency} runs at once cannot be", remedy=f"1 to {MOST_AT_ONCE}"
        )
    if (known := _same(session, asked)) is not None:
        return known, False
    with experiment_for(session) as experiment:
        made = _made(session, asked, _body(asked, cron, experiment))
    kept, *others = [one for one in listed(session) if one.name == asked.name] or [made]
    for other in others:
        delete(session, other)
    return kept, kept.id == made.id


def _require_name(name: str) -> None:
    """Hold a schedule's name to what names of use cases are, which is less than KFP takes.

    It stands in the trigger of each of its runs' records, and KFP calls those NAME-NUMBER, for
    which it has 255 characters (backend/src/apiserver/validation/recurring_run.go).
    """
    if not re.fullmatch(NAME_PATTERN, name) or len(name) > LONGEST_NAME:
        raise SettingsError(
            f"{name[:120]!r} is no name of a schedule",
            remedy=f"--name takes letters, digits, _, . and -, a letter or _ first, {LONGEST_NAME} "
            "at most",
        )


def _require_window(asked: Schedule) -> None:
    """Raise SettingsError for what each of its times would fail for, hours or weeks from now."""
    settings, zone = asked.request.loaded.settings, ZoneInfo(asked.request.target.time_zone)
    (first,) = next_times(asked.cron, zone, utc_now(), 1)
    asked.request.of(window_of(first, settings, zone))


def _body(asked: Schedule, cron: str, experiment: str) -> Any:
    target = asked.request.target
    return kfp_server_api.V2beta1RecurringRun(
        display_name=asked.name,
        experiment_id=experiment,
        pipeline_spec=dict(as_spec(compiled(LAUNCHING, target))),
        runtime_config=kfp_server_api.V2beta1RuntimeConfig(
            parameters=asked.parameters(), pipeline_root=target.root
        ),
        trigger=kfp_server_api.V2beta1Trigger(
            cron_schedule=kfp_server_api.V2beta1CronSchedule(cron=cron)
        ),
        mode=kfp_server_api.RecurringRunMode.ENABLE,
        max_concurrency=str(asked.max_concurrency),
        no_catchup=not asked.catch_up,
        service_account=target.launcher_account or target.service_account,
    )


def _made(session: Session, asked: Schedule, body: Any) -> Known:
    call = session.client.recurring_runs.recurring_run_service_create_recurring_run
    for _ in range(ATTEMPTS - 1):
        try:
            return _known(session.order(f"the schedule {asked.name}", call, recurring_run=body))
        except Unanswered:
            if (known := _same(session, asked)) is not None:
                return known
    return _known(session.order(f"the schedule {asked.name}", call, recurring_run=body))


def _same(session: Session, asked: Schedule) -> Known | None:
    """Return the schedule of that name; SettingsError where it is another one."""
    found = [one for one in listed(session) if one.name == asked.name]
    if not found:
        return None
    request, known = asked.request.to_dict(), dict(found[0].request)
    code = request.pop(SHIPPED), known.pop(SHIPPED, None)
    differing = [
        name
        for name, here, there in (
            ("cron", " ".join(asked.cron.split()), found[0].cron),
            ("max_concurrency", asked.max_concurrency, found[0].max_concurrency),
            ("catch_up", asked.catch_up, found[0].catch_up),
            ("settings or target", request, known),
            ("code of the pipeline", *code),
        )
        if here != there
    ]
    if differing:
        raise SettingsError(
            f"there is a schedule {asked.name} with other {', '.join(differing)}",
            remedy=f"give another --name, or `tandem schedule delete {asked.name}` first",
        )
    return found[0]


def listed(session: Session) -> list[Known]:
    """Return the schedules of the namespace, the oldest first."""
    call = session.client.recurring_runs.recurring_run_service_list_recurring_runs
    scope = {**session.scope(), "sort_by": "created_at asc"}
    found = session.all_of("the list of schedules", call, "recurring_runs", **scope)
    return [_known(item) for item in found]


def find(session: Session, name: str) -> Known:
    """Return the schedule of a name or id; SettingsError where there is none."""
    known = listed(session)
    found = [one for one in known if name in (one.name, one.id)]
    if not found:
        near = nearest(name, [one.name for one in known])
        raise SettingsError(
            f"there is no schedule {name}{near}", remedy="see `tandem schedule list`"
        )
    return found[0]


def switch(session: Session, known: Known, *, on: bool) -> None:
    """Have a schedule go on, or pause; what runs goes on running."""
    api = session.client.recurring_runs
    verb = "enable" if on else "disable"
    call = getattr(api, f"recurring_run_service_{verb}_recurring_run")
    session.ask(f"the schedule {known.name}", call, recurring_run_id=known.id)


def delete(session: Session, known: Known) -> None:
    """Delete a schedule; its runs stay. One that is gone meanwhile is deleted."""
    call = session.client.recurring_runs.recurring_run_service_delete_recurring_run
    try:
        session.ask(f"the schedule {known.name}", call, recurring_run_id=known.id)
    except SettingsError:
        if known.id in [one.id for one in listed(session)]:
            raise


def _known(item: Any) -> Known:
    parameters = (item.runtime_config and item.runtime_config.parameters) or {}
    request = parameters.get("request")
    cron = item.trigger and item.trigger.cron_schedule and item.trigger.cron_schedule.cron
    return Known(
        id=str(item.recurring_run_id),
        name=str(item.display_name),
        is_on=str(item.status) == "ENABLED",
        cron=cron.removeprefix("0 ") if cron else None,
        max_concurrency=int(item.max_concurrency or 0),
        catch_up=not item.no_catchup,
        created=item.created_at.isoformat(timespec="seconds") if item.created_at else "",
        request=request if isinstance(request, dict) else {},
    )
