"""`make bench`: measure the default run and write docs/benchmarks.md.

Every figure is the median of several runs with its spread; nothing is asserted. Each default run
has a state folder of its own, so nothing is cached; the cached runs repeat the last of them. Then
one version after the other is made the champion, and what a run against a new one takes is
measured: everything up to the models comes from the cache.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TANDEM = Path(sys.prefix, "bin", "tandem")
DEFAULT_RUNS, CACHED_RUNS, CHAMPION_RUNS, EMPTY_RUNS = 3, 5, 4, 7
# Whoever works alone may promote, and a model that equals the champion is as good.
ALONE = ("--set", "registry.approvals.approval=0", "--set", "policy.champion_gates=[]")
REPORT = ROOT / "docs" / "benchmarks.md"
NO_GPU = (
    "No GPU could be had for these figures: what the trainers do on one, fp32 against bf16 and "
    "eager against compiled, was never measured."
)


def main() -> int:
    """Measure, print and write the report."""
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
        homes = [Path(folder, f"home-{i}") for i in range(DEFAULT_RUNS)]
        default = [timed(lambda home=home: tandem_run(home)) for home in homes]
        cached = [timed(lambda: tandem_run(homes[-1])) for _ in range(CACHED_RUNS)]
        champions = against_new_champions(Path(folder, "champions"))
        empty = empty_dag(Path(folder))
        help_text = [timed(lambda: call(TANDEM, "--help"))[0] for _ in range(EMPTY_RUNS)]
        seconds = {
            "default run, nothing cached": [wall for wall, _ in default],
            "default run, everything cached": [wall for wall, _ in cached],
            "run against a new champion, all before the evaluation cached": champions,
            "empty DAG: six stages, two branches": empty,
            "`tandem --help`": help_text,
        }
        text = report(seconds, [record for _, record in default])
    REPORT.write_text(text)
    print(text)
    return 0


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the wall seconds of a call and what it returned."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def call(*command: Path | str) -> str:
    """Run a command that must succeed and return its standard output."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def tandem_run(home: Path, *options: str) -> dict[str, Any]:
    """Do the default run and return its run.json with the seconds spent on records."""
    call(TANDEM, "run", "flights", "--home", home, "--json", *options)
    folder = max((home / "runs").iterdir())
    record: dict[str, Any] = json.loads((folder / "run.json").read_text())
    logs = "".join(path.read_text() for path in (folder / "logs").glob("*.log"))
    record["audit_seconds"] = sum(map(float, re.findall(r"record \d+ took ([\d.]+) s", logs)))
    return record


def against_new_champions(home: Path) -> list[float]:
    """Time runs whose champion is another than that of the run before."""
    tandem_run(home, *ALONE)
    walls = []
    for number in range(CHAMPION_RUNS):
        version = f"flights-late@{1 + number}"
        call(TANDEM, "models", "promote", version, "--reason", "bench", "--home", home, "--json")
        walls.append(timed(lambda: tandem_run(home, *ALONE))[0])
    return walls


def empty_dag(folder: Path) -> list[float]:
    """Time whole processes that run the empty DAG, start of Python included."""
    here, ir = Path(__file__).parent, folder / "empty.yaml"
    call(sys.executable, here / "empty_dag.py", ir)
    walls = []
    for number in range(EMPTY_RUNS):
        run = [sys.executable, here / "execute_ir.py", ir, folder / f"empty-{number}"]
        walls.append(timed(lambda run=run: call(*run))[0])
    return walls


def report(seconds: dict[str, list[float]], records: list[dict[str, Any]]) -> str:
    """Return the page."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; measured, not asserted.",
        "",
        f"Machine: {machine()}. Python {platform.python_version()}, "
        f"glibc {platform.libc_ver()[1]}, no GPU used.",
        "",
        "| what | runs | median s | min | max |",
        "|---|---|---|---|---|",
    ]
    for name, walls in seconds.items():
        lines.append(
            f"| {name} | {len(walls)} | {statistics.median(walls):.2f} "
            f"| {min(walls):.2f} | {max(walls):.2f} |"
        )
    lines += ["", *stages(records), "", *audit_share(seconds, records), "", NO_GPU, ""]
    return "\n".join(lines)


def stages(records: list[dict[str, Any]]) -> list[str]:
    """Return the table of stages, medians over the default runs."""
    lines = [
        "Stages of the default run (medians; memory counts what the process shares with the fork "
        "server it came from):",
        "",
        "| stage | wall s | CPU s | peak memory MiB |",
        "|---|---|---|---|",
    ]
    for task in records[0]["tasks"]:
        tasks = [record["tasks"][task] for record in records]
        wall, cpu, memory = (
            statistics.median(float(task[key]) for task in tasks)
            for key in ("wall_seconds", "cpu_seconds", "peak_memory_bytes")
        )
        lines.append(f"| {task} | {wall:.2f} | {cpu:.2f} | {memory / 2**20:.0f} |")
    return lines


def audit_share(seconds: dict[str, list[float]], records: list[dict[str, Any]]) -> list[str]:
    """Return what the stages waited for the notary, as a share of the run."""
    waited = statistics.median(record["audit_seconds"] for record in records)
    whole = statistics.median(next(iter(seconds.values())))
    return [
        f"Audit: stages waited {waited:.2f} s for the notary (signing, re-hashing, the log), "
        f"{100 * waited / whole:.1f} % of the default run."
    ]


def machine() -> str:
    """Describe the machine: processor, cores, memory."""
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    name = cpu.group(1) if cpu else platform.machine()
    size = int(memory.group(1)) / 2**20 if memory else 0
    return f"{name}, {os.cpu_count()} cores, {size:.0f} GiB"


if __name__ == "__main__":
    sys.exit(main())
