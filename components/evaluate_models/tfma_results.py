"""TFMA result files from our metrics: what `tfma.load_eval_result` and its viewers open.

Rules: the protos, keys and file names are TFMA's, filled as its own converters fill them (a test
compares the bytes), without TFMA and Beam; files hold no path and no time, so they repeat byte for
byte. Names that TFMA defines mean what TFMA means
(auc, auc_precision_recall, auc_macro and auc_weighted are made of its interpolated areas); what it
does not define, or defines less exactly, has a name of its own: those that end in _exact,
brier_score, expected_calibration_error, mean_error, r2. Precision and recall of a class of two are
named with their threshold (precision@0.5), since TFMA's config holds a metric for each. Intervals
stand where evaluation.json has one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.core.artifacts import write_text
from components.core.measures import MEASURES
from components.core.task import Task
from components.core.tfma_protos import tfma_protos
from components.core.tfrecord_frame import framed
from components.evaluate_models.evaluation import Rows as Evaluated
from components.evaluate_models.evaluation import Slices
from components.evaluate_models.intervals import Floats
from components.evaluate_models.slices import Partition
from components.evaluate_models.tfma_config import AT_THRESHOLD, OF_CLASS, TOP_K
from components.evaluate_models.tfma_metrics import areas, histogram, plot_edges

SliceKey = tuple[tuple[str, Any], ...]
Estimate = Mapping[str, float]
# What TFMA writes into each key of rows that have no weights.
UNWEIGHTED: Mapping[str, Any] = {"example_weighted": {"value": False}}
NOTHING: Mapping[Any, Sequence[Any]] = {}
# TFMA's name, or ours: the metric's name in evaluation.json.
MEASURED: Mapping[Task, Mapping[str, str]] = {
    "binary": {
        "binary_crossentropy": "log_loss",
        "binary_accuracy": "accuracy",
        "calibration": "calibration",
        "auc_exact": "auc",
        "average_precision_exact": "pr_auc",
        "brier_score": "brier",
        "expected_calibration_error": "calibration_error",
    },
    "multi_class": {
        "sparse_categorical_crossentropy": "log_loss",
        "sparse_categorical_accuracy": "accuracy",
        "auc_macro_exact": "auc_macro",
        "auc_weighted_exact": "auc_weighted",
        "brier_score": "brier",
        "expected_calibration_error": "calibration_error",
    },
    "regression": {name: name for name in MEASURES["regression"].metrics},
}
MEANS = {"mean_label": "mean_label", "mean_prediction": "mean_prediction"}
COUNTED: Mapping[Task, Mapping[str, str]] = {
    "binary": {"example_count": "n", **MEANS},
    "multi_class": {"example_count": "n"},
    "regression": {"example_count": "n", **MEANS},
}


def write_results(
    folder: Path,
    config: Any,
    partitions: Sequence[Partition],
    rows: Evaluated,
    model: str,
    slices: Slices,
    stock: Mapping[Any, Sequence[Any]] = NOTHING,
) -> None:
    """Write one model's eval_config.json, metrics, plots and (no) attributions.

    `stock` holds what stock TFMA computed beside, as it writes it, by its key of a slice.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_config(folder / "eval_config.json", config)
    metrics, plots = [], []
    for partition in partitions:
        parts = zip(partition.keys(), partition.tfma_keys(), partition.rows(), strict=True)
        for key, at, numbers in parts:
            labels, scores = rows.labels[numbers], rows.scores[model][numbers]
            of_slice = tfma_protos().metrics.MetricsForSlice(slice_key=_slice_key(at))
            of_slice.metric_keys_and_values.extend(_METRICS[rows.task](labels, scores, slices[key]))
            of_slice.metric_keys_and_values.extend(stock.get(at, ()))
            metrics.append(of_slice)
            if plot := _plot(rows.task, labels, scores, slices[key]):
                plots.append(_plots_of(at, plot))
    for name, protos in (("metrics", metrics), ("plots", plots), ("attributions", [])):
        _write_records(folder / f"{name}-00000-of-00001.tfrecord", protos)


def _slice_key(at: SliceKey) -> Any:
    """Return a slice's key; texts are bytes, whole numbers and others keep their kind."""
    key = tfma_protos().metrics.SliceKey()
    for column, value in at:
        one = key.single_slice_keys.add(column=column)
        if isinstance(value, str):
            one.bytes_value = value.encode()
        elif isinstance(value, int):
            one.int64_value = value
        else:
            one.float_value = value
    return key


def _write_config(path: Path, config: Any) -> None:
    from google.protobuf import json_format

    run = tfma_protos().config.EvalRun(
        eval_config=config,
        version=tfma_protos().version,
        data_location="Split-eval",
        file_format="parquet",
        model_locations={"": "model.onnx"},
    )
    write_text(path, json_format.MessageToJson(run, sort_keys=True) + "\n")


