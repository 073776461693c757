"""`tandem audit reconcile`: close what a crash left open, then hold MLflow against the log.

Rules: nothing that may still run is closed. The home's own notary has no run beside it, so all that
is open then is left over; beside another notary (TANDEM_NOTARY) only runs of this home count, whose
process has ended. The notary is started in any case, because it also signs an entry that a crash
left without a checkpoint. What is closed is mended and no finding.
"""

from __future__ import annotations

import os
from argparse import Namespace

from components.audit.answers import RecordView
from components.audit.client import ADDRESS_VARIABLE
from components.audit.closing import Closed, close
from components.audit.completeness import completeness
from components.audit.findings import exit_code
from components.audit.ledger import open_starts
from components.audit.verified_log import VerifiedLog
from pipelines.cli.comparison import compared
from pipelines.cli.output import print_json
from pipelines.cli.remedies import ways_on
from pipelines.home import Home
from pipelines.launch import answering_notary
from pipelines.runners.run_folder import is_live


def reconcile(arguments: Namespace) -> int:
    """Close what was left open and compare MLflow with the log; 4 if they differ."""
    home = Home.at(arguments.home)
    closed, going_on = _close(home)
    comparison = compared(home)
    complete = completeness(home.folder, VerifiedLog.of(home.folder))
    if arguments.json:
        said = {"closed": [item.to_dict() for item in closed], "going_on": going_on}
        print_json({**said, **comparison.to_dict(), "completeness": complete.to_dict()})
        return exit_code(comparison.findings)
    for item in closed:
        print(item.to_text())
    for run in going_on:
        print(f"run {run} may be going on: left as it is")
    print(f"{len(closed)} left open and closed")
    print(comparison.to_text())
    for line in ways_on(finding.check for finding in comparison.findings):
        print(line)
    print(f"no version omitted: {complete.to_text()}")
    print(f"\ncovered by checkpoint:\n{comparison.book.checkpoint}")
    return exit_code(comparison.findings)


def _close(home: Home) -> tuple[list[Closed], list[str]]:
    """Return what was closed, and the runs that were left as they are."""
    VerifiedLog.of(home.folder)  # without a log, or with a wrong one, no notary is started
    with answering_notary(home) as notary:
        log = VerifiedLog.of(home.folder)
        starts = open_starts(log.views)
        left = [start for start in starts if _is_over(home, start)]
        closed = close(notary, log, left)
    return closed, sorted({start.run for start in starts} - {start.run for start in left})


def _is_over(home: Home, start: RecordView) -> bool:
    if not os.environ.get(ADDRESS_VARIABLE):
        return True
    folder = home.runs / start.run
    return folder.is_dir() and not is_live(folder)
