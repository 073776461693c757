"""The proof that a form of 8-bit numbers keeps what the framework's own model is worth.

Why: rounding moves single probabilities by more than any tolerance that would catch an error, and
what counts is which rows come before which, and which are called positive.

Rules: compared are the AUC over evaluation rows, which may be lower than the framework's by
AUC_TOLERANCE, and the share of rows on the same side of a half, which is LEAST_AGREEMENT or more;
of several classes the accuracy, by ACCURACY_TOLERANCE, and the share of rows of the same class, of
which more lie near another; of a number its mean distance from the framework's own, which is
ERROR_TOLERANCE of the target's standard deviation at most. All are at each size of batch, because
a form may round by the batch. What is not met is a SettingsError, as in parity.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.core.errors import SettingsError
from components.core.form_proof import AnyQuality, ClassQuality, Quality, ValueQuality
from components.training.heads import BINARY, Head

AUC_TOLERANCE = 0.005
LEAST_AGREEMENT = 0.98
ACCURACY_TOLERANCE = 0.01
LEAST_AGREEMENT_OF_CLASSES = 0.9
ERROR_TOLERANCE = 0.05
FAR = 10.0
"""In standard deviations from the mean, beyond all data; what is over counts for as much less."""
HALF = 0.5
Array = np.ndarray[Any, Any]


def require_quality(
    form: str, expected: Array, actual: Array, label: Array, size: int, head: Head = BINARY
) -> AnyQuality:
    """Return what a form keeps at batches of a size; SettingsError where it is too little.

    `expected` and `actual` are what the head's models give, `label` is [rows].
    """
    require_predictions(form, expected, actual, size, head)
    found = _kept(expected, actual, label, size, head)
    if not found.holds:
        raise SettingsError(
            f"the {form} form at batches of {size} {_told(found)}",
            remedy=f"leave {form} out of train.forms, or train a model that bears 8 bits",
            expected=_limits(found),
            actual=found.model_dump(exclude={"rows", "batch_sizes"}),
        )
    return found


def _kept(expected: Array, actual: Array, label: Array, size: int, head: Head) -> AnyQuality:
    if head.task == "regression":
        error = float(np.mean(_distances(actual, expected, head)))
        return ValueQuality(
            rows=len(expected), batch_sizes=(size,), error=error, error_tolerance=ERROR_TOLERANCE
        )
    agreement = float(np.mean(_class(actual) == _class(expected)))
    shared: dict[str, Any] = {"rows": len(expected), "batch_sizes": (size,), "agreement": agreement}
    if head.task == "multi_class":
        return ClassQuality(
            **shared,
            accuracy=float(np.mean(_class(actual) == label)),
            framework_accuracy=float(np.mean(_class(expected) == label)),
            accuracy_tolerance=ACCURACY_TOLERANCE,
            least_agreement=LEAST_AGREEMENT_OF_CLASSES,
        )
    return Quality(
        **shared,
        auc=area(label, actual),
        framework_auc=area(label, expected),
        auc_tolerance=AUC_TOLERANCE,
        least_agreement=LEAST_AGREEMENT,
    )


def _told(found: AnyQuality) -> str:
    if isinstance(found, ValueQuality):
        return f"is {found.error:.4f} of the target's standard deviation from the framework's own"
    if isinstance(found, ClassQuality):
        what, own, of = "an accuracy", found.accuracy, found.framework_accuracy
    else:
        what, own, of = "an AUC", found.auc, found.framework_auc
    return (
        f"has {what} of {own:.4f} where the framework has {of:.4f}, and calls "
        f"{found.agreement:.2%} of the rows as it does"
    )


def _limits(found: AnyQuality) -> dict[str, float]:
    if isinstance(found, ValueQuality):
        return {"error": ERROR_TOLERANCE}
    if isinstance(found, ClassQuality):
        least = found.framework_accuracy - ACCURACY_TOLERANCE
        return {"accuracy": least, "agreement": LEAST_AGREEMENT_OF_CLASSES}
    return {"auc": found.framework_auc - AUC_TOLERANCE, "agreement": LEAST_AGREEMENT}


def _class(prediction: Array) -> Array:
    """Return the class of each row: of two, whether it is at a half or above."""
    return prediction >= HALF if prediction.ndim == 1 else prediction.argmax(axis=1)


def _distances(actual: Array, expected: Array, head: Head) -> Array:
    """Return how far values are apart, in standard deviations; FAR from the mean in more."""
    distances: Array = np.abs(actual.astype(np.float64) - expected)
    mean = head.scale.mean if head.scale else 0.0
    return distances / np.maximum(head.unit, np.abs(expected - mean) / FAR)


def require_agreement(form: str, part: Array, whole: Array, size: int, head: Head = BINARY) -> None:
    """Raise SettingsError where a form on raw rows is not its part on their features."""
    if head.task == "regression":
        agreement = float(np.mean(_distances(part, whole, head) <= ERROR_TOLERANCE))
    else:
        agreement = float(np.mean(_class(part) == _class(whole)))
    if agreement < LEAST_AGREEMENT:
        raise SettingsError(
            f"the {form} form on raw rows at batches of {size} is not what it is on their features",
            remedy=f"leave {form} out of train.forms, and report it with the settings",
            expected=LEAST_AGREEMENT,
            actual=agreement,
        )


def worst(found: Sequence[AnyQuality]) -> AnyQuality:
    """Return what holds for all sizes of batch: the largest loss, the least agreement."""
    update: dict[str, Any] = {
        "rows": max(quality.rows for quality in found),
        "batch_sizes": tuple(size for quality in found for size in quality.batch_sizes),
    }
    agreements = [q.agreement for q in found if not isinstance(q, ValueQuality)]
    if agreements:
        update["agreement"] = min(agreements)
    return max(found, key=_lost).model_copy(update=update)


def _lost(found: AnyQuality) -> float:
    if isinstance(found, ValueQuality):
        return found.error
    if isinstance(found, ClassQuality):
        return found.framework_accuracy - found.accuracy
    return found.framework_auc - found.auc


def require_predictions(
    form: str, expected: Array, actual: Array, size: int, head: Head = BINARY
) -> None:
    """Raise SettingsError unless a form gives what the head's models give, for each row."""
    if head.task == "regression":
        what, fits = "number", np.isfinite(actual)
    else:
        what, fits = "probability", (actual >= 0) & (actual <= 1)
    if actual.shape != expected.shape or not fits.all():
        raise SettingsError(
            f"the {form} form gives no {what} for each row at batches of {size}",
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
