"""`make bench`: measure both trainers and write docs/benchmarks-training.md.

The features are those of a default flights run. Each training has a process of its own with one
thread; the ways take turns, so that a change of the machine's speed meets all of them. Then both
trainers run beside each other. Nothing is asserted.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from one_training import BATCH, WAYS
from run import ROOT, machine, tandem_run

from components.core.artifacts import read_json
from components.core.quiet import QUIET
from pipelines.runners.server_environment import SERVER_ENVIRONMENT

RUNS = 3
REPORT = ROOT / "docs" / "benchmarks-training.md"
BOTH = ("pytorch.Tandem", "tensorflow.Tandem")
ENVIRONMENT = {**QUIET, **os.environ, **SERVER_ENVIRONMENT, "KERAS_BACKEND": "tensorflow"}


def main() -> int:
    """Measure, print and write the report."""
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
        features, parameters = prepared(Path(folder, "home"))
        alone: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for _ in range(RUNS):
            for way, costs in alone.items():
                costs += together([way], features)
        beside = [together(BOTH, features) for _ in range(RUNS)]
    text = report(alone, beside, parameters)
    REPORT.write_text(text)
    print(text)
    return 0


def prepared(home: Path) -> tuple[Path, int]:
    """Do the default run; return its features and the number of the model's parameters."""
    tasks = tandem_run(home)["tasks"]
    run = max((home / "runs").iterdir())
    places = {
        name: run / tasks[task]["outputs"][name]["path"]
        for task, name in (("transform-features", "features"), ("train-pytorch", "pytorch_model"))
    }
    contract = read_json(places["pytorch_model"] / "contract.json")
    return places["features"], int(contract["parameters"])


def together(ways: Iterable[str], features: Path) -> list[dict[str, Any]]:
    """Train in several ways at the same time; return the cost of each."""
    script = Path(__file__).with_name("one_training.py")
    processes = [
        subprocess.Popen(
            [sys.executable, script, way, features],
            env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for way in ways
    ]
    answers = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise OSError(f"one of {list(ways)} failed: run one_training.py by hand to see why")
    return [json.loads(answer.splitlines()[-1]) for answer in answers]


def report(
    alone: dict[str, list[dict[str, Any]]], beside: list[list[dict[str, Any]]], parameters: int
) -> str:
    """Return the page."""
    lines = [
        "# Benchmarks of the trainers",
        "",
        "Written by `make bench`; measured, not asserted.",
        "",
        f"Machine: {machine()}. Python {platform.python_version()}, one thread each, no GPU: none "
        "could be had.",
        "",
        f"The flights model (wide and deep, {parameters:,} parameters), the default run's rows, "
        f"batches of {BATCH}, Adam. Examples per second of the epochs after the first, of {RUNS} "
        "runs each, taken in turns.",
        "",
        "| framework | way | median | min | max |",
        "|---|---|---|---|---|",
    ]
    for way, costs in alone.items():
        framework, _, name = way.partition(".")
        lines.append(f"| {framework} | {name} | {spread(cost['rate'] for cost in costs)} |")
    for place, way in enumerate(BOTH):
        framework = way.partition(".")[0]
        rates = spread(costs[place]["rate"] for costs in beside)
        lines.append(f"| {framework} | Tandem, beside the other trainer | {rates} |")
    return "\n".join([*lines, "", *side_by_side(alone, beside), ""])


def spread(values: Iterable[float]) -> str:
    """Return median, minimum and maximum, in thousands."""
    found = sorted(values)
    parts = (statistics.median(found), found[0], found[-1])
    return " | ".join(f"{part / 1000:,.0f}k" for part in parts)


def side_by_side(
    alone: dict[str, list[dict[str, Any]]], beside: list[list[dict[str, Any]]]
) -> list[str]:
    """Return how much longer both together take than the slower one alone."""
    slower = max(statistics.median(cost["seconds"] for cost in alone[way]) for way in BOTH)
    both = statistics.median(max(cost["seconds"] for cost in costs) for costs in beside)
    return [
        f"Both beside each other take {both:.1f} s, the slower one alone {slower:.1f} s: "
        f"{both / slower:.2f} times."
    ]


if __name__ == "__main__":
    sys.exit(main())
