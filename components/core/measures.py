"""The metrics of quality by task: what gates may be on, what decides, what is shown.

Rules: a metric's name means one thing in every task that has it; `compared` are those whose paired
difference between two models is measured, and the first of them is preferred where a policy says
nothing; metrics of a class (precision, recall, f1) and of the k most probable classes
(top_k_accuracy) need to be told which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.core.task import Task

MORE_IS_BETTER = frozenset(
    {"auc", "pr_auc", "accuracy", "precision", "recall", "auc_macro", "auc_weighted",
     "top_k_accuracy", "f1", "r2"}
)  # fmt: skip
# Areas, of which chance reaches a half.
AREAS = frozenset({"auc", "auc_macro", "auc_weighted"})
WORDS = {"auc": "AUC", "pr_auc": "PR-AUC", "auc_macro": "macro AUC", "auc_weighted": "weighted AUC",
         "brier": "Brier score", "r2": "R2"}  # fmt: skip


@dataclass(frozen=True)
class Measures:
    """The names of a task's metrics, as evaluation.json has them."""

    metrics: tuple[str, ...]
    compared: tuple[str, ...]
    shown: tuple[str, ...]

    @property
    def primary(self) -> str:
        """The metric that is preferred where nothing is said."""
        return self.compared[0]


MEASURES: Mapping[Task, Measures] = {
    "binary": Measures(
        metrics=("auc", "pr_auc", "log_loss", "brier", "accuracy", "calibration",
                 "calibration_error", "precision", "recall"),
        compared=("auc", "log_loss"),
        shown=("auc", "log_loss", "calibration_error", "accuracy"),
    ),
    "multi_class": Measures(
        metrics=("accuracy", "top_k_accuracy", "log_loss", "brier", "auc_macro", "auc_weighted",
                 "calibration_error", "precision", "recall", "f1"),
        compared=("log_loss", "accuracy", "auc_macro"),
        shown=("log_loss", "accuracy", "auc_macro", "calibration_error"),
    ),
    "regression": Measures(
        metrics=("mean_squared_error", "root_mean_squared_error", "mean_absolute_error",
                 "mean_absolute_percentage_error", "mean_error", "r2", "calibration"),
        compared=("mean_squared_error", "mean_absolute_error"),
        shown=("mean_squared_error", "mean_absolute_error", "root_mean_squared_error", "r2"),
    ),
}  # fmt: skip


def task_of(evaluation: Mapping[str, Any]) -> Task:
    """Return the task of an evaluation; those that say none are binary."""
    task: Task = evaluation.get("task", "binary")
    return task


def measures_of(evaluation: Mapping[str, Any]) -> Measures:
    """Return the metrics of an evaluation's task."""
    return MEASURES[task_of(evaluation)]


def words(metric: str) -> str:
    """Return a metric's name as people write it."""
    return WORDS.get(metric, metric.replace("_", " "))
