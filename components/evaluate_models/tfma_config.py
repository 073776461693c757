"""The tfma.EvalConfig with which stock TFMA computes those of our metrics that it defines.

Rules: labels are the examples' own, so those of several classes are numbers (TFMA calls them
sparse); a metric of a class is that of its being the most probable one (class_id with top_k 1); the
share of rows whose class is among the k most probable is TFMA's recall at top_k. Means over classes
have names of their own, because TFMA gives the plain and the weighted one the same key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.core.settings import StockMetric
from components.core.task import Task
from components.core.tfma_protos import tfma_protos
from components.evaluate_models.slices import Partition
from components.evaluate_models.target import Target
from components.evaluate_models.tfma_metrics import PLOT_BUCKETS

PREDICTIONS: Mapping[Task, str] = {
    "binary": "probability",
    "multi_class": "probabilities",
    "regression": "value",
}
CLASSES: Mapping[Task, Sequence[str]] = {
    "binary": (
        "ExampleCount",
        "MeanLabel",
        "MeanPrediction",
        "AUC",
        "AUCPrecisionRecall",
        "BinaryCrossEntropy",
        "BinaryAccuracy",
        "Calibration",
    ),
    "multi_class": (
        "ExampleCount",
        "SparseCategoricalCrossentropy",
        "SparseCategoricalAccuracy",
        "MultiClassConfusionMatrixPlot",
    ),
    "regression": (
        "ExampleCount",
        "MeanLabel",
        "MeanPrediction",
        "MeanSquaredError",
        "RootMeanSquaredError",
        "MeanAbsoluteError",
        "MeanAbsolutePercentageError",
        "Calibration",
    ),
}
AT_THRESHOLD = {"Precision": "precision", "Recall": "recall"}
OF_CLASS = {"Precision": "precision", "Recall": "recall", "F1Score": "f1"}
AVERAGED = {"auc_macro": "macro_average", "auc_weighted": "weighted_macro_average"}
TOP_K = "top_k_accuracy"
Configured = tuple[str, dict[str, Any]]


def eval_config(
    target: Target,
    partitions: Sequence[Partition],
    thresholds: Sequence[float] = (),
    top_k: Sequence[int] = (),
    stock: Sequence[StockMetric] = (),
) -> Any:
    """Return the tfma.EvalConfig of a target's metrics, by these partitions, and of `stock`."""
    config = _config(target, partitions)
    metrics = config.metrics_specs.add().metrics
    for class_name, options in _configured(target, once(thresholds), once(top_k)):
        given = json.dumps(options) if options else ""
        metrics.add(class_name=class_name, config=given)
    add_stock(config, stock)
    if target.task == "multi_class":
        _averaged(config, target.width)
    return config


def once(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return each of the values once, in their order."""
    return tuple(dict.fromkeys(values))


def _config(target: Target, partitions: Sequence[Partition]) -> Any:
    config = tfma_protos().config.EvalConfig()
    key = PREDICTIONS[target.task]
    config.model_specs.add(label_key=target.label, prediction_key=key)
    for partition in partitions:
        config.slicing_specs.add(feature_keys=partition.columns)
    return config


def _configured(
    target: Target, thresholds: Sequence[float], top_k: Sequence[int]
) -> Iterator[Configured]:
    """Yield each metric's class and options."""
    yield from ((name, {}) for name in CLASSES[target.task])
    if target.task == "binary":
        yield "CalibrationPlot", {"num_buckets": PLOT_BUCKETS}
        for threshold in thresholds:
            for class_name, ours in AT_THRESHOLD.items():
                yield class_name, {"name": f"{ours}@{threshold}", "thresholds": [threshold]}
    if target.task == "multi_class":
        for number in range(target.width):
            for class_name, ours in OF_CLASS.items():
                yield class_name, {"name": ours, "class_id": number, "top_k": 1}
        for k in top_k:
            if k < target.width:
                yield "Recall", {"name": TOP_K, "top_k": k}


def _averaged(config: Any, width: int) -> None:
    """Add the means over all classes, each of which TFMA weighs by 1 only where it is told so."""
    for name, average in AVERAGED.items():
        spec = config.metrics_specs.add()
        spec.metrics.add(class_name="AUC", config=json.dumps({"name": name}))
        setattr(spec.aggregate, average, True)
        for number in range(width):
            spec.aggregate.class_weights[number] = 1.0


def add_stock(config: Any, metrics: Sequence[StockMetric]) -> None:
    """Add the metrics that stock TFMA is asked for."""
    spec = config.metrics_specs[0] if config.metrics_specs else config.metrics_specs.add()
    for metric in metrics:
        given = json.dumps(metric.model_dump(mode="json")["config"]) if metric.config else ""
        spec.metrics.add(class_name=metric.class_name, config=given)


def stock_config(
    target: Target, partitions: Sequence[Partition], metrics: Sequence[StockMetric]
) -> Any:
    """Return the tfma.EvalConfig of these metrics alone, by these partitions."""
    config = _config(target, partitions)
    add_stock(config, metrics)
    return config
