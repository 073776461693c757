"""The curves of one model on all rows: ROC, precision over recall, and calibration.

Rules: every point is exact, that of a threshold which some predictions reach; nothing is
interpolated, and thinning leaves points out, never the first or the last. ROC goes from (0, 0) to
(1, 1); the precision-recall curve begins at the highest prediction, since precision is not defined
before. The calibration curve has the bins of the calibration error; of a number, which has no such
error, the same bins, and the mean label of each in the place of the share of positives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from components.evaluate_models import multi_class
from components.evaluate_models.calibration import BINS, bins
from components.evaluate_models.evaluation import Rows as Evaluated
from components.evaluate_models.intervals import DIGITS, Floats
from components.evaluate_models.regression import digits
from components.evaluate_models.slices import Rows

POINTS = 100


def curves_of(rows: Evaluated, model: str) -> dict[str, Any]:
    """Return a model's curves: of several classes the calibration of the most probable one."""
    scores = rows.scores[model]
    if rows.task == "binary":
        return curves(rows.labels, scores)
    if rows.task == "regression":
        return {"calibration": _calibration(rows.labels, scores, digits(rows.labels))}
    right = multi_class.hits(rows.numbers, scores)
    return {"calibration": _calibration(right, multi_class.confidence(scores))}


def curves(labels: Floats, scores: Floats) -> dict[str, Any]:
    """Return the curves as they stand in evaluation.json; both labels, 0 and 1, must occur."""
    tp, fp = _reached(labels, scores)
    recall, fall_out = tp / tp[-1], fp / fp[-1]
    roc = np.stack([np.append(0.0, fall_out), np.append(0.0, recall)], axis=1)
    precision = np.stack([recall, tp / (tp + fp)], axis=1)
    return {
        # Both coordinates only grow, so their sum is the length of the way along the curve.
        "roc": _points(roc, roc.sum(axis=1)),
        "pr": _points(precision, recall),
        "calibration": _calibration(labels, scores),
    }


def _reached(labels: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Return true and false positives from each distinct prediction on, the highest first."""
    values, inverse = np.unique(-scores, return_inverse=True)
    positives = np.bincount(inverse, weights=labels, minlength=len(values))
    everything = np.bincount(inverse, minlength=len(values))
    return np.cumsum(positives), np.cumsum(everything - positives)


def _points(curve: Floats, along: Floats) -> list[list[float]]:
    """Return at most POINTS points, about evenly spaced by `along`, which never falls."""
    chosen: Rows = np.arange(len(curve))
    if len(curve) > POINTS:
        wanted = np.linspace(along[0], along[-1], POINTS)
        chosen = np.unique(np.searchsorted(along, wanted[1:-1]))
        chosen = np.unique(np.concatenate([[0], chosen, [len(curve) - 1]]))
    return [[round(float(x), DIGITS), round(float(y), DIGITS)] for x, y in curve[chosen]]


def _calibration(labels: Floats, scores: Floats, decimals: int = DIGITS) -> list[list[float]]:
    """Return mean prediction, mean label and rows of each bin that has rows."""
    places = bins(scores)
    rows = np.bincount(places, minlength=BINS)
    said, was = (np.bincount(places, weights=w, minlength=BINS) for w in (scores, labels))
    return [
        [round(float(s / n), decimals), round(float(w / n), decimals), int(n)]
        for s, w, n in zip(said, was, rows, strict=True)
        if n
    ]
