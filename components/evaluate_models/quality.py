"""The quality of every model on the same rows: evaluation.json, and TFMA's files beside it.

Rules: everything is measured of the same predictions, which were made once; what the settings ask
for and the task does not have is refused before. Nothing here is timed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from components.core.artifacts import write_json
from components.core.errors import SettingsError
from components.core.raw_inputs import raw_inputs
from components.core.settings import Evaluate, StockMetric
from components.evaluate_models.candidates import Measurable
from components.evaluate_models.curves import curves_of
from components.evaluate_models.eval_rows import EvalRows
from components.evaluate_models.evaluation import Rows, Slices, evaluate
from components.evaluate_models.fairness import fairness
from components.evaluate_models.intervals import z_quantile
from components.evaluate_models.predicted import scores
from components.evaluate_models.robustness import by_task, robustness
from components.evaluate_models.slices import Partition, partitions
from components.evaluate_models.target import Target
from components.evaluate_models.tfma_config import eval_config, once
from components.evaluate_models.tfma_results import write_results

EVALUATION_FILE = "evaluation.json"


def evaluate_quality(
    models: Sequence[Measurable],
    given: EvalRows,
    target: Target,
    options: Evaluate,
    evaluation: Path,
) -> dict[str, Any]:
    """Write evaluation.json and the TFMA results; return the former."""
    for problem in options.problems(target.task):
        raise SettingsError(f"evaluate.{problem}", remedy="correct the settings")
    table = given.predicted
    parts = partitions(table, options.slices, options.minimum_slice_rows)
    config = eval_config(target, parts, options.thresholds, options.top_k, options.tfma_metrics)
    rows = Rows(target.labels(table), scores(table), target.task, target.classes)
    found, comparison = evaluate(
        rows, parts, options.confidence, once(options.thresholds), once(options.top_k)
    )
    stock = _by_stock_tfma(table, rows, target, parts, options.tfma_metrics, found)
    fair = _fairness(table, rows, options)
    quality = {
        "version": 1,
        **target.said(),
        "rows": table.num_rows,
        "confidence": options.confidence,
        "left_out": _left_out(parts, options.minimum_slice_rows),
        "models": {
            model.name: {
                "bundle_sha256": model.sha256,
                "slices": found[model.name],
                "curves": curves_of(rows, model.name),
                "fairness": fair[model.name],
                **_robustness(model, given, rows, options),
            }
            for model in models
        },
        "comparison": comparison,
    }
    write_json(evaluation / EVALUATION_FILE, quality)
    for name, slices in found.items():
        write_results(evaluation / name, config, parts, rows, name, slices, stock[name])
    return quality


def _by_stock_tfma(
    table: pa.Table,
    rows: Rows,
    target: Target,
    parts: Sequence[Partition],
    metrics: Sequence[StockMetric],
    found: Mapping[str, Slices],
) -> dict[str, Any]:
    """Return what stock TFMA is asked for by model and slice, and put its values to ours."""
    if not metrics:
        return {name: {} for name in found}
    from components.evaluate_models.stock_tfma import Asked, values

    asked = Asked(target, parts, metrics).checked()
    stock = {name: asked.of(table, rows, name) for name in found}
    for name, slices in found.items():
        for part in parts:
            for key, at in zip(part.keys(), part.tfma_keys(), strict=True):
                slices[key]["tfma"] = values(stock[name].get(at, ()))
    return stock


def _fairness(table: pa.Table, rows: Rows, options: Evaluate) -> dict[str, Any]:
    """Return how each model treats the groups of the sensitive columns."""
    specs = [(name,) for name in options.sensitive]
    _, *columns = partitions(table, specs, options.minimum_slice_rows, "evaluate.sensitive")
    if not columns:
        return {name: {} for name in rows.scores}
    z = z_quantile(options.confidence)
    found = fairness(columns, rows.labels, list(rows.scores.values()), z)
    return dict(zip(rows.scores, found, strict=True))


def _robustness(
    model: Measurable, given: EvalRows, rows: Rows, options: Evaluate
) -> dict[str, Any]:
    """Return {"robustness": ...} of a model where the settings ask for it."""
    if not options.robustness:
        return {}
    inputs = raw_inputs(given.sample, model.bundle.contract.input_types)
    by = by_task(rows.task, rows.labels[given.chosen], z_quantile(options.confidence))
    return {"robustness": robustness(model.scorer.score, inputs, by)}


def _left_out(parts: Sequence[Partition], minimum: int) -> dict[str, Any]:
    """Say how many slices were too small, by columns."""
    counts = {",".join(partition.columns): partition.left_out for partition in parts[1:]}
    return {"minimum_rows": minimum, "slices": counts}
