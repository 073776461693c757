"""The gates of a policy: each names what was measured, and the threshold that it must meet.

Rule: a gate refuses by itself what no evaluation could answer; whether this run's evaluation can is
the policy's to say (components/core/policy.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from components.core.settings import (
    Count,
    FormName,
    Name,
    Number,
    Section,
    Share,
)
from components.core.slice_keys import OVERALL, asks_for
from components.core.stock_metrics import stock_only

Comparison = Literal[">=", "<="]
# What a metric must be told beside: one of these.
TOLD: Mapping[str, Sequence[str]] = {
    "precision": ("at", "of_class"),
    "recall": ("at", "of_class"),
    "f1": ("of_class",),
    "top_k_accuracy": ("k",),
}
SUCH_AS = {"at": "at, such as at: 0.5", "of_class": "of_class, a class's name", "k": "k"}


def _no_stock_metric(value: Any) -> Any:
    """Refuse what stock TFMA alone computes, and say why."""
    if isinstance(value, str) and stock_only(value, get_args(Metric)):
        raise ValueError(
            f"{value} has no interval, because stock TFMA computes it, and gates compare a bound"
        )
    return value


Metric = Literal[
    "auc", "pr_auc", "log_loss", "brier", "accuracy", "calibration", "calibration_error",
    "precision", "recall",
    "top_k_accuracy", "auc_macro", "auc_weighted", "f1",
    "mean_squared_error", "root_mean_squared_error", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_error", "r2",
]  # fmt: skip
Compared = Literal[
    "auc", "log_loss", "accuracy", "auc_macro", "mean_squared_error", "mean_absolute_error"
]


class MetricGate(Section):
    """A gate on one metric of one model: the interval's worse bound against a threshold."""

    metric: Annotated[Metric, BeforeValidator(_no_stock_metric)]
    operator: Comparison
    threshold: Number
    at: Share | None = Field(
        default=None,
        description="precision, recall: the probability above which a model says yes; one that "
        "the evaluation computes",
    )
    of_class: str | None = Field(
        default=None, description="precision, recall, f1 of several classes: which of them"
    )
    k: Count | None = Field(
        default=None, description="top_k_accuracy: a k that the evaluation computes"
    )
    slice: str = Field(
        default=OVERALL,
        description="a slice's key, such as origin=JFK; origin=* is every slice of that column; "
        "in a value a comma, a backslash and a * have a backslash before them",
    )

    @model_validator(mode="after")
    def _threshold_where_needed(self) -> MetricGate:
        needed = TOLD.get(self.metric, ())
        told = [name for name in SUCH_AS if getattr(self, name) is not None]
        for name in told:
            if name not in needed:
                raise ValueError(f"{self.metric} has no use for {name}")
        if needed and len(told) != 1:
            one_of = " or ".join(SUCH_AS[name] for name in needed)
            raise ValueError(f"{self.metric} needs {one_of}{', not both' if told else ''}")
        return self

    def matches(self, key: str) -> bool:
        """Say whether a slice is one that this gate judges."""
        return asks_for(self.slice, key)


class ChampionGate(Section):
    """A gate on the paired difference to the champion; without a champion there is none."""

    metric: Compared | None = Field(
        default=None,
        description="by default the AUC; of several classes the log loss, of a number the mean "
        "squared error",
    )
    margin: Number = Field(
        default=0.0,
        description="how much better than the champion a candidate must be, by the worse bound of "
        "the interval of the difference: 0 demands a significantly better candidate, and one that "
        "equals the champion is none; a negative margin says how much worse is still as good",
    )


class FairnessGate(Section):
    """A gate on how far apart the groups of a sensitive column are, by the worse bound."""

    column: Name = Field(description="a column that the evaluation compares the groups of")
    metric: Literal["selection_rate", "true_positive_rate", "false_positive_rate", "calibration"]
    compare: Literal["difference", "ratio"] = Field(
        description="difference: largest minus smallest; ratio: smallest by largest"
    )
    operator: Comparison
    threshold: Number


class FormGate(Section):
    """A gate on what was measured of a form; it judges the models that have such a form."""

    form: FormName = "onnx"
    metric: Literal["p50_ms", "p95_ms", "p99_ms", "rows_per_second", "size_bytes", "load_ms"] = (
        Field(description="p50_ms, p95_ms and p99_ms are of one row, rows_per_second of a batch")
    )
    operator: Comparison
    threshold: Number
