"""Runs as KFP has them: listed, shown stage by stage, their logs read, tried again, ended.

Rules: RUN is a run's id or name, the beginning of one, or `latest`; what fits several is refused. A
cause is in the log of records, not here: KFP's own error texts are empty. Logs are read at the path
that KFP's page reads them from, which is in no model of its API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from components.core.errors import PlatformError, SettingsError
from components.core.stage_identity import of_platform
from components.core.words import nearest
from pipelines.kubeflow.session import Session, Unreachable

LATEST = "latest"
FAILED, ENDED = ("FAILED", "CANCELED"), ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
ENDING = "CANCELING"
_LOG = "/apis/v1alpha1/runs/{run}/nodes/{pod}/log"


@dataclass(frozen=True)
class StageOnCluster:
    """A task of a run: its state in KFP's words, and the pod that it ran in."""

    state: str
    pod: str
    started: str | None
    ended: str | None


@dataclass(frozen=True)
class ClusterRun:
    """A run; times are ISO-8601, `stages` are known of a run that was asked for by itself.

    `recorded_as` is what its records call it, None of one that has none, as a schedule's own;
    `is_priced` says that its settings name prices, so that its records have costs.
    """

    id: str
    name: str
    state: str
    started: str | None
    ended: str | None
    stages: Mapping[str, StageOnCluster]
    recorded_as: str | None = None
    is_priced: bool = False

    @classmethod
    def of(cls, item: Any) -> ClusterRun:
        """Return KFP's own object as one."""
        details = (item.run_details and item.run_details.task_details) or []
        stages = {
            str(one.display_name): StageOnCluster(
                str(one.state), str(one.pod_name or ""), _time(one.start_time), _time(one.end_time)
            )
            for one in details
            if one.display_name
        }
        identity = _identity(item)
        return cls(
            id=str(item.run_id),
            name=str(item.display_name),
            state=str(item.state),
            started=_time(item.created_at),
            ended=_time(item.finished_at),
            stages=stages,
            recorded_as=str(of_platform(identity, str(item.run_id))["id"]) if identity else None,
            is_priced="prices" in identity,
        )

    @property
    def is_active(self) -> bool:
        """Say whether it has not ended."""
        return self.state not in ENDED

    @property
    def is_ended_by_order(self) -> bool:
        """Say whether somebody has ended it: KFP goes on to end it, or has."""
        return self.state in (ENDING, "CANCELED")

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def listed(session: Session, named: str = "") -> list[ClusterRun]:
    """Return the runs of the namespace, or those whose names hold a text, oldest first."""
    scope = {**session.scope(), "sort_by": "created_at asc"}
    if named:
        scope["filter"] = filtered("IS_SUBSTRING", named)
    call = session.client.runs.run_service_list_runs
    return [
        ClusterRun.of(item) for item in session.all_of("the list of runs", call, "runs", **scope)
    ]


def require_allowed(session: Session) -> None:
    """Raise SettingsError for a namespace that is none, or where the caller may not see runs."""
    call = session.client.runs.run_service_list_runs
    session.ask("the list of runs", call, page_size=1, **session.scope())


def filtered(operation: str, name: str) -> str:
    """Return a filter of KFP's lists by name."""
    predicate = {"operation": operation, "key": "display_name", "string_value": name}
    return json.dumps({"predicates": [predicate]})


def get(session: Session, run_id: str) -> ClusterRun:
    """Return a run by its id, with its stages."""
    call = session.client.runs.run_service_get_run
    return ClusterRun.of(session.ask(f"run {run_id}", call, run_id=run_id))


def find(session: Session, name: str) -> ClusterRun:
    """Return the run of an id, a name, the beginning of one, or `latest`, with its stages.

    Raises SettingsError where none or several fit.
    """
    runs = listed(session)
    if not runs:
        raise SettingsError("there is no run in this namespace", remedy="submit one")
    exact = [run for run in runs if name in (run.id, run.name)]
    near = [run for run in runs if run.id.startswith(name) or run.name.startswith(name)]
    fits = runs[-1:] if name == LATEST else exact or near
    if len(fits) != 1:
        known = nearest(name, [run.name for run in runs])
        raise SettingsError(
            f"{len(fits)} runs are called {name}{known}",
            remedy="see their ids with `tandem runs --cluster`",
        )
    (run,) = fits
    return get(session, run.id)


def log_of(session: Session, run: ClusterRun, stage: str) -> str:
    """Return what a stage's pod has written; SettingsError for a stage that has none.

    Raises PlatformError where it cannot be read: KFP reads it from the pod, which may be gone; or
    Unreachable.
    """
    found = run.stages.get(stage)
    if found is None or not found.pod:
        raise SettingsError(
            f"the run {run.name} has no pod of {stage}{nearest(stage, run.stages)}",
            remedy=f"name one of {', '.join(run.stages) or 'none so far'}",
        )
    client = session.client.runs.api_client

    def read(**more: Any) -> Any:
        place = _LOG.format(run=run.id, pod=found.pod)
        return client.call_api(
            place, "GET", response_type="str", auth_settings=["Bearer"],
            _return_http_data_only=True, **more,
        )  # fmt: skip

    try:
        return str(session.ask(f"the log of {stage}", read))
    except Unreachable:
        raise
    except PlatformError as error:
        raise PlatformError(
            error.message,
            remedy=f"{error.remedy}; where the pod is gone, the cluster's own logging may have "
            "what it wrote, and the run's records why it failed (docs/operations.md)",
        ) from error


def retry(session: Session, run: ClusterRun) -> None:
    """Have KFP go on with a run from what failed; SettingsError for one that has not failed.

    Its exit task, which closed the run's records, is not started again: KFP keeps what succeeded
    but for nodes named WORKFLOW.onExit (backend/src/common/util/workflow.go,
    GenerateRetryExecution), and a pipeline's exit task is the hook of a task below
    (backend/src/v2/compiler/argocompiler/common.go, addExitTask).
    """
    if run.state not in FAILED:
        raise SettingsError(
            f"the run {run.name} is {run.state.lower()}: there is nothing to try again",
            remedy="wait for its end, or start a new run",
        )
    api = session.client.runs
    session.order(f"run {run.id}", api.run_service_retry_run, run_id=run.id)


def terminate(session: Session, run: ClusterRun) -> ClusterRun:
    """Have KFP end a run and return it as it is then; one that is over stays what it is.

    KFP refuses this for what has ended or is ending, by an order whose answer was lost too: so
    after a refusal the run is looked at before that is an error.
    """
    if not run.is_active or run.state == ENDING:
        return run
    call = session.client.runs.run_service_terminate_run
    try:
        session.ask(f"run {run.id}", call, run_id=run.id)
    except SettingsError:
        now = get(session, run.id)
        if now.is_active and now.state != ENDING:
            raise
        return now
    return get(session, run.id)


def _identity(item: Any) -> dict[str, Any]:
    """Return what a run was told that it is; nothing of a schedule's own."""
    given = (item.runtime_config and item.runtime_config.parameters) or {}
    run = given.get("run")
    return run if isinstance(run, dict) else {}


def _time(moment: Any) -> str | None:
    """Return a time as text; KFP gives the year 1 or 1970 for none."""
    if moment is None or moment.year <= 1970:
        return None
    return str(moment.isoformat(timespec="seconds"))
