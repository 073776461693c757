"""One run for one name, whatever the network does: found before it is made, and one kept of many.

KFP gives runs any name, as often as it is given, so exactly once is made here:
1. a run of the name that is under way or has succeeded is the answer, and none is made;
2. a run of the same use case and span under another name (other settings, say) that is under way
   is refused, since two would train on one span;
3. after a call whose answer was lost the run is looked for before it is made again;
4. afterwards name and span are looked for once more: of several runs of the name, made by others or
   by a proxy that sent the call twice, the oldest stays, and the others are ended; so is the one
   made where one of another name, not younger, works on the span, and that is refused (rule 2);
5. a failed run goes on only where no other stands for its span by now;
6. what can refuse is asked before anything is made: the server for the runs of the span, in that
   namespace, then the registry and the bucket; then come the experiment, the champion's bundle and,
   last, the run; of a run that is refused no experiment stays that this call made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import kfp_server_api

from components.core.errors import SettingsError
from pipelines.kubeflow.champion import ShippedChampion, champion_for
from pipelines.kubeflow.experiment import experiment_for
from pipelines.kubeflow.runs import ENDING, ClusterRun, terminate
from pipelines.kubeflow.session import Session, Unanswered
from pipelines.kubeflow.siblings import counts, runs_of
from pipelines.kubeflow.submission import Submission

ATTEMPTS = 5
_RANKS = {"SUCCEEDED": 0, "FAILED": 2, ENDING: 3, "CANCELED": 3}


@dataclass(frozen=True)
class Submitted:
    """The run of a submission; `is_new` says whether this call made it."""

    run: ClusterRun
    is_new: bool


def submit(session: Session, submission: Submission, *, again: bool = True) -> Submitted:
    """Return the one run of a submission, made if there is none (the module's rules).

    One that failed is made `again`, or is the answer.

    Raises SettingsError for a span that another run is at work on, PlatformError where the server
    does not answer.
    """
    if (run := _found(session, submission, again=again)) is not None:
        return Submitted(run, is_new=False)
    with (
        champion_for(submission.model_name, submission.target) as champion,
        experiment_for(session) as experiment,
    ):
        champion.put()
        body = _body(submission, experiment, champion)
        made = _made(session, submission, body, again=again)
    kept = _settled(session, submission, made)
    return Submitted(kept, is_new=kept.id == made.id)


def _found(session: Session, submission: Submission, *, again: bool) -> ClusterRun | None:
    """Return the run of the name; SettingsError for another that works on the span (rule 2)."""
    runs = runs_of(session, submission.same_span)
    mine = [run for run in runs if run.name == submission.name and (counts(run) or not again)]
    if mine:
        return _settle(session, mine)
    if others := _others(runs, submission):
        raise _busy(others[0], submission)
    return None


def _others(runs: Sequence[ClusterRun], submission: Submission) -> list[ClusterRun]:
    """Return the runs under way that work on the span under another name, the oldest first."""
    return [run for run in runs if run.is_active and run.name != submission.name]


def _busy(run: ClusterRun, submission: Submission) -> SettingsError:
    return SettingsError(
        f"the run {run.name} works on {submission.span} of {submission.use_case}, with "
        "other settings or another pipeline",
        remedy=f"wait for its end (`tandem runs show {run.id} --cluster`), or end it: "
        f"`tandem terminate {run.id}`",
    )


def _body(submission: Submission, experiment: str, champion: ShippedChampion) -> Any:
    parameters = {**submission.parameters, "champion": dict(champion.parameter)}
    return kfp_server_api.V2beta1Run(
        experiment_id=experiment,
        display_name=submission.name,
        pipeline_spec=dict(submission.spec),
        runtime_config=kfp_server_api.V2beta1RuntimeConfig(
            parameters=parameters, pipeline_root=submission.target.root
        ),
        service_account=submission.target.service_account,
    )


def _made(session: Session, submission: Submission, body: Any, *, again: bool) -> ClusterRun:
    """Make the run; after a lost answer look for it first (rule 3)."""
    create = session.client.runs.run_service_create_run
    for _ in range(ATTEMPTS - 1):
        try:
            return ClusterRun.of(session.order(f"the run {submission.name}", create, run=body))
        except Unanswered:
            if (run := _found(session, submission, again=again)) is not None:
                return run
    return ClusterRun.of(session.order(f"the run {submission.name}", create, run=body))


def _settled(session: Session, submission: Submission, made: ClusterRun) -> ClusterRun:
    """Return the run that stays: the one made, if no older one stands for the span.

    Raises SettingsError, and ends the one made, where an older one has another name.
    """
    runs = runs_of(session, submission.same_span)
    mine = [run for run in runs if run.name == submission.name]
    kept = _settle(session, [run for run in mine if counts(run) or run.id == made.id] or [made])
    others = [run for run in _others(runs, submission) if not run.is_ended_by_order]
    # KFP's times may be of seconds: of two of one second the one that is seen may not see.
    older = [run for run in others if (run.started or "") <= (kept.started or "")]
    if older and kept.is_active:
        terminate(session, kept)
        raise _busy(older[0], submission)
    return kept


def _settle(session: Session, runs: Sequence[ClusterRun]) -> ClusterRun:
    """Keep the oldest of runs of one name that came furthest, and end the others (rule 4)."""
    kept, *others = sorted(runs, key=lambda run: (_rank(run), run.started, run.id))
    for run in others:
        terminate(session, run)
    return kept


def _rank(run: ClusterRun) -> int:
    """Return 0 for one that has succeeded, then those under way, that failed, and were ended."""
    return _RANKS.get(run.state, 1)
