"""The experiment that runs and schedules belong to: made where there is none, and taken back.

Who may make experiments may not be let to make runs, or schedules, and the server says so only when
it is asked for one: the experiment that this call made, and that nothing is in, is deleted then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import kfp_server_api

from components.core.errors import SettingsError, TandemError
from pipelines.kubeflow.runs import filtered
from pipelines.kubeflow.session import Session, Unanswered

EXPERIMENT = "tandem"


@contextmanager
def experiment_for(session: Session) -> Iterator[str]:
    """Give the id of the experiment; one made for what is refused in the block is deleted again.

    It stays after any other failure, and where an answer was lost: what was asked for may be in it
    yet. Raises SettingsError, which says both, where it cannot be deleted.
    """
    experiment, is_new = _known_or_made(session)
    lost = session.lost_answers
    try:
        yield experiment
    except SettingsError as refusal:
        if is_new and session.lost_answers == lost:
            _take_back(session, experiment, refusal)
        raise


def _known_or_made(session: Session) -> tuple[str, bool]:
    """Return the experiment's id, and whether this call made it."""
    create = session.client.experiments.experiment_service_create_experiment
    body = kfp_server_api.V2beta1Experiment(
        display_name=EXPERIMENT, namespace=session.namespace or None
    )
    if (known := _known(session)) is not None:
        return known, False
    try:
        return str(session.order("the experiment", create, experiment=body).experiment_id), True
    except (Unanswered, SettingsError):  # others made it in this moment, or the answer was lost
        if (known := _known(session)) is None:
            raise
        return known, False


def _known(session: Session) -> str | None:
    call = session.client.experiments.experiment_service_list_experiments
    found = session.all_of(
        "the experiments", call, "experiments", filter=filtered("EQUALS", EXPERIMENT),
        **session.scope(),
    )  # fmt: skip
    return str(found[0].experiment_id) if found else None


def _take_back(session: Session, experiment: str, refusal: SettingsError) -> None:
    delete = session.client.experiments.experiment_service_delete_experiment
    try:
        if not _has_any(session, experiment):
            session.ask(f"the experiment {EXPERIMENT}", delete, experiment_id=experiment)
    except TandemError as error:
        if _known(session) != experiment:  # it was deleted, and the answer was lost
            return
        raise SettingsError(
            f"{refusal.message}; the experiment {EXPERIMENT} was made for it and stays: "
            f"{error.message}",
            remedy=f"{refusal.remedy}; the experiment is used by what is made next",
        ) from refusal


def _has_any(session: Session, experiment: str) -> bool:
    """Say whether others have used the experiment by now: KFP would delete it with all the same."""
    client = session.client
    return any(
        session.all_of(f"the {what} of {EXPERIMENT}", call, what, experiment_id=experiment)
        for what, call in (
            ("runs", client.runs.run_service_list_runs),
            ("recurring_runs", client.recurring_runs.recurring_run_service_list_recurring_runs),
        )
    )
