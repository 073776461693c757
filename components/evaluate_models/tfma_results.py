"""TFMA result files from our metrics: what `tfma.load_eval_result` and its viewers open.

Rules: the protos, keys and file names are TFMA's, made by its own converters, without Beam; files
hold no path and no time, so they repeat byte for byte. Names that TFMA defines mean what TFMA means
(auc, auc_precision_recall, auc_macro and auc_weighted are made of its interpolated areas); what it
does not define, or defines less exactly, has a name of its own: those that end in _exact,
brier_score, expected_calibration_error, mean_error, r2. Precision and recall of a class of two are
named with their threshold (precision@0.5), since TFMA's config holds a metric for each. Intervals
stand where evaluation.json has one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.core.artifacts import write_text
from components.core.measures import MEASURES
from components.core.task import Task
from components.evaluate_models.evaluation import Rows as Evaluated
from components.evaluate_models.evaluation import Slices
from components.evaluate_models.intervals import Floats
from components.evaluate_models.slices import Partition
from components.evaluate_models.tfma_config import AT_THRESHOLD, OF_CLASS, TOP_K
from components.evaluate_models.tfma_metrics import areas, histogram, plot_edges

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
    from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer

    folder.mkdir(parents=True, exist_ok=True)
    _write_config(folder / "eval_config.json", config)
    metrics, plots = [], []
    for partition in partitions:
        parts = zip(partition.keys(), partition.tfma_keys(), partition.rows(), strict=True)
        for key, at, numbers in parts:
            labels, scores = rows.labels[numbers], rows.scores[model][numbers]
            found = _METRICS[rows.task](labels, scores, slices[key])
            metrics.append(writer.convert_slice_metrics_to_proto((at, found), None))
            metrics[-1].metric_keys_and_values.extend(stock.get(at, ()))
            if plot := _plot(rows.task, labels, scores, slices[key]):
                plots.append(writer.convert_slice_plots_to_proto((at, plot), None))
    for name, protos in (("metrics", metrics), ("plots", plots), ("attributions", [])):
        _write_records(folder / f"{name}-00000-of-00001.tfrecord", protos)


def _write_config(path: Path, config: Any) -> None:
    from google.protobuf import json_format
    from tensorflow_model_analysis import version
    from tensorflow_model_analysis.proto import config_pb2

    run = config_pb2.EvalRun(
        eval_config=config,
        version=version.VERSION,
        data_location="Split-eval",
        file_format="parquet",
        model_locations={"": "model.onnx"},
    )
    write_text(path, json_format.MessageToJson(run, sort_keys=True) + "\n")


def _named(task: Task, measured: Mapping[str, Any]) -> dict[Any, Any]:
    """Return {MetricKey: value} of metrics that have a key of their own in evaluation.json.

    What is not defined is NaN, as TFMA has it.
    """
    from tensorflow_model_analysis.metrics import metric_types

    found = {name: float(measured[ours]) for name, ours in COUNTED[task].items()}
    found |= {name: _bounded(measured[ours]) for name, ours in MEASURED[task].items()}
    return {metric_types.MetricKey(name=name): value for name, value in found.items()}


def _of_two(labels: Floats, scores: Floats, measured: Mapping[str, Any]) -> dict[Any, Any]:
    """Return one slice's metrics of a class of two."""
    from tensorflow_model_analysis.metrics import metric_types

    auc, precision_recall = areas(labels, scores)
    found: dict[str, Any] = {"auc": auc, "auc_precision_recall": precision_recall}
    for at in measured["thresholds"]:
        for ours in AT_THRESHOLD.values():
            found[f"{ours}@{at['threshold']}"] = _bounded(at[ours])
    named = {metric_types.MetricKey(name=name): value for name, value in found.items()}
    return named | _named("binary", measured)


