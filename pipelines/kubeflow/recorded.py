"""What a cluster's runs cost, by their records: a notary's, or those of a log that can be read.

Rules: the notary that TANDEM_NOTARY names is asked for each run; else the home's log is read, in
its folder or in the bucket that TANDEM_AUDIT_LOG names. Where there is neither, nothing is known,
and why is said: that is no error of a list of runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from components.audit.answers import RecordView
from components.audit.client import connect
from components.audit.verified_log import VerifiedLog
from components.core.errors import TandemError
from components.core.prices import total
from pipelines.costs import Cost, costs_by_task
from pipelines.kubeflow.runs import ClusterRun


@dataclass(frozen=True)
class Costs:
    """{run: {task: cost}} by KFP's ids; `unknown` says why nothing could be read."""

    by_task: Mapping[str, Mapping[str, Cost]]
    unknown: str | None = None

    def of(self, run: ClusterRun) -> Cost | None:
        """Return the sum over a run's tasks, None where nothing has a cost."""
        return total(self.by_task.get(run.id, {}).values())

    @property
    def are_shown(self) -> bool:
        """Say whether people are told of costs, or that they are not known."""
        return self.unknown is not None or any(self.by_task.values())


def costs(home: Path, runs: Iterable[ClusterRun]) -> Costs:
    """Return what runs cost; those whose settings name no prices are not asked for."""
    names = {run.id: run.recorded_as for run in runs if run.recorded_as and run.is_priced}
    if not names:
        return Costs({})
    try:
        views = _views(home, names.values())
    except TandemError as error:
        return Costs({}, f"{error.message}; {error.remedy}")
    return Costs({run: _by_task(views.get(name, [])) for run, name in names.items()})


def _views(home: Path, names: Iterable[str]) -> Mapping[str, list[RecordView]]:
    if (notary := connect()) is not None:
        return {name: notary.records(name) for name in names}
    ledger = VerifiedLog.of(home).ledger
    return {name: ledger.of_run(name) for name in names}


def _by_task(views: Iterable[RecordView]) -> Mapping[str, Cost]:
    return costs_by_task({"stage": one.stage, "resources": one.resources} for one in views)
