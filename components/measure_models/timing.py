"""How fast a form is: loading, one row, and a batch.

Rules: what is timed is a call of a form by its own runtime: inputs in memory to probabilities, on
one thread, one form after another; every series starts with calls that do not count; single calls
go through different rows. Batches are timed a tenth as often, at least ten times. A runtime is
imported before its form is timed. A percentile's interval is of the calls' ranks, as if each call
were independent of the one before; it has no bound where there are too few calls. Loading is timed
once. These numbers are of this machine and this moment: they are outside reproducibility.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from components.core.quantiles import ranks
from components.core.raw_inputs import batches
from components.core.runtimes import RUNTIMES, Inputs, Score, open_form

THREADS = 1
WARM_UP = 5
LEAST_BATCHES = 10
PERCENTILES = (50, 95, 99)
Bounds = list[float | None]
# What a runtime's first form would import besides: loading is timed without it.
IMPORTED = {
    "onnxruntime": "onnxruntime",
    "tensorflow": "tensorflow",
    "torch": "torch.export.pt2_archive",
    "ai-edge-litert": "ai_edge_litert.interpreter",
}


@dataclass(frozen=True)
class Often:
    """How many single rows are timed, how many rows a batch has, and how sure an interval is."""

    runs: int
    batch_rows: int
    confidence: float = 0.95


def time_form(name: str, path: Path, inputs: Inputs, often: Often) -> dict[str, Any]:
    """Load a form and time it; `load_ms` are the milliseconds of loading it."""
    import_module(IMPORTED[RUNTIMES[name]])
    started = time.perf_counter_ns()
    score = open_form(name, path, THREADS)
    load_ms = round((time.perf_counter_ns() - started) / 1e6, 1)
    return time_calls(score, inputs, often) | {"load_ms": load_ms}


def time_calls(score: Score, inputs: Inputs, often: Often) -> dict[str, Any]:
    """Return the latency of one row and of a batch in milliseconds, and rows a second.

    `inputs` hold at least one row; at most `often.runs` and `often.batch_rows` of them are used.
    `intervals` has the bounds, [lower, upper], of each percentile of one row, and of rows a second.
    """
    batch = next(batches(inputs, often.batch_rows))
    rows, times = len(next(iter(batch.values()))), max(LEAST_BATCHES, often.runs // 10)
    one_row = _series(score, cycle(list(islice(batches(inputs, 1), often.runs))), often.runs)
    of_batch = _series(score, cycle([batch]), times)
    slowest, fastest = reversed(_bounds(of_batch, 50, often.confidence))
    return {
        "one_row_ms": _percentiles(one_row),
        "batch_ms": _percentiles(of_batch),
        "batch_rows": rows,
        "rows_per_second": _per_second(rows, float(np.median(of_batch))),
        "intervals": {
            **{f"p{n}_ms": _bounds(one_row, n, often.confidence) for n in PERCENTILES},
            "rows_per_second": [_per_second(rows, slowest), _per_second(rows, fastest)],
        },
        "runs": {"one_row": often.runs, "batch": times, "warm_up": WARM_UP},
    }


def _series(score: Score, parts: Iterator[Inputs], runs: int) -> list[float]:
    """Return the milliseconds of each call after the warm-up."""
    for part in islice(parts, WARM_UP):
        score(part)
    taken = []
    for part in islice(parts, runs):
        started = time.perf_counter_ns()
        score(part)
        taken.append((time.perf_counter_ns() - started) / 1e6)
    return taken


def _percentiles(milliseconds: list[float]) -> dict[str, float]:
    found = np.percentile(milliseconds, PERCENTILES)
    return {f"p{n}": round(float(v), 4) for n, v in zip(PERCENTILES, found, strict=True)}


def _bounds(milliseconds: Sequence[float], percentile: int, confidence: float) -> Bounds:
    """Return the interval of a percentile, None for a bound that so few calls do not give."""
    ordered = sorted(milliseconds)
    found = ranks(len(ordered), percentile / 100, confidence)
    return [None if rank is None else round(ordered[rank - 1], 4) for rank in found]


def _per_second(rows: int, milliseconds: float | None) -> float | None:
    """Return rows a second; what takes no time that can be measured has no rate."""
    return round(rows / milliseconds * 1000, 1) if milliseconds else None


def machine(forms: Iterable[str]) -> dict[str, Any]:
    """Describe the processor, the cores this process may use, and the runtimes of the forms."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)),
        "platform": f"{platform.system()}-{platform.machine()}",
        **{runtime: version(runtime) for runtime in sorted({RUNTIMES[name] for name in forms})},
    }


def _cpu_model() -> str:
    """Return the model name of /proc/cpuinfo, which ARM kernels do not give."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
