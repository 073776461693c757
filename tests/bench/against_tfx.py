"""`make bench-tfx`: the flights by stock TFX and by Tandem; writes docs/benchmarks-tfx.md.

    python tests/bench/against_tfx.py [WINDOW]

In each of three scenarios (cold, against a new baseline, all cached) both sides take turns, each
run a process of its own, with a state folder of its own across the scenarios. Stock gets the rows
after our joins as CSV, written before anything is timed. When all is measured, the numbers that
both found are compared. Nothing is asserted. A WINDOW like 2013-11:2013-12 makes a smaller try,
which is printed and not written.

This file is not called tfx.py, because its folder would then hide the package of that name.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from run import ALONE, ROOT, call, tandem_run, timed
from tfx_costs import SCENARIOS, Run, Side, Stage
from tfx_place import lay_out, steps
from tfx_report import page
from tfx_row_counts import rows_of_ours, rows_of_stock

from components.core.artifacts import read_json

# By scenario; a cold run of both takes five to nine minutes. What is cached is the run before it in
# the same folder, so no scenario has more runs than the one before.
RUNS = dict(zip(SCENARIOS, (3, 2, 2), strict=True))
REPORT = ROOT / "docs" / "benchmarks-tfx.md"
PROGRAM = Path(__file__).with_name("stock_pipeline.py")
Runs = dict[str, list[Run]]


def main(window: str | None = None) -> int:
    """Measure, compare, print and write the page."""
    before = os.getloadavg()[0]
    options = (*ALONE, "--window", window) if window else ALONE
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
        stock, ours = take_turns(Path(folder), options)
        text = told(Path(folder), stock, ours, conditions(before))
    print(text)
    if window is None:
        REPORT.write_text(text)
    return 0


def take_turns(place: Path, options: tuple[str, ...]) -> tuple[Runs, Runs]:
    """Do all runs in `place`; return stock's and ours by scenario."""
    stock: Runs = {name: [] for name in SCENARIOS}
    ours: Runs = {name: [] for name in SCENARIOS}
    for scenario in SCENARIOS:
        for number in range(RUNS[scenario]):
            home, folder = place / f"home-{number}", place / f"stock-{number}"
            if scenario == "against a baseline":
                promote(home)
            ours[scenario].append(our_run(home, options))
            first = first_run(home)
            if scenario == "cold":
                lay_out(first, folder, arguments(first))
            stock[scenario].append(stock_run(folder, steps(first, arguments(first))))
            seconds = [f"{side[scenario][-1].wall:.1f} s" for side in (ours, stock)]
            print(f"{scenario}: Tandem {seconds[0]}, stock {seconds[1]}", file=sys.stderr)
    return stock, ours


def conditions(before: float) -> str:
    """Return what else went on, to be asked when all is measured: the load, and our priority."""
    after, niceness = os.getloadavg()[2], os.getpriority(os.PRIO_PROCESS, 0)
    return (
        f"Load {before:.1f} over the minute before, {after:.1f} over the last quarter of an hour "
        f"of it, what is measured included; niceness {niceness} (below 0, other work had to wait)"
    )


def told(place: Path, stock: Runs, ours: Runs, under: str) -> str:
    """Compare what the first cold run of each side found; return the page."""
    from tfx_findings import find

    run, folder = first_run(place / "home-0"), place / "stock-0"
    count = steps(run, arguments(run))
    found = find(run, folder, arguments(run), place / "measured-by-ours")
    of_stock = Side(stock, rows_of_stock(folder, count))
    return page(of_stock, Side(ours, rows_of_ours(run, arguments(run))), found, count, under)


def first_run(home: Path) -> Path:
    """Return the folder of a state folder's first run."""
    return min((home / "runs").iterdir())


def arguments(run: Path) -> Mapping[str, Any]:
    """Return what a run was given."""
    found: Mapping[str, Any] = read_json(run / "arguments.json")
    return found


def promote(home: Path) -> None:
    """Make the first version the champion."""
    version = ("models", "promote", "flights-late@1", "--reason", "bench")
    call(Path(sys.prefix, "bin", "tandem"), *version, "--home", home, "--json")


def our_run(home: Path, options: tuple[str, ...]) -> Run:
    """Run Tandem once; return what it cost."""
    wall, cpu, record = spent(lambda: tandem_run(home, *options))
    tasks = sorted(record["tasks"].items(), key=lambda task: task[1]["started"] or "")
    return Run(wall, cpu, {name: Stage.of(task) for name, task in tasks})


def stock_run(folder: Path, count: int) -> Run:
    """Run stock TFX once; return what it cost. What it says of itself goes to a file."""
    wall, cpu, nodes = spent(lambda: stock_nodes(folder, count))
    return Run(wall, cpu, {node["name"]: Stage.of(node) for node in nodes})


def stock_nodes(folder: Path, count: int) -> list[dict[str, Any]]:
    """Return what each of stock's nodes cost."""
    path = os.pathsep.join([str(ROOT), str(PROGRAM.parent)])
    with (folder / "stock.log").open("a") as log:
        done = subprocess.run(
            [sys.executable, PROGRAM, folder, str(count)],
            env=os.environ | {"PYTHONPATH": path},
            check=True,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    nodes: list[dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])
    return nodes


def spent(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return the wall seconds and the CPU seconds of the processes that some work started."""
    before = children()
    wall, result = timed(work)
    return wall, children() - before, result


def children() -> float:
    """Return the CPU seconds of all processes that were started here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
