"""What is said when a run has ended: the table of both models, the decision, and where to look."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.core.errors import TandemError
from components.core.prices import cost_text
from pipelines import commands
from pipelines.cli.output import print_json
from pipelines.costs import cost_of_run
from pipelines.home import Home
from pipelines.report import summary_dict, write_report
from pipelines.runs import RecordedRun
from pipelines.summary import RunSummary, read_summary, seconds_text, table_cells, table_rows

PLAIN_WIDTH = 120
TRACEBACK = "Traceback (most recent call last):"
# What Python writes between two tracebacks of one failure, an empty line before and after.
CHAINS = ("The above exception was the direct cause", "During handling of the above exception")
TAIL_BYTES, TAIL_LINES = 64 * 1024, 20


def print_ending(run: RecordedRun, home: Home, *, as_json: bool) -> None:
    """Write the report page, then print the run as one JSON object or as text."""
    page = _page(run, home)
    if as_json:
        print_json({**summary_dict(run), "report": str(page) if page else None})
        return
    summary = read_summary(run)
    print_run(run, summary)
    print_way_on(run, home)
    print(f"run folder  {run.folder}")
    if page:
        print(f"report      {page}")
    if summary.registration and (registry := commands.registry(home)):
        print(f"registry    {registry}")


def print_run(run: RecordedRun, summary: RunSummary) -> None:
    """Print both models, the decision and why, and the cause of every failure."""
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
    paid = cost_of_run(run.folder)
    cost = f", {cost_text(paid)}" if paid else ""
    console.print(Text(f"{run.state.lower()} after {seconds_text(run.seconds)}{cost}"))


def print_way_on(run: RecordedRun, home: Home) -> None:
    """Print the command that goes on with the run, where that makes sense."""
    if run.can_go_on:
        print(f"go on       {commands.resume(home, run.id)}")


def print_tracebacks(run: RecordedRun) -> None:
    """Print the end of each failed task's log to standard error (--verbose)."""
    for task, result in run.tasks.items():
        if result.error:
            path = run.folder / result.log
            print(f"{task}, {path}:\n{_last_traceback(_tail(path))}", file=sys.stderr)


def _tail(log: Path) -> str:
    """Return the log's last bytes as text."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - TAIL_BYTES))
            return stream.read().decode(errors="replace")
    except OSError as error:
        return f"the log cannot be read: {error.strerror}"


def _last_traceback(text: str) -> str:
    """Return the last traceback, with those that led to it, or else the last lines."""
    lines = text.splitlines()
    begins = [
        number
        for number, line in enumerate(lines)
        if line == TRACEBACK and not "".join(lines[max(0, number - 2) : number]).startswith(CHAINS)
    ]
    return "\n".join(lines[begins[-1] :] if begins else lines[-TAIL_LINES:])


def models_table(summary: RunSummary) -> Table:
    """Return the models side by side, the champion last."""
    table = Table()
    for name in ("", *(model.framework for model in summary.beside)):
        table.add_column(name)
    for row in zip(table_rows(summary), *map(table_cells, summary.beside), strict=True):
        table.add_row(*map(Text, row))
    return table


def decision_lines(summary: RunSummary) -> list[str]:
    """Return the decision in one line and its reasons in one each."""
    decision = summary.decision
    if not decision:
        return []
    winner = decision["winner"] or "nothing"
    return [f"decision: release {winner}", *(f"  {why}" for why in decision["reasons"])]


def _page(run: RecordedRun, home: Home) -> Path | None:
    """Write the report; where a file is damaged, say so: the run's own outcome still stands."""
    try:
        return write_report(run, home)
    except (TandemError, OSError) as error:
        print(f"the report was not written: {error}", file=sys.stderr)
        return None