def _of_several(labels: Floats, scores: Floats, measured: Mapping[str, Any]) -> dict[Any, Any]:
    """Return one slice's metrics of several classes; a class without rows has TFMA's area, 0."""
    from tensorflow_model_analysis.metrics.metric_types import AggregationType, MetricKey, SubKey

    found = _named("multi_class", measured)
    for number, of_class in enumerate(measured["classes"].values()):
        key = SubKey(class_id=number, top_k=1)
        found |= {MetricKey(n, sub_key=key): _bounded(of_class[n]) for n in OF_CLASS.values()}
    for at in measured["top_k"]:
        found[MetricKey(TOP_K, sub_key=SubKey(top_k=at["k"]))] = _bounded(at["accuracy"])
    numbers = range(scores.shape[1])
    of_classes = [areas((labels == n).astype(float), scores[:, n])[0] for n in numbers]
    shares = [float((labels == n).mean()) for n in numbers]
    for name, weights in (("auc_macro", None), ("auc_weighted", shares)):
        averaged = MetricKey(name, aggregation_type=AggregationType(macro_average=True))
        found[averaged] = float(np.average(of_classes, weights=weights))
    return found


def _of_numbers(labels: Floats, values: Floats, measured: Mapping[str, Any]) -> dict[Any, Any]:
    """Return one slice's metrics of a number."""
    return _named("regression", measured)


_METRICS = {"binary": _of_two, "multi_class": _of_several, "regression": _of_numbers}


def _bounded(measured: Mapping[str, float] | None) -> Any:
    from tensorflow_model_analysis.proto import metrics_for_slice_pb2

    if measured is None:
        return math.nan
    parts = {
        field: {"value": measured[name]}
        for field, name in (("value", "value"), ("lower_bound", "lower"), ("upper_bound", "upper"))
    }
    return metrics_for_slice_pb2.BoundedValue(**parts)


def _plot(
    task: Task, labels: Floats, scores: Floats, measured: Mapping[str, Any]
) -> dict[Any, Any]:
    """Return the plots of one slice by PlotKey; of a number there are none."""
    if task == "binary":
        return _calibration_plot(labels, scores)
    return _confusion_plot(measured["confusion"]) if task == "multi_class" else {}


def _confusion_plot(counts: Sequence[Sequence[int]]) -> dict[Any, Any]:
    """Return the matrix of TFMA's MultiClassConfusionMatrixPlot, which leaves out what is 0."""
    from tensorflow_model_analysis.metrics import metric_types
    from tensorflow_model_analysis.proto import metrics_for_slice_pb2

    matrices = metrics_for_slice_pb2.MultiClassConfusionMatrixAtThresholds()
    matrix = matrices.matrices.add(threshold=0.0)
    for actual, across in enumerate(counts):
        for said, count in enumerate(across):
            if count:
                matrix.entries.add(
                    actual_class_id=actual,
                    predicted_class_id=said,
                    num_weighted_examples=count,
                )
    return {metric_types.PlotKey(name="multi_class_confusion_matrix_plot"): matrices}


def _calibration_plot(labels: Floats, scores: Floats) -> dict[Any, Any]:
    """Return the calibration plot with the buckets of TFMA's CalibrationPlot."""
    from tensorflow_model_analysis.metrics import metric_types
    from tensorflow_model_analysis.proto import metrics_for_slice_pb2

    sums = histogram(labels, scores, plot_edges())
    edges = [*sums.edges.tolist(), math.inf]
    buckets = [
        metrics_for_slice_pb2.CalibrationHistogramBuckets.Bucket(
            lower_threshold_inclusive=edges[i],
            upper_threshold_exclusive=edges[i + 1],
            num_weighted_examples={"value": sums.examples[i]},
            total_weighted_label={"value": sums.labels[i]},
            total_weighted_refined_prediction={"value": sums.predictions[i]},
        )
        for i in range(len(sums.edges))
    ]
    plot = metrics_for_slice_pb2.CalibrationHistogramBuckets(buckets=buckets)
    return {metric_types.PlotKey(name="calibration_plot"): plot}


def _write_records(path: Path, protos: Iterable[Any]) -> None:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as stream:
        for proto in protos:
            stream.write(proto.SerializeToString(deterministic=True))
