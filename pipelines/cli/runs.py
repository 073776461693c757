"""`tandem runs`, `tandem runs show` and `tandem report`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from components.core.errors import TandemError
from components.core.prices import cost_text
from pipelines import commands
from pipelines.cli.output import print_json
from pipelines.costs import cost_of_run, costs_by_task, records_beside
from pipelines.home import Home
from pipelines.runners.run_folder import RUN_FILE
from pipelines.runs import RecordedRun, all_runs, find_ended, find_run
from pipelines.summary import read_summary, seconds_text

UNREADABLE, NOT_STARTED = "UNREADABLE", "NOT STARTED"


def list_runs(arguments: Namespace) -> int:
    """List the runs, oldest first; one that cannot be read is listed with its cause."""
    if arguments.cluster:
        from pipelines.cli.cluster import list_runs as on_cluster

        return on_cluster(arguments)
    home = Home.at(arguments.home)
    lines = [_line(run) for run in all_runs(home)]
    if arguments.json:
        print_json({"home": str(home.folder), "runs": lines})
        return 0
    if not lines:
        start = commands.tandem(home, "run", "flights")
        print(f"no runs in {home.folder}; start one: {start}", file=sys.stderr)
    priced = any(line["cost"] for line in lines)
    for line in lines:
        took = "-" if line["seconds"] is None else seconds_text(line["seconds"])
        said = line["cause"] or (f"released {line['winner']}" if line["winner"] else "")
        paid = f"{cost_text(line['cost']):>14}  " if priced else ""
        what = f"{line['id']}  {line['name']:12}  {line['state']:11}"
        print(f"{what}  {took:>12}  {paid}{said}".rstrip())
    return 0


def _line(run: RecordedRun | tuple[Path, TandemError]) -> dict[str, Any]:
    """Return what the list says of a run."""
    if isinstance(run, tuple):
        folder, error = run
        line = _unreadable(folder.name, "?", error)
        return line if (folder / RUN_FILE).exists() else {**line, "state": NOT_STARTED}
    try:
        decision = read_summary(run).decision
    except TandemError as error:
        return _unreadable(run.id, run.name, error)
    failures = [
        f"{task}: {result.error['message']}" for task, result in run.tasks.items() if result.error
    ]
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state,
        "seconds": run.seconds,
        "cost": cost_of_run(run.folder),
        "winner": decision and decision["winner"],
        "cause": failures[0] if failures else None,
    }


def _unreadable(run_id: str, name: str, error: TandemError) -> dict[str, Any]:
    return {
        "id": run_id,
        "name": name,
        "state": UNREADABLE,
        "seconds": None,
        "cost": None,
        "winner": None,
        "cause": f"{error.message}; {error.remedy}",
    }


def show(arguments: Namespace) -> int:
    """Show one run's stages, models and decision."""
    if arguments.cluster:
        from pipelines.cli.cluster import show as on_cluster

        return on_cluster(arguments)
    from pipelines.cli.ending import print_run, print_tracebacks, print_way_on
    from pipelines.report import summary_dict

    home = Home.at(arguments.home)
    run = find_run(home, arguments.run)
    if arguments.verbose:
        print_tracebacks(run)
    if arguments.json:
        print_json(summary_dict(run))
        return 0
    print(f"{run.id}  {run.name}  started {run.result.started}")
    costs = costs_by_task(records_beside(run.folder))
    for task in run.tasks:
        paid = f"  {cost_text(costs.get(task)):>14}" if costs else ""
        print(f"  {task:20}  {run.state_of(task).lower():11}  {_took(run, task):>12}{paid}")
    print_run(run, read_summary(run))
    print_way_on(run, home)
    return 0


def _took(run: RecordedRun, task: str) -> str:
    """Return how long a task took; nobody knows of one that had not ended."""
    ended = run.tasks[task].ended
    return seconds_text(run.tasks[task].wall_seconds) if ended else "-"


def report(arguments: Namespace) -> int:
    """Write a run's page again and say where it is."""
    from pipelines.report import write_report

    home = Home.at(arguments.home)
    page = write_report(find_ended(home, arguments.run), home)
    if arguments.json:
        print_json({"report": str(page)})
    else:
        print(page)
    return 0
