"""What `tests/bench/audit.py` measured, as the page docs/benchmarks-audit.md."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from run import machine

from components.audit.sequencer import MAX_BATCH

RECORDS, LINES, COMMITS = 100_000, 2_000, 200
VERIFY_SECONDS, PROOF_SECONDS, SPOOL_RATE = 20.0, 0.010, 500.0
"""The goals, of so many records."""
PAGE = """\
# Benchmarks of the audit log

Written by `python tests/bench/audit.py`; measured, not asserted.

Machine: {machine}, load {load:.1f} over the last quarter of an hour. Python {python}, one core \
used.

{records:,} records in a log on disk, one checkpoint for {batch} at most. Each run of the spool's \
row records {tenth:,} or more.

| what | runs | median | min | max | goal |
|---|---|---|---|---|---|
{rows}

The verifier's CPU time, start included: {cpu:.1f} s.
Peak memory of the verifier: {memory}.

The records are of failed attempts, in batches as large as they come. Whole runs are
those of `tandem run flights`, told one record after the other: they are three times
as long ({bytes:.1f} kB), and each has a checkpoint of its own, whose
signature is checked too.
The spool was filled before and does not wait for the disk; the proof's tree is in
memory.

The lines and commits hold the same envelopes, already signed. Appended lines prove
nothing of what was cut off; git's commits form a chain, in which each writer waits.
"""


@dataclass(frozen=True)
class Measured:
    """A log of so many records: rates are records, lines and commits a second, proofs seconds.

    `small` and `whole` are verifications at a tenth of the records and at all: seconds, CPU
    seconds, MiB; `runs` the records of whole runs, the seconds of each verification, and bytes a
    record.
    """

    records: int
    rates: Sequence[float]
    small: dict[str, float]
    whole: Sequence[dict[str, float]]
    runs: tuple[int, Sequence[float], float]
    proofs: Sequence[float]
    lines: Sequence[float]
    commits: Sequence[float]


def report(measured: Measured) -> str:
    """Return the page."""
    tenth, peak = measured.records // 10, statistics.median(item["mib"] for item in measured.whole)
    small = f"{measured.small['mib']:.0f} MiB at {tenth:,} records and " if measured.small else ""
    return PAGE.format(
        machine=machine(),
        load=os.getloadavg()[2],
        python=platform.python_version(),
        records=measured.records,
        batch=MAX_BATCH,
        tenth=tenth,
        rows="\n".join(_rows(measured)),
        cpu=statistics.median(item["cpu"] for item in measured.whole),
        memory=f"{small}{peak:.0f} MiB at {measured.records:,}",
        bytes=measured.runs[2] / 1000,
    )


def _rows(measured: Measured) -> Iterator[str]:
    count, seconds, _ = measured.runs
    verified = [item["seconds"] for item in measured.whole]
    goal = f"{VERIFY_SECONDS:.0f} s or less"
    yield row(f"{measured.records:,} records verified, s", verified, goal, "{:.1f}")
    goal = f"{VERIFY_SECONDS * count / RECORDS:.1f} s or less"
    yield row(f"{count:,} records of whole runs verified, s", seconds, goal, "{:.1f}")
    proofs = [one * 1000 for one in measured.proofs]
    goal = f"{PROOF_SECONDS * 1000:.0f} ms or less"
    yield row("inclusion proof made and verified, ms", proofs, goal, "{:.3f}")
    goal = f"{SPOOL_RATE:.0f} or more"
    yield row("through spool and sequencer, records/s", measured.rates, goal, "{:.0f}")
    beside = f"beside: {LINES:,} signed lines appended, each flushed, lines/s"
    yield row(beside, measured.lines, "", "{:.0f}")
    beside = f"beside: {COMMITS} git commits of the same records, commits/s"
    yield row(beside, measured.commits, "", "{:.1f}")


def row(what: str, values: Sequence[float], goal: str, form: str) -> str:
    """Return one row of the table."""
    cells = [form.format(f(values)) for f in (statistics.median, min, max)]
    return f"| {what} | {len(values)} | {' | '.join(cells)} | {goal} |"