def _metric(name: str, value: float | Estimate | None, **key: Any) -> Any:
    """Return a key and its value, with the interval of one that has it.

    What is not defined is NaN, as TFMA has it.
    """
    metric = tfma_protos().metrics.MetricsForSlice.MetricKeyAndValue(
        key={"name": name, **UNWEIGHTED, **key}
    )
    if not isinstance(value, Mapping):
        metric.value.double_value.value = math.nan if value is None else value
        return metric
    metric.value.double_value.value = value["value"]
    bounds = metric.confidence_interval
    bounds.lower_bound.double_value.value = value["lower"]
    bounds.upper_bound.double_value.value = value["upper"]
    return metric


def _named(task: Task, measured: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the metrics that have a key of their own in evaluation.json."""
    for name, ours in COUNTED[task].items():
        yield _metric(name, float(measured[ours]))
    for name, ours in MEASURED[task].items():
        yield _metric(name, measured[ours])


def _of_two(labels: Floats, scores: Floats, measured: Mapping[str, Any]) -> Iterator[Any]:
    """Yield one slice's metrics of a class of two."""
    for name, area in zip(("auc", "auc_precision_recall"), areas(labels, scores), strict=True):
        yield _metric(name, area)
    for at in measured["thresholds"]:
        for ours in AT_THRESHOLD.values():
            yield _metric(f"{ours}@{at['threshold']}", at[ours])
    yield from _named("binary", measured)


def _of_several(labels: Floats, scores: Floats, measured: Mapping[str, Any]) -> Iterator[Any]:
    """Yield one slice's metrics of several classes; a class without rows has TFMA's area, 0."""
    yield from _named("multi_class", measured)
    for number, of_class in enumerate(measured["classes"].values()):
        key = {"class_id": {"value": number}, "top_k": {"value": 1}}
        for name in OF_CLASS.values():
            yield _metric(name, of_class[name], sub_key=key)
    for at in measured["top_k"]:
        yield _metric(TOP_K, at["accuracy"], sub_key={"top_k": {"value": at["k"]}})
    numbers = range(scores.shape[1])
    of_classes = [areas((labels == n).astype(float), scores[:, n])[0] for n in numbers]
    shares = [float((labels == n).mean()) for n in numbers]
    for name, weights in (("auc_macro", None), ("auc_weighted", shares)):
        mean = float(np.average(of_classes, weights=weights))
        yield _metric(name, mean, aggregation_type={"macro_average": True})


def _of_numbers(labels: Floats, values: Floats, measured: Mapping[str, Any]) -> Iterator[Any]:
    """Yield one slice's metrics of a number."""
    yield from _named("regression", measured)


_METRICS = {"binary": _of_two, "multi_class": _of_several, "regression": _of_numbers}


def _plots_of(at: SliceKey, plot: Any) -> Any:
    """Return a slice's plots, of which there is one."""
    plots = tfma_protos().metrics.PlotsForSlice(slice_key=_slice_key(at))
    plots.plot_keys_and_values.append(plot)
    return plots


def _plot(task: Task, labels: Floats, scores: Floats, measured: Mapping[str, Any]) -> Any | None:
    """Return the plot of one slice; of a number there is none."""
    if task == "binary":
        return _calibration_plot(labels, scores)
    return _confusion_plot(measured["confusion"]) if task == "multi_class" else None


def _confusion_plot(counts: Sequence[Sequence[int]]) -> Any:
    """Return the matrix of TFMA's MultiClassConfusionMatrixPlot, which leaves out what is 0."""
    key = {"name": "multi_class_confusion_matrix_plot", **UNWEIGHTED}
    plot = tfma_protos().metrics.PlotsForSlice.PlotKeyAndValue(key=key)
    matrix = plot.value.multi_class_confusion_matrix_at_thresholds.matrices.add(threshold=0.0)
    for actual, across in enumerate(counts):
        for said, count in enumerate(across):
            if count:
                matrix.entries.add(
                    actual_class_id=actual,
                    predicted_class_id=said,
                    num_weighted_examples=count,
                )
    return plot


def _calibration_plot(labels: Floats, scores: Floats) -> Any:
    """Return the buckets of TFMA's CalibrationPlot, whose key has no name in its files."""
    plot = tfma_protos().metrics.PlotsForSlice.PlotKeyAndValue(key=UNWEIGHTED)
    sums = histogram(labels, scores, plot_edges())
    edges = [*sums.edges.tolist(), math.inf]
    for i in range(len(sums.edges)):
        plot.value.calibration_histogram_buckets.buckets.add(
            lower_threshold_inclusive=edges[i],
            upper_threshold_exclusive=edges[i + 1],
            num_weighted_examples={"value": sums.examples[i]},
            total_weighted_label={"value": sums.labels[i]},
            total_weighted_refined_prediction={"value": sums.predictions[i]},
        )
    return plot


def _write_records(path: Path, protos: Iterable[Any]) -> None:
    records = (proto.SerializeToString(deterministic=True) for proto in protos)
    path.write_bytes(b"".join(map(framed, records)))
