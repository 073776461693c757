"""What is said when a run has ended: the table of both models, the decision, and where to look."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.core.errors import GateError, TandemError
from pipelines.cli.output import print_json
from pipelines.home import Home
from pipelines.report import mlflow_command, summary_dict, write_report
from pipelines.runs import RecordedRun
from pipelines.summary import ROWS, RunSummary, read_summary, seconds_text, table_cells

PLAIN_WIDTH = 120


def print_ending(run: RecordedRun, home: Home, *, as_json: bool) -> None:
    """Write the report page, then print the run as one JSON object or as text."""
    page = _page(run, home)
    if as_json:
        print_json({**summary_dict(run), "report": str(page) if page else None})
        return
    print_run(run)
    if run.result.exit_code not in (0, GateError.exit_code):
        print(f"go on       tandem run --resume {run.id}")
    print(f"run folder  {run.folder}")
    if page:
        print(f"report      {page}")
    print(f"registry    {mlflow_command(home)}")


def print_run(run: RecordedRun) -> None:
    """Print both models, the decision and why, and the cause of every failure."""
    summary = read_summary(run)
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)
    if summary.models:
        console.print(models_table(summary))
    for line in decision_lines(summary):
        console.print(Text(line), soft_wrap=True)
    for task, result in run.tasks.items():
        if result.error:
            console.print(Text(f"{task} failed: {result.error['message']}"), soft_wrap=True)
            console.print(Text(f"remedy: {result.error['remedy']}"), soft_wrap=True)
            console.print(Text(f"log: {run.folder / result.log}"), soft_wrap=True)
    console.print(Text(f"{run.state.lower()} after {seconds_text(run.seconds)}"))


def models_table(summary: RunSummary) -> Table:
    """Return both models side by side."""
    table = Table()
    for name in ("", *(model.framework for model in summary.models)):
        table.add_column(name)
    for row in zip(ROWS, *map(table_cells, summary.models), strict=True):
        table.add_row(*map(Text, row))
    return table


def decision_lines(summary: RunSummary) -> list[str]:
    """Return the decision in one line and its reasons in one each."""
    decision = summary.decision
    if not decision:
        return []
    winner = decision["winner"]
    return [f"decision: release {winner}", *(f"  {why}" for why in decision["reasons"])]


def _page(run: RecordedRun, home: Home) -> Path | None:
    """Write the report; where a file is damaged, say so: the run's own outcome still stands."""
    try:
        return write_report(run, home)
    except TandemError as error:
        print(f"the report was not written: {error.message}", file=sys.stderr)
        return None
