"""`make bench`: measure the default run and write docs/benchmarks.md.

Every figure is the median of several runs with its spread; nothing is asserted. Each default run
has a state folder of its own, so nothing is cached; the cached runs repeat the last of them. Then
one version after the other is made the champion, and what a run against a new one takes is
measured: everything up to the models comes from the cache. What the audit trail takes is read from
the log of each process that waits for it; stages that wait at the same time count both.
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
# The command as its script calls it, with the lines of its log in the file that is named first.
LOGGED = """
import logging, sys
logging.basicConfig(level=logging.INFO, filename=sys.argv.pop(1))
from pipelines.cli import run
run()
"""
WAITED = re.compile(r"audit: (.*) took ([\d.]+) s$", re.MULTILINE)
REQUEST = re.compile("(GET|POST) ")
STAGES = "the stages' records"
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
    """Do the default run and return its run.json with the seconds that it waited for its audit."""
    log = home.with_suffix(".log")
    log.unlink(missing_ok=True)
    run = ("run", "flights", "--home", home, "--json", *options)
    call(sys.executable, "-P", "-c", LOGGED, log, *run)
    folder = max((home / "runs").iterdir())
    record: dict[str, Any] = json.loads((folder / "run.json").read_text())
    logs = "\n".join(path.read_text() for path in (folder / "logs").glob("*.log"))
    record["audit_seconds"] = audit_seconds(log.read_text(), logs)
    return record


def audit_seconds(command: str, stages: str) -> dict[str, float]:
    """Return what a run waited for, by the logs of the command and of its stages.

    The command's requests are part of what else it waits for.
    """
    taken = {STAGES: sum(float(seconds) for _, seconds in WAITED.findall(stages))}
    for what, seconds in WAITED.findall(command):
        if not REQUEST.match(what):
            taken[what] = taken.get(what, 0.0) + float(seconds)
    return taken


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
        "Written by `make bench`; measured, not asserted. Beside it: [against TFX]"
        "(benchmarks-tfx.md), [data stages](benchmarks-data.md), "
        "[trainers](benchmarks-training.md), [evaluation](benchmarks-evaluation.md), "
        "[audit log](benchmarks-audit.md).",
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
    """Return what the run waited for its audit trail, part by part, as shares of the run."""
    whole = statistics.median(next(iter(seconds.values())))
    parts = {
        what: statistics.median(record["audit_seconds"][what] for record in records)
        for what in records[0]["audit_seconds"]
    }
    parts = {"all of it": sum(parts.values())} | parts
    rows = [f"| {what} | {s:.3f} | {100 * s / whole:.2f} |" for what, s in parts.items()]
    return [
        "What the default run waited for its audit trail (medians): signing, re-hashing, the log, "
        "the git anchor; stages that waited at the same time count both.",
        "",
        "| what | s | % of the run |",
        "|---|---|---|",
        *rows,
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
