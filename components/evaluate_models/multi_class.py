"""The metrics of one model of several classes on one slice: what each is, and its interval.

| metric            | value                                          | interval                 |
|-------------------|------------------------------------------------|--------------------------|
| accuracy          | share of rows whose most probable class is right | Wilson                 |
| top_k             | share of rows whose class is among the k most  | Wilson                   |
| log_loss          | mean, probabilities kept off 0 and 1           | normal approximation     |
| brier             | mean squared distance over all classes, 0 to 2 | normal approximation     |
| auc_macro         | mean of each class's AUC against the rest      | DeLong (one_versus_rest) |
| auc_weighted      | the same, each class by its rows               | DeLong (one_versus_rest) |
| calibration_error | of the most probable class                     | Poisson bootstrap        |
| precision, recall | of a class, where it is the most probable      | Wilson                   |
| f1                | of a class: 2 precision recall / their sum     | Wilson over the union    |

Rules: of classes that are equally probable the first counts, as in TFMA; F1 is a function of the
share of hits among the rows that are, or are said to be, of the class, and so is its interval. A
metric that a slice does not define (an area where a class has fewer than two rows) is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.evaluate_models.intervals import Floats, Measured, mean, paired, to_dicts, wilson
from components.evaluate_models.metrics import EPSILON, share
from components.evaluate_models.one_versus_rest import auc_difference, macro_auc, weighted_auc
from components.evaluate_models.slices import Rows

OVER_UNION = "wilson_over_union"
Counts = npt.NDArray[np.intp]


def row_log_loss(labels: Rows, scores: Floats) -> Floats:
    """Return each row's categorical cross entropy."""
    of_label = scores[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.clip(of_label, EPSILON, 1 - EPSILON)))


def row_brier(labels: Rows, scores: Floats) -> Floats:
    """Return each row's squared distance from the certain right answer."""
    of_label = scores[np.arange(len(labels)), labels]
    return np.asarray((scores**2).sum(axis=1) - of_label**2 + (1 - of_label) ** 2)


def hits(labels: Rows, scores: Floats) -> Floats:
    """Return 1 for each row whose most probable class is right, else 0."""
    return np.asarray(scores.argmax(axis=1) == labels, dtype=np.float64)


def confidence(scores: Floats) -> Floats:
    """Return the probability of each row's most probable class."""
    return np.asarray(scores.max(axis=1))


def confusion(labels: Rows, scores: Floats) -> Counts:
    """Return how many rows of each class (down) are said to be of which (across)."""
    width = scores.shape[1]
    cells = np.bincount(labels * width + scores.argmax(axis=1), minlength=width * width)
    return cells.reshape(width, width)


def measure(
    labels: Rows,
    scores: Floats,
    error: Measured,
    z: float,
    classes: Sequence[str],
    top_k: Sequence[int] = (),
) -> dict[str, Any]:
    """Return one slice's part of evaluation.json; labels are [rows], scores [rows, classes]."""
    counts = confusion(labels, scores)
    found = {
        "accuracy": wilson(int(counts.trace()) / len(labels), len(labels), z),
        "log_loss": mean(row_log_loss(labels, scores), z, 0.0),
        "brier": mean(row_brier(labels, scores), z, 0.0),
        "auc_macro": macro_auc(labels, scores, z),
        "auc_weighted": weighted_auc(labels, scores, z),
        "calibration_error": error,
    }
    return {
        "n": len(labels),
        "confusion": counts.tolist(),
        "classes": {name: _of_class(counts, number, z) for number, name in enumerate(classes)},
        "top_k": [_top_k(labels, scores, k, z) for k in top_k if k < len(classes)],
        **to_dicts(found),
    }


def _of_class(counts: Counts, number: int, z: float) -> dict[str, Any]:
    """Return a class's rows, how many are said to be of it, and how the two meet."""
    hit = int(counts[number, number])
    rows, said = int(counts[number].sum()), int(counts[:, number].sum())
    f1 = _f1(hit, rows + said - hit, z)
    return {
        "n": rows,
        "said": said,
        "precision": share(hit, said, z),
        "recall": share(hit, rows, z),
        "f1": f1.to_dict() if f1 else None,
    }


def _f1(hit: int, union: int, z: float) -> Measured | None:
    if not union:
        return None
    part = wilson(hit / union, union, z)
    value, lower, upper = (2 * p / (1 + p) for p in (part.value, part.lower, part.upper))
    return Measured(value, lower, upper, OVER_UNION)


def _top_k(labels: Rows, scores: Floats, k: int, z: float) -> dict[str, Any]:
    """Return how often the label is among the k most probable classes; ties go to the first."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    found = int((best == labels[:, np.newaxis]).any(axis=1).sum())
    return {"k": k, "accuracy": share(found, len(labels), z)}


def differences(labels: Rows, first: Floats, second: Floats, z: float) -> dict[str, Any]:
    """Return first minus second of two models on the same rows, with paired intervals."""
    found = {
        "log_loss_difference": paired(row_log_loss(labels, first), row_log_loss(labels, second), z),
        "accuracy_difference": paired(hits(labels, first), hits(labels, second), z),
        "auc_macro_difference": auc_difference(labels, first, second, z),
    }
    return to_dicts(found)
