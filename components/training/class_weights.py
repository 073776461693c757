"""What a row counts in the loss by its class.

Rules: classes are whole labels from 0 on, two at least; `balanced` counts the rows that train, so
that every class weighs the same in all and a row weighs 1 on average.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from components.core.errors import DataError, SettingsError
from components.core.training_settings import Train

Array = np.ndarray[Any, Any]


def class_weights(train: Train, label: Array, classes: int | None = 2) -> Array | None:
    """Return the weight of each of so many classes, float32; None where all rows count alike.

    Raises SettingsError for weights that do not fit the labels, and DataError where a class has no
    row to be balanced by.
    """
    if train.class_weights is None:
        return None
    counts = _rows_by_class(label, classes)
    if train.class_weights == "balanced":
        if not counts.all():
            raise DataError(
                f"class {int(np.argmin(counts))} has no training row to balance it by",
                remedy="widen the window, or give train.class_weights as numbers",
                expected="rows of every class",
                actual=counts.tolist(),
            )
        return np.asarray(counts.sum() / (len(counts) * counts), dtype=np.float32)
    if len(train.class_weights) != len(counts):
        raise SettingsError(
            f"train.class_weights has {len(train.class_weights)} numbers for {len(counts)} classes",
            remedy="give one number for each class, from class 0 on",
            expected=len(counts),
            actual=len(train.class_weights),
        )
    return np.array(train.class_weights, dtype=np.float32)


def _rows_by_class(label: Array, classes: int | None) -> Array:
    if classes is None or not ((label >= 0) & (label == np.floor(label))).all():
        raise SettingsError(
            "train.class_weights is set, but the labels are not classes",
            remedy="leave it out for a target that is a quantity",
            expected="whole labels from 0 on",
        )
    return np.bincount(label.astype(np.int64), minlength=classes)
