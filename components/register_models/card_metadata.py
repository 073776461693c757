"""A model card's front matter: YAML in the terms of Hugging Face's hub, for search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.core.measures import words
from components.core.slice_keys import OVERALL
from components.core.task import Task
from components.register_models.described import Described

ERROR_TYPES = {
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
    "root_mean_squared_error": "rmse",
    "r2": "r_squared",
}
# What Hugging Face's own metrics are called.
METRIC_TYPES = {"auc": "roc_auc", "accuracy": "accuracy"}
# Hugging Face's names of what a model is for.
PIPELINES: Mapping[Task, str] = {
    "binary": "tabular-classification",
    "multi_class": "tabular-classification",
    "regression": "tabular-regression",
}


def front_matter(described: Described) -> list[str]:
    """Return the lines, the fences with them."""
    import yaml

    overall = described.slices[OVERALL]
    metrics = [
        {
            "type": (METRIC_TYPES | ERROR_TYPES).get(name, name),
            "name": words(name),
            "value": metric["value"],
        }
        for name, metric in estimates(overall)
    ]
    use_case = str(described.run.get("name") or described.model_name)
    pipeline = PIPELINES[described.contract.task]
    result = {
        "task": {"type": pipeline},
        "dataset": {"name": use_case, "type": use_case, "split": "eval"},
        "metrics": metrics,
    }
    head = {
        "library_name": "mlflow",
        "pipeline_tag": pipeline,
        "tags": [described.framework, described.contract.family, "onnx", "tandem"],
        "metrics": [metric["type"] for metric in metrics],
        "model-index": [{"name": described.model_name, "results": [result]}],
    }
    return ["---", yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip(), "---"]


def estimates(metrics: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the metrics that have a value, by name, in the alphabet's order."""
    return [
        (name, metric)
        for name, metric in sorted(metrics.items())
        if isinstance(metric, Mapping) and isinstance(metric.get("value"), int | float)
    ]
