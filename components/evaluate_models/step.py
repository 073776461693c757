"""evaluate_models: measure every candidate, and the champion, as a consumer would.

Reads nothing but the bundles and the untransformed rows of the eval split: quality is that of
model.onnx, the form that is served; the trainers' own numbers are not looked at. Writes
`evaluation` (evaluation.json, and TFMA results in a folder for each model), which repeats for the
same bundles, and `measurements`, which does not. It judges nothing: gates are decide_release's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import BeforeValidator

from components.core.artifacts import write_json
from components.core.candidates import CHAMPION, IMPORTED, TRAINED
from components.core.errors import DataError
from components.core.examples import ExamplesManifest, raw_inputs, read_split
from components.core.outcome import Outcome
from components.core.settings import Evaluate, Section
from components.evaluate_models.candidates import (
    Champion,
    Measurable,
    open_candidate,
    open_champion,
)
from components.evaluate_models.curves import curves
from components.evaluate_models.evaluation import Rows, evaluate
from components.evaluate_models.fairness import fairness
from components.evaluate_models.forms import Often, beside, time_forms, time_served
from components.evaluate_models.intervals import Floats, z_quantile
from components.evaluate_models.predicted import predict, scores
from components.evaluate_models.robustness import chosen_rows, robustness
from components.evaluate_models.slices import OVERALL, Partition, partitions
from components.evaluate_models.tfma_results import write_results
from components.evaluate_models.timing import THREADS, machine
from components.evaluate_models.torch_process import TorchProcess

SPLIT = "eval"
EVALUATION_FILE = "evaluation.json"
MEASUREMENTS_FILE = "measurements.json"


class EvaluateSettings(Section):
    """What evaluate_models depends on; {} is no champion."""

    evaluate: Evaluate
    champion: Annotated[Champion | None, BeforeValidator(lambda value: value or None)] = None


def evaluate_models(
    *,
    settings: EvaluateSettings,
    examples: Path,
    evaluation: Path,
    measurements: Path,
    pytorch_model: Path | None = None,
    tensorflow_model: Path | None = None,
    imported_model: Path | None = None,
) -> Outcome:
    """Measure quality by slice, and speed and size, of every model that is given.

    Raises IntegrityError for a bundle that is not what it should be, DataError for rows or
    predictions that cannot be measured, SettingsError for a column that cannot be sliced by.
    """
    given = zip(
        (*TRAINED, IMPORTED), (pytorch_model, tensorflow_model, imported_model), strict=True
    )
    models = [open_candidate(name, folder, THREADS) for name, folder in given if folder]
    with beside(*(model.bundle for model in models)) as process:
        manifest = ExamplesManifest.read(examples)
        if settings.champion:
            output = models[0].bundle.contract.output
            champion = open_champion(settings.champion, THREADS, manifest.columns, output)
            models.append(champion)
        table = read_split(examples, SPLIT)
        label = manifest.label
        quality = _evaluate(models, table, label, settings.evaluate, evaluation)
        speed = _measure(models, table, settings.evaluate, measurements, process)
    return Outcome(facts=_facts(quality, speed))


def _evaluate(
    models: Sequence[Measurable], table: pa.Table, label: str, options: Evaluate, evaluation: Path
) -> dict[str, Any]:
    """Write evaluation.json and the TFMA results; return the former."""
    parts = partitions(table, options.slices, options.minimum_slice_rows)
    predicted = predict(models, table, [label]).table(table.num_rows)
    rows = Rows(_labels(predicted, label), scores(predicted))
    thresholds = tuple(dict.fromkeys(options.thresholds))
    found, comparison = evaluate(rows, parts, options.confidence, thresholds)
    fair = _fairness(table, rows, options)
    quality = {
        "version": 1,
        "label": label,
        "rows": table.num_rows,
        "confidence": options.confidence,
        "left_out": _left_out(parts, options.minimum_slice_rows),
        "models": {
            model.name: {
                "bundle_sha256": model.sha256,
                "slices": found[model.name],
                "curves": curves(rows.labels, rows.scores[model.name]),
                "fairness": fair[model.name],
                **_robustness(model, table, rows.labels, options),
            }
            for model in models
        },
        "comparison": comparison,
    }
    write_json(evaluation / EVALUATION_FILE, quality)
    for name, slices in found.items():
        of_model = rows.scores[name]
        write_results(evaluation / name, label, parts, rows.labels, of_model, slices, thresholds)
    return quality


def _fairness(table: pa.Table, rows: Rows, options: Evaluate) -> dict[str, Any]:
    """Return how each model treats the groups of the sensitive columns."""
    specs = [(name,) for name in options.sensitive]
    _, *columns = partitions(table, specs, options.minimum_slice_rows, "evaluate.sensitive")
    z = z_quantile(options.confidence)
    found = fairness(columns, rows.labels, list(rows.scores.values()), z)
    return dict(zip(rows.scores, found, strict=True))


def _robustness(
    model: Measurable, table: pa.Table, labels: Floats, options: Evaluate
) -> dict[str, Any]:
    """Return {"robustness": ...} of a model where the settings ask for it."""
    if not options.robustness:
        return {}
    chosen = chosen_rows(table.num_rows)
    inputs = raw_inputs(table.take(pa.array(chosen)), model.bundle.contract.input_types)
    z = z_quantile(options.confidence)
    return {"robustness": robustness(model.scorer.score, inputs, labels[chosen] == 1, z)}


def _measure(
    models: Sequence[Measurable],
    table: pa.Table,
    options: Evaluate,
    measurements: Path,
    process: TorchProcess | None,
) -> dict[str, Any]:
    """Write and return measurements.json; nothing runs beside what is timed."""
    if process is not None:
        process.wait_until_ready()
    often = Often(options.latency_runs, options.batch_rows)
    first = table.slice(0, max(often.runs, often.batch_rows))
    timed = {}
    for model in models:
        inputs = raw_inputs(first, model.bundle.contract.input_types)
        forms = (
            time_served(model.bundle, inputs, often)  # others are nobody's choice any more
            if model.name == CHAMPION
            else time_forms(model.bundle, inputs, often, process)
        )
        timed[model.name] = {"forms": forms}
    names = {name for model in timed.values() for name in model["forms"]}
    speed = {"version": 1, "threads": THREADS, "machine": machine(names), "models": timed}
    write_json(measurements / MEASUREMENTS_FILE, speed)
    return speed


def _labels(table: pa.Table, label: str) -> Floats:
    """Return the labels as 0.0 and 1.0; each must occur at least twice, for the AUC's interval."""
    column = table[label].combine_chunks().fill_null(-1)
    values = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
    found, counts = np.unique(values, return_counts=True)
    if found.tolist() != [0.0, 1.0] or counts.min() < 2:
        raise DataError(
            f"label {label} of the eval split must hold 0 and 1, each twice, and nothing else",
            remedy="evaluate on a span with both outcomes",
            expected=[0.0, 1.0],
            actual=found.tolist()[:5],
        )
    return values


def _left_out(parts: Sequence[Partition], minimum: int) -> dict[str, Any]:
    """Say how many slices were too small, by columns."""
    counts = {",".join(partition.columns): partition.left_out for partition in parts[1:]}
    return {"minimum_rows": minimum, "slices": counts}


def _facts(quality: Mapping[str, Any], speed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the overall numbers for the record."""
    names = ("n", "auc", "log_loss", "calibration_error", "accuracy")
    overall = {
        model: {name: part["slices"][OVERALL][name] for name in names}
        for model, part in quality["models"].items()
    }
    sizes = {
        model: {name: form["size_bytes"] for name, form in timed["forms"].items()}
        for model, timed in speed["models"].items()
    }
    return {
        "rows_by_split": {SPLIT: quality["rows"]},
        "overall": overall,
        "comparison": quality["comparison"],
        "size_bytes": sizes,
    }
