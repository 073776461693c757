"""TFMA result files from our metrics: what `tfma.load_eval_result` and its viewers open.

Rules: the protos, keys and file names are TFMA's, made by its own converters, without Beam; files
hold no path and no time, so they repeat byte for byte. Names that TFMA defines mean what TFMA means
(auc and auc_precision_recall are its interpolated ones); what it does not define, or defines less
exactly, has a name of its own: auc_exact, average_precision_exact, brier_score,
expected_calibration_error. Precision and recall are named with their threshold (precision@0.5),
since TFMA's config holds a metric for each. Intervals stand where evaluation.json has one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.core.artifacts import write_text
from components.evaluate_models.evaluation import Slices
from components.evaluate_models.intervals import Floats
from components.evaluate_models.slices import Partition
from components.evaluate_models.tfma_metrics import PLOT_BUCKETS, areas, histogram, plot_edges

PREDICTION = "probability"
CLASSES = (
    "ExampleCount",
    "MeanLabel",
    "MeanPrediction",
    "AUC",
    "AUCPrecisionRecall",
    "BinaryCrossEntropy",
    "BinaryAccuracy",
    "Calibration",
)
# TFMA's name, or ours: the metric's name in evaluation.json.
MEASURED = {
    "binary_crossentropy": "log_loss",
    "binary_accuracy": "accuracy",
    "calibration": "calibration",
    "auc_exact": "auc",
    "average_precision_exact": "pr_auc",
    "brier_score": "brier",
    "expected_calibration_error": "calibration_error",
}
AT_THRESHOLD = {"Precision": "precision", "Recall": "recall"}
COUNTED = {"example_count": "n", "mean_label": "mean_label", "mean_prediction": "mean_prediction"}


def eval_config(
    label: str, partitions: Sequence[Partition], thresholds: Sequence[float] = ()
) -> Any:
    """Return the tfma.EvalConfig with which stock TFMA computes the metrics that it defines."""
    from google.protobuf import text_format
    from tensorflow_model_analysis.proto import config_pb2

    metrics = [f'metrics {{ class_name: "{name}" }}' for name in CLASSES]
    plot = f'class_name: "CalibrationPlot" config: "\\"num_buckets\\": {PLOT_BUCKETS}"'
    config = text_format.Parse(
        f'model_specs {{ label_key: "{label}" prediction_key: "{PREDICTION}" }} '
        f"metrics_specs {{ {' '.join(metrics)} metrics {{ {plot} }} }}",
        config_pb2.EvalConfig(),
    )
    for threshold in thresholds:
        for class_name, ours in AT_THRESHOLD.items():
            options = {"name": f"{ours}@{threshold}", "thresholds": [threshold]}
            config.metrics_specs[0].metrics.add(class_name=class_name, config=json.dumps(options))
    for partition in partitions:
        config.slicing_specs.add(feature_keys=partition.columns)
    return config


def write_results(
    folder: Path,
    label: str,
    partitions: Sequence[Partition],
    labels: Floats,
    scores: Floats,
    slices: Slices,
    thresholds: Sequence[float] = (),
) -> None:
    """Write one model's eval_config.json, metrics, plots and (no) attributions."""
    from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer

    folder.mkdir(parents=True, exist_ok=True)
    _write_config(folder / "eval_config.json", eval_config(label, partitions, thresholds))
    metrics, plots = [], []
    for partition in partitions:
        parts = zip(partition.keys(), partition.values, partition.rows(), strict=True)
        for key, values, rows in parts:
            at = tuple(sorted(zip(partition.columns, values, strict=True)))
            found = _metrics(labels[rows], scores[rows], slices[key])
            metrics.append(writer.convert_slice_metrics_to_proto((at, found), None))
            plot = _plot(labels[rows], scores[rows])
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


def _metrics(labels: Floats, scores: Floats, measured: Mapping[str, Any]) -> dict[Any, Any]:
    """Return one slice's {MetricKey: value}, with what is not defined as NaN, as TFMA has it."""
    from tensorflow_model_analysis.metrics import metric_types

    auc, precision_recall = areas(labels, scores)
    found: dict[str, Any] = {"auc": auc, "auc_precision_recall": precision_recall}
    found |= {name: float(measured[ours]) for name, ours in COUNTED.items()}
    found |= {name: _bounded(measured[ours]) for name, ours in MEASURED.items()}
    for at in measured["thresholds"]:
        for ours in AT_THRESHOLD.values():
            found[f"{ours}@{at['threshold']}"] = _bounded(at[ours])
    return {metric_types.MetricKey(name=name): value for name, value in found.items()}


def _bounded(measured: Mapping[str, float] | None) -> Any:
    from tensorflow_model_analysis.proto import metrics_for_slice_pb2

    if measured is None:
        return math.nan
    parts = {
        field: {"value": measured[name]}
        for field, name in (("value", "value"), ("lower_bound", "lower"), ("upper_bound", "upper"))
    }
    return metrics_for_slice_pb2.BoundedValue(**parts)


def _plot(labels: Floats, scores: Floats) -> dict[Any, Any]:
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
