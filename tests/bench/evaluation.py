"""`make bench`: measure the evaluation's metrics and write docs/benchmarks-evaluation.md.

Two candidates and a champion on 112,000 drawn rows, 20 slices with intervals: what is left of the
stage after imports and predictions. Beside it stock TFMA, one model without an interval, with the
same EvalConfig on fewer rows of the same draw, after a run that does not count: it takes rows one
by one, so all rows are taken to cost its fixed seconds and those of a further row times all rows.
Both measured points are in the report. CPU seconds are beside wall seconds, because they differ on
a machine that does other work; its load is in the report too. Nothing is asserted.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from run import ROOT, machine, timed

from components.core.artifacts import write_json
from components.core.data_settings import Beam
from components.evaluate_models.curves import curves
from components.evaluate_models.evaluation import Rows, evaluate
from components.evaluate_models.fairness import fairness
from components.evaluate_models.intervals import z_quantile
from components.evaluate_models.slices import partitions
from components.evaluate_models.target import Target
from components.evaluate_models.tfma_config import PREDICTIONS, eval_config
from components.evaluate_models.tfma_results import write_results

ROWS, STOCK_ROWS, RUNS = 112_000, (1_000, 8_000), 5
SLICES = (("origin",), ("carrier",))
SENSITIVE = (("origin",),)
ORIGINS, CARRIERS = 3, 16
THRESHOLDS, CONFIDENCE, LABEL = (0.5,), 0.95, "late"
TARGET = Target(LABEL)
MODELS = ("pytorch", "tensorflow", "champion")
REPORT = ROOT / "docs" / "benchmarks-evaluation.md"


def main() -> int:
    """Measure, print and write the report."""
    import tensorflow as tf  # noqa: F401 # imported before anything is timed
    import tensorflow_model_analysis as tfma

    table, rows = drawn(ROWS)
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
        runs = [ours(table, rows, Path(folder, f"ours-{number}")) for number in range(RUNS)]
        by_tfma(tfma, table, rows, 100, Path(folder, "warm-up"))
        stock = {
            size: timed(lambda size=size: by_tfma(tfma, table, rows, size, Path(folder, str(size))))
            for size in STOCK_ROWS
        }
    text = report(runs, {size: seconds for size, (seconds, _) in stock.items()})
    REPORT.write_text(text)
    print(text)
    return 0


def drawn(rows: int) -> tuple[pa.Table, Rows]:
    """Return rows with 19 slices beside the whole, and three models' predictions of them."""
    generator = np.random.default_rng(1)
    truth = 1 / (1 + np.exp(-generator.normal(-1.0, 1.0, rows)))
    labels = (generator.random(rows) < truth).astype(np.float64)
    noise = {name: generator.normal(0, 0.3 + 0.05 * n, rows) for n, name in enumerate(MODELS)}
    logit = np.log(truth / (1 - truth))
    scores = {name: 1 / (1 + np.exp(-(logit + by))) for name, by in noise.items()}
    # As a model gives them.
    scores = {name: s.astype(np.float32).astype(np.float64) for name, s in scores.items()}
    columns = {
        "origin": [f"O{n}" for n in generator.integers(0, ORIGINS, rows)],
        "carrier": [f"C{n:02}" for n in generator.integers(0, CARRIERS, rows)],
        LABEL: labels.astype(np.int64),
    }
    return pa.table(columns), Rows(labels, scores)


def ours(table: pa.Table, rows: Rows, folder: Path) -> dict[str, np.ndarray]:
    """Return wall and CPU seconds of each part for all models together."""
    seconds: dict[str, np.ndarray] = {}

    def part(name: str, work: Callable[[], Any]) -> Any:
        started = time.process_time()
        wall, found = timed(work)
        seconds[name] = np.array([wall, time.process_time() - started])
        return found

    slices = part("slices", lambda: partitions(table, SLICES, 1))
    models, comparison = part(
        "metrics with intervals, comparisons",
        lambda: evaluate(rows, slices, CONFIDENCE, THRESHOLDS),
    )
    part("curves", lambda: [curves(rows.labels, s) for s in rows.scores.values()])
    results = {"models": models, "comparison": comparison}
    part("evaluation.json", lambda: write_json(folder / "evaluation.json", results))

    def write() -> None:
        for name in rows.scores:
            place = folder / name
            config = eval_config(TARGET, slices, THRESHOLDS)
            write_results(place, config, slices, rows, name, models[name])

    part("TFMA's result files", write)
    seconds["together"] = np.sum(list(seconds.values()), axis=0)
    _, *columns = partitions(table, SENSITIVE, 1)
    scores, z = list(rows.scores.values()), z_quantile(CONFIDENCE)
    part("besides: fairness of one column", lambda: fairness(columns, rows.labels, scores, z))
    return seconds


def by_tfma(tfma: Any, table: pa.Table, rows: Rows, size: int, folder: Path) -> None:
    """Let stock TFMA evaluate one model on the first rows, on Beam's runner in this process."""
    import apache_beam as beam

    from components.core.beam_engine import runner

    frame = table.slice(0, size).to_pandas()
    frame[PREDICTIONS[TARGET.task]] = rows.scores[MODELS[0]][:size]
    config = eval_config(TARGET, partitions(table, SLICES, 1), THRESHOLDS)
    default = beam.Pipeline
    # Beam's default runner would download a binary; analyze_raw_data takes no other.
    beam.Pipeline = lambda *args, **kw: default(*args, **{"runner": runner(Beam()), **kw})
    try:
        tfma.analyze_raw_data(frame, config, output_path=str(folder))
    finally:
        beam.Pipeline = default


def report(runs: list[dict[str, np.ndarray]], stock: dict[int, float]) -> str:
    """Return the page."""
    lines = [
        "# Benchmarks of the evaluation",
        "",
        "Written by `python tests/bench/evaluation.py`; measured, not asserted.",
        "",
        f"Machine: {machine()}, load {os.getloadavg()[2]:.1f} over the last quarter of an hour. "
        f"Python {platform.python_version()}, one thread, no GPU used.",
        "",
        f"{len(MODELS)} models, {ROWS:,} drawn rows, {1 + ORIGINS + CARRIERS} slices, every gated "
        "metric with its interval; after imports and predictions, which the stage makes first. "
        "Robustness is not in it: it is predictions.",
        "",
        "| part, all models together | runs | median s | min | max | median CPU s |",
        "|---|---|---|---|---|---|",
    ]
    for part in runs[0]:
        wall, cpu = zip(*(run[part] for run in runs), strict=True)
        lines.append(
            f"| {part} | {len(wall)} | {statistics.median(wall):.2f} "
            f"| {min(wall):.2f} | {max(wall):.2f} | {statistics.median(cpu):.2f} |"
        )
    return "\n".join([*lines, "", *beside_tfma(runs, stock), ""])


def beside_tfma(runs: list[dict[str, np.ndarray]], stock: dict[int, float]) -> list[str]:
    """Return what stock TFMA took, and what that says of all rows."""
    (few, less), (many, more) = stock.items()
    a_row = (more - less) / (many - few)
    whole = less + a_row * (ROWS - few)
    ratio = whole / statistics.median(run["together"][0] for run in runs)
    return [
        f"Stock TFMA, one model, the same slices, no interval: {less:.1f} s for {few:,} rows and "
        f"{more:.1f} s for {many:,}, one run each, {1000 * a_row:.2f} ms for a further row.",
        f"Extrapolated along that line, not measured, {ROWS:,} rows take it {whole:.0f} s for one "
        f"model: {ratio:.0f} times what three models take here.",
    ]


if __name__ == "__main__":
    sys.exit(main())
