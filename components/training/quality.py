"""The proof that a form of 8-bit numbers keeps what the framework's own model is worth.

Why: rounding moves single probabilities by more than any tolerance that would catch an error, and
what counts is which rows come before which, and which are called positive.

Rules: compared are the AUC over evaluation rows, which may be lower than the framework's by
AUC_TOLERANCE, and the share of rows on the same side of a half, which is LEAST_AGREEMENT or more;
both at each size of batch, because a form may round by the batch. What is not met is a
SettingsError, as in components/training/parity.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.core.contract import Quality
from components.core.errors import SettingsError

AUC_TOLERANCE = 0.005
LEAST_AGREEMENT = 0.98
HALF = 0.5
Array = np.ndarray[Any, Any]


def require_quality(form: str, expected: Array, actual: Array, label: Array, size: int) -> Quality:
    """Return what a form keeps at batches of a size; all are [rows]. Raises SettingsError."""
    require_probabilities(form, expected, actual, size)
    found = Quality(
        rows=len(expected),
        batch_sizes=(size,),
        auc=area(label, actual),
        framework_auc=area(label, expected),
        auc_tolerance=AUC_TOLERANCE,
        agreement=float(np.mean((actual >= HALF) == (expected >= HALF))),
        least_agreement=LEAST_AGREEMENT,
    )
    if not found.holds:
        raise SettingsError(
            f"the {form} form at batches of {size} has an AUC of {found.auc:.4f} where the "
            f"framework has {found.framework_auc:.4f}, and calls {found.agreement:.2%} of the rows "
            "as it does",
            remedy=f"leave {form} out of train.forms, or train a model that bears 8 bits",
            expected={"auc": found.framework_auc - AUC_TOLERANCE, "agreement": LEAST_AGREEMENT},
            actual={"auc": found.auc, "agreement": found.agreement},
        )
    return found


def require_agreement(form: str, part: Array, whole: Array, size: int) -> None:
    """Raise SettingsError where a form on raw rows is not its part on their features."""
    agreement = float(np.mean((part >= HALF) == (whole >= HALF)))
    if agreement < LEAST_AGREEMENT:
        raise SettingsError(
            f"the {form} form on raw rows at batches of {size} is not what it is on their features",
            remedy=f"leave {form} out of train.forms, and report it with the settings",
            expected=LEAST_AGREEMENT,
            actual=agreement,
        )


def worst(found: Sequence[Quality]) -> Quality:
    """Return what holds for all sizes of batch: the largest loss of AUC, the least agreement."""
    lowest = max(found, key=lambda quality: quality.framework_auc - quality.auc)
    update = {
        "rows": max(quality.rows for quality in found),
        "batch_sizes": tuple(size for quality in found for size in quality.batch_sizes),
        "agreement": min(quality.agreement for quality in found),
    }
    return lowest.model_copy(update=update)


def require_probabilities(form: str, expected: Array, actual: Array, size: int) -> None:
    """Raise SettingsError unless a form gives one probability a row."""
    if actual.shape != expected.shape or not ((actual >= 0) & (actual <= 1)).all():
        raise SettingsError(
            f"the {form} form gives no probability for each row at batches of {size}",
            remedy=f"leave {form} out of train.forms, or train a model that bears 8 bits",
            expected=list(expected.shape),
            actual=list(actual.shape),
        )


def area(label: Array, score: Array) -> float:
    """Return the area under the ROC curve, ties counted half (Mann and Whitney 1947).

    Where there is one class only it is a half, whatever the scores: they order nothing.
    """
    positives = int((label > 0).sum())
    negatives = len(label) - positives
    if not positives or not negatives:
        return HALF
    _, places, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    smallest = positives * (positives + 1) / 2
    return float((ranks[label > 0].sum() - smallest) / (positives * negatives))
