"""`tandem audit reconcile`: close what a crash left open, then hold MLflow against the log.

Rules: nothing that may still run is closed. Of a cluster's runs Kubeflow Pipelines says which have
ended (KF_PIPELINES_ENDPOINT and so on); it is asked before anything is closed, and where it cannot
be asked nothing is. Such a run gets the closing record that its exit task did not write, which KFP
does not start again when a run is tried again, and its end is told. Beside the home's own notary no
other run is, so all that is open then is left over; beside another notary (TANDEM_NOTARY) only runs
of this home count, whose process has ended. The notary is started in any case, because it also
signs an entry that a crash left without a checkpoint. What is closed is mended and no finding.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from components.audit.answers import RecordView
from components.audit.client import ADDRESS_VARIABLE
from components.audit.closing import Closed, Sealed, close, seal
from components.audit.completeness import completeness
from components.audit.findings import exit_code
from components.audit.ledger import open_starts
from components.audit.left_open import sealed_runs
from components.audit.verified_log import VerifiedLog
from components.core.stage_identity import platform_part
from components.seal_run.channels import link_of, told_of
from components.seal_run.news import news
from pipelines.cli.comparison import compared
from pipelines.cli.output import print_json
from pipelines.cli.remedies import ways_on
from pipelines.home import Home
from pipelines.home_notary import anchoring_notary
from pipelines.kubeflow.ended import Ended, ended
from pipelines.runners.run_folder import is_live


@dataclass(frozen=True)
class Mended:
    """What was closed, the runs that were left as they are, and those that KFP does not know."""

    closed: list[Closed]
    sealed: list[Sealed]
    going_on: list[str]
    unknown: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as parts of a JSON object."""
        return {
            "closed": [item.to_dict() for item in self.closed],
            "sealed": [item.to_dict() for item in self.sealed],
            "going_on": self.going_on,
            "unknown": list(self.unknown),
        }

    def print(self) -> None:
        """Say it to people."""
        for text in (*(item.to_text() for item in self.closed), *map(Sealed.to_text, self.sealed)):
            print(text)
        for run in self.going_on:
            print(f"run {run} may be going on: left as it is")
        for run in self.unknown:
            print(f"run {run} is in no namespace that KFP was asked for: left as it is")
        print(f"{len(self.closed)} left open and closed")


def reconcile(arguments: Namespace) -> int:
    """Close what was left open and compare MLflow with the log; 4 if they differ."""
    home = Home.at(arguments.home)
    mended = _mended(home)
    comparison = compared(home)
    complete = completeness(home.folder, VerifiedLog.of(home.folder))
    revoked = [finding for finding in complete.findings if finding.check == "key"]
    code = exit_code([*comparison.findings, *revoked])
    if arguments.json:
        said = {**mended.to_dict(), **comparison.to_dict(), "completeness": complete.to_dict()}
        said["findings"] += [finding.to_dict() for finding in revoked]
        print_json(said)
        return code
    mended.print()
    print(comparison.to_text())
    for line in ways_on(finding.check for finding in comparison.findings):
        print(line)
    for finding in revoked:
        print(finding.to_text())
    print(f"no version omitted: {complete.to_text()}")
    print(f"\ncovered by checkpoint:\n{comparison.book.checkpoint}")
    return code


def _mended(home: Home) -> Mended:
    """Close what nothing works on, and say what was left as it is."""
    VerifiedLog.of(home.folder)  # without a log, or with a wrong one, no notary is started
    with anchoring_notary(home) as notary:
        log = VerifiedLog.of(home.folder)
        starts = open_starts(log.views)
        on_cluster = _ended_on_cluster(log, starts)
        left = [start for start in starts if _is_over(home, start, on_cluster)]
        closed = close(notary, log, left)
        sealed = [
            seal(notary, log, run, over.state, partial(_told, over.id))
            for run, over in on_cluster.runs.items()
        ]
    going_on = {start.run for start in starts} - {start.run for start in left}
    return Mended(
        closed,
        [item for item in sealed if item is not None],
        sorted(going_on - {*on_cluster.unknown}),
        on_cluster.unknown,
    )


def _told(platform_run: str, run: Mapping[str, Any], views: Sequence[RecordView]) -> dict[str, Any]:
    """Tell the end of a run that its exit task did not tell, and return what came of it."""
    return told_of(news(run, views, link_of(str(run["id"]), platform_run)))


def _ended_on_cluster(log: VerifiedLog, starts: list[RecordView]) -> Ended:
    """Return which runs of a cluster have ended, of those that are open or have no closing record.

    Raises UnverifiableError where there are any and KFP cannot be asked.
    """
    runs = {view.run for view in log.views if platform_part(view.run) is not None}
    return ended((runs - sealed_runs(log.views)) | (runs & {start.run for start in starts}))


def _is_over(home: Home, start: RecordView, on_cluster: Ended) -> bool:
    if platform_part(start.run) is not None:
        return start.run in on_cluster.runs
    if not os.environ.get(ADDRESS_VARIABLE):
        return True
    folder = home.runs / start.run
    return folder.is_dir() and not is_live(folder)
