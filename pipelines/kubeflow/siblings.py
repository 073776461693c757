"""The runs of one use case and span: what their names begin with, and which of them counts.

A submitted run is called USECASE-SPAN-KEY (submission.py); nothing is compiled or loaded to tell.
"""

from __future__ import annotations

import re

from components.core.errors import SettingsError
from pipelines.kubeflow.runs import ENDING, FAILED, ClusterRun, listed
from pipelines.kubeflow.session import Session

KEY_LENGTH = 12
_KEY = rf"[0-9a-f]{{{KEY_LENGTH}}}"
_SUBMITTED = re.compile(rf"(.+-){_KEY}")


def runs_of(session: Session, beginning: str) -> list[ClusterRun]:
    """Return the runs whose names are this beginning and a key, the oldest first."""
    name = re.compile(re.escape(beginning) + _KEY)
    return [run for run in listed(session, named=beginning) if name.fullmatch(run.name)]


def counts(run: ClusterRun) -> bool:
    """Say whether a run stands for its span: it is under way or has succeeded."""
    return run.state not in FAILED and run.state != ENDING


def require_alone(session: Session, run: ClusterRun) -> None:
    """Raise SettingsError where another run stands for the span of one that is to go on."""
    submitted = _SUBMITTED.fullmatch(run.name)
    if submitted is None:
        return
    for other in runs_of(session, submitted[1]):
        same = other.name == run.name and counts(other)
        if other.id != run.id and (same or other.is_active):
            raise SettingsError(
                f"the run {other.id} of the same span is {other.state.lower()}: {run.name} would "
                "be trained twice",
                remedy=f"look at it: `tandem runs show {other.id} --cluster`",
            )
