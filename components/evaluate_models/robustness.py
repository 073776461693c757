"""What one model loses where an input column is useless, missing, new to it or shifted.

| key       | what                                                                       |
|-----------|----------------------------------------------------------------------------|
| permuted  | AUC lost when the column's values are shuffled over the rows               |
| missing   | AUC when every value of the column is missing                              |
| unseen    | AUC when every text of the column is one that no row has; None of numbers  |
| shifted   | AUC when each text is the next of those that occur, in their order, and    |
|           | each number is larger by the column's standard deviation                   |

Of several classes it is the log loss, of a number the mean squared error, and `permuted` is what
shuffling adds to it.

Rules: a column is an input of the served form, before any preprocessing; one changes and the others
stay; shuffling is seeded, and the same for all models. At most ROWS rows are looked at, drawn by a
seed, because each column costs four passes; the metric under its own name is of these rows and the
untouched columns. A model that gives no number for some changed column, or whose runtime refuses it
(a text that it has no entry for), has None there. A column that repeats another loses nothing by
permutation: that does not make both useless.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.core.task import Task
from components.evaluate_models.intervals import Floats, Measured, mean, paired
from components.evaluate_models.multi_class import row_log_loss
from components.evaluate_models.ranking import Flags, auc, auc_difference
from components.evaluate_models.regression import in_square, squared_errors
from components.evaluate_models.slices import Rows

ROWS = 5_000
SEED = 20130102
UNSEEN = "unseen"
Column = np.ndarray[Any, Any]
Inputs = Mapping[str, Column]
Scores = Callable[[Inputs], Column]


def chosen_rows(rows: int) -> Rows:
    """Return the numbers of at most ROWS rows, in order."""
    return np.sort(np.random.default_rng(SEED).permutation(rows)[:ROWS])


@dataclass(frozen=True)
class By:
    """The metric that a loss is measured by: of predictions, and lost from the first to others."""

    metric: str
    of: Callable[[Floats], Measured | None]
    lost: Callable[[Floats, Floats], Measured | None]


def by_auc(positive: Flags, z: float) -> By:
    """Measure by the AUC of a class of two."""
    return By(
        "auc",
        lambda scores: auc(positive, scores, z),
        lambda first, other: auc_difference(positive, first, other, z),
    )


def by_loss(metric: str, row_loss: Callable[[Floats], Floats], z: float) -> By:
    """Measure by the mean of what each row loses, of which less is better."""
    return By(
        metric,
        lambda scores: mean(row_loss(scores), z, 0.0),
        lambda first, other: paired(row_loss(other), row_loss(first), z),
    )


def by_task(task: Task, labels: Floats, z: float) -> By:
    """Return what a task's robustness is measured by; labels are [rows]."""
    if task == "binary":
        return by_auc(labels == 1, z)
    if task == "regression":
        by = by_loss("mean_squared_error", lambda values: squared_errors(labels, values), z)
        return By(
            by.metric,
            lambda values: in_square(by.of(values), labels),
            lambda first, other: in_square(by.lost(first, other), labels),
        )
    numbers = labels.astype(np.intp)
    return by_loss("log_loss", lambda scores: row_log_loss(numbers, scores), z)


def robustness(score: Scores, inputs: Inputs, by: By) -> dict[str, Any]:
    """Return the model's robustness on these rows, whose raw inputs are [rows] each."""
    base = np.asarray(score(inputs), dtype=np.float64)
    found = {name: _column(score, inputs, name, base, by) for name in inputs}
    return {"rows": len(base), by.metric: _value(by, base), "columns": found}


def _column(score: Scores, inputs: Inputs, name: str, base: Floats, by: By) -> dict[str, Any]:
    def with_values(values: Column) -> Floats | None:
        return _scored(score, {**inputs, name: values})

    column = inputs[name]
    order = np.random.default_rng(SEED).permutation(len(column))
    shuffled = with_values(column[order])
    lost = by.lost(base, shuffled) if shuffled is not None else None
    text = column.dtype == object
    new = np.full(len(column), unseen(column), dtype=object) if text else None
    return {
        "permuted": lost.to_dict() if lost else None,
        "missing": _value(by, with_values(_missing(column))),
        "unseen": _value(by, with_values(new)) if new is not None else None,
        "shifted": _value(by, with_values(shifted(column))),
    }


def _scored(score: Scores, inputs: Inputs) -> Floats | None:
    """Return the scores; None where one is no number, or ONNX Runtime refuses the inputs."""
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    try:
        found = np.asarray(score(inputs), dtype=np.float64)
    except (errors.Fail, errors.InvalidArgument, errors.RuntimeException):
        return None
    return found if np.isfinite(found).all() else None


def _value(by: By, scores: Floats | None) -> dict[str, Any] | None:
    """Return the metric; None where it is not defined, or there are no scores."""
    if scores is None:
        return None
    found = by.of(scores)
    return found.to_dict() if found else None


def _missing(column: Column) -> Column:
    """Return a column of missing values, as raw inputs have them."""
    return np.full_like(column, "" if column.dtype == object else np.nan)


def shifted(column: Column) -> Column:
    """Return each text exchanged for the next that occurs, each number larger by a deviation.

    What is missing stays so. A column of one text, or of one number, stays as it is.
    """
    if column.dtype != object:
        known = column[np.isfinite(column)]
        deviation = known.std(dtype=np.float64) if len(known) else 0.0
        return (column + deviation).astype(column.dtype)
    texts = sorted({*column.tolist()} - {""})
    following = dict(zip(texts, [*texts[1:], *texts[:1]], strict=True)) | {"": ""}
    return np.array([following[text] for text in column.tolist()], dtype=object)


def unseen(column: Column) -> str:
    """Return a text that no row of the column has."""
    known, text = set(column.tolist()), UNSEEN
    while text in known:
        text += "_"
    return text
