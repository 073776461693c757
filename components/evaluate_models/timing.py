"""How fast the forms are that take raw rows: one row, a batch, and for those not served, loading.

Rules: what is timed is a call of a form by its own runtime: raw inputs in memory to probabilities,
with the preprocessing that the form carries, on one thread, one form after another; every series
starts with calls that do not count; single calls go through different rows. Batches are timed a
tenth as often, at least ten times. These numbers are of this machine and this moment: they are
outside reproducibility.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from components.core.bundle import Bundle
from components.core.examples import batches
from components.core.runtimes import Score, open_form

SERVED = "onnx"
THREADS = 1
WARM_UP = 5
LEAST_BATCHES = 10
Inputs = Mapping[str, np.ndarray[Any, Any]]


class Scorer(Protocol):
    """What is timed: raw inputs in, probabilities out."""

    def score(self, inputs: Inputs) -> Any:
        """Return one probability a row."""


@dataclass(frozen=True)
class FormScorer:
    """A form by its own runtime."""

    score: Score


def time_other_forms(
    bundle: Bundle, inputs: Inputs, runs: int, batch_rows: int
) -> dict[str, dict[str, Any]]:
    """Return the speed of each form that is not served, and the milliseconds of loading it."""
    timed: dict[str, dict[str, Any]] = {}
    for form in bundle.contract.forms:
        if form.takes == "raw_rows" and form.name != SERVED:
            started = time.perf_counter_ns()
            scorer = FormScorer(open_form(form.name, bundle.path(form.name), THREADS))
            load_ms = round((time.perf_counter_ns() - started) / 1e6, 1)
            timed[form.name] = time_model(scorer, inputs, runs, batch_rows) | {"load_ms": load_ms}
    return timed


def time_model(scorer: Scorer, inputs: Inputs, runs: int, batch_rows: int) -> dict[str, Any]:
    """Return the latency of one row and of a batch in milliseconds, and rows a second.

    `inputs` hold at least one row; at most `runs` and `batch_rows` of them are used.
    """
    batch = next(batches(inputs, batch_rows))
    rows = len(next(iter(batch.values())))
    often = max(LEAST_BATCHES, runs // 10)
    one_row = _series(scorer, cycle(list(islice(batches(inputs, 1), runs))), runs)
    of_batch = _series(scorer, cycle([batch]), often)
    return {
        "one_row_ms": _percentiles(one_row),
        "batch_ms": _percentiles(of_batch),
        "batch_rows": rows,
        "rows_per_second": round(rows / float(np.median(of_batch)) * 1000, 1),
        "runs": {"one_row": runs, "batch": often, "warm_up": WARM_UP},
    }


def _series(scorer: Scorer, parts: Iterator[Inputs], runs: int) -> list[float]:
    """Return the milliseconds of each call after the warm-up."""
    for part in islice(parts, WARM_UP):
        scorer.score(part)
    taken = []
    for part in islice(parts, runs):
        started = time.perf_counter_ns()
        scorer.score(part)
        taken.append((time.perf_counter_ns() - started) / 1e6)
    return taken


def _percentiles(milliseconds: list[float]) -> dict[str, float]:
    p50, p95 = np.percentile(milliseconds, [50, 95])
    return {"p50": round(float(p50), 4), "p95": round(float(p95), 4)}


def machine() -> dict[str, Any]:
    """Describe the processor, the cores this process may use, and the runtime."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)),
        "platform": f"{platform.system()}-{platform.machine()}",
        "onnxruntime": version("onnxruntime"),
    }


def _cpu_model() -> str:
    """Return the model name of /proc/cpuinfo, which ARM kernels do not give."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
