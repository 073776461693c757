"""The metrics of one model on one slice: what each is, and its interval.

| metric            | value                                   | interval                          |
|-------------------|-----------------------------------------|-----------------------------------|
| auc               | exact, ties half                        | DeLong; Wilson over few rows      |
| pr_auc            | average precision                       | Wilson over the positives         |
| log_loss          | mean, predictions kept off 0 and 1      | normal approximation              |
| brier             | mean squared error                      | normal approximation              |
| accuracy          | at 0.5                                  | Wilson                            |
| calibration       | mean prediction / share of positives    | delta method                      |
| calibration_error | expected calibration error              | Poisson bootstrap (calibration)   |
| precision, recall | at each of the settings' thresholds     | Wilson                            |

A metric that a slice does not define (the AUC of one class only, a mean of one row) is None. A
prediction says positive where it is above a threshold, never where it is equal to it, as in TFMA.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.evaluate_models.intervals import DIGITS, Floats, Measured, mean, ratio, wilson
from components.evaluate_models.ranking import Flags, auc, average_precision

# Keras' epsilon; TFMA has none and gives infinity for a certain mistake.
EPSILON = 1e-7
THRESHOLD = 0.5


def row_log_loss(labels: Floats, scores: Floats) -> Floats:
    """Return each row's binary cross entropy."""
    kept = np.clip(scores, EPSILON, 1 - EPSILON)
    return np.asarray(-np.where(labels == 1, np.log(kept), np.log1p(-kept)))


def confusion(positive: Flags, scores: Floats, threshold: float = THRESHOLD) -> dict[str, int]:
    """Return the counts where a prediction above the threshold says positive."""
    said = scores > threshold
    counts = np.bincount(2 * said + positive, minlength=4)
    return dict(zip(("tn", "fn", "fp", "tp"), (int(c) for c in counts), strict=True))


def share(part: int, whole: int, z: float) -> dict[str, Any] | None:
    """Return a share of rows with Wilson's interval; None of no rows."""
    return wilson(part / whole, whole, z).to_dict() if whole else None


def at_threshold(positive: Flags, scores: Floats, threshold: float, z: float) -> dict[str, Any]:
    """Return precision, recall and the confusion matrix at a threshold."""
    counts = confusion(positive, scores, threshold)
    return {
        "threshold": threshold,
        "precision": share(counts["tp"], counts["tp"] + counts["fp"], z),
        "recall": share(counts["tp"], counts["tp"] + counts["fn"], z),
        "confusion": counts,
    }


def measure(
    labels: Floats, scores: Floats, error: Measured, z: float, thresholds: Sequence[float] = ()
) -> dict[str, Any]:
    """Return one slice's part of evaluation.json; labels are 0 or 1, scores in [0, 1]."""
    positive = labels == 1
    counts = confusion(positive, scores)
    found = {
        "auc": auc(positive, scores, z),
        "pr_auc": average_precision(positive, scores, z),
        "log_loss": mean(row_log_loss(labels, scores), z, 0.0),
        "brier": mean((scores - labels) ** 2, z, 0.0),
        "accuracy": wilson((counts["tn"] + counts["tp"]) / len(labels), len(labels), z),
        "calibration": ratio(scores, labels, z),
        "calibration_error": error,
    }
    return {
        "n": len(labels),
        "positives": int(positive.sum()),
        "mean_label": round(float(labels.mean()), DIGITS),
        "mean_prediction": round(float(scores.mean()), DIGITS),
        "confusion": {"threshold": THRESHOLD, **counts},
        "thresholds": [at_threshold(positive, scores, t, z) for t in thresholds],
        **{name: value.to_dict() if value else None for name, value in found.items()},
    }
