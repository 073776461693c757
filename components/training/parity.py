"""The proof that an exported form computes what the framework computes.

Rules: a form is loaded in its own runtime, never in the object that made it; its output is
compared on every evaluation row or on rows built to reach the edges of the preprocessing; a
difference over the tolerance, or a value that is not a number, is a SettingsError: the model
function is the caller's, and nothing that was recorded has changed. float32 keeps relative
precision, so where a row's features are over ORDINARY, far from all that a model is trained on, its
difference counts for as much less; of a regression a difference counts in units of the label's
standard deviation, or of the value itself where that is more (evidence.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.core.bundle import Bundle, open_onnx
from components.core.errors import SettingsError
from components.core.examples import InputType
from components.core.features import FeatureArrays
from components.core.form_proof import Parity

TOLERANCE = 1e-5
ORDINARY = 10.0
"""The largest value of a feature, here mostly in standard deviations, at which rows count whole."""
ROWS_AT_ONCE = 8192
# More than the largest batch that a form is proven at.
EDGE_ROWS = 1100
UNSEEN = "unseen \u00fc\u4e16"
NUMBERS = (np.nan, np.inf, -np.inf, 0.0, 1.0, -1.0, 6.5, 59.0, 365.0, 2359.0, -1e4, 1e5)
CARRIED = (
    "keep the model function to operators that every form carries, or leave the form out of "
    "train.forms"
)
ALONE = "let the preprocessing_fn give a row the same features whatever rows are beside it"
Array = np.ndarray[Any, Any]
Predict = Callable[[Array, Array], Array]


def predict_all(predict: Predict, arrays: FeatureArrays) -> Array:
    """Return the output of a function of (dense, ids) on every row, a few rows at a time."""
    starts = range(0, arrays.rows, ROWS_AT_ONCE)
    parts = [slice(start, start + ROWS_AT_ONCE) for start in starts]
    return np.concatenate([predict(arrays.dense[part], arrays.ids[part]) for part in parts])


def scale_of(dense: Array) -> Array:
    """Return what each row's difference is divided by: 1, and more over ORDINARY features."""
    largest: Array = np.abs(dense).max(axis=1, initial=0.0)
    return np.maximum(largest / ORDINARY, 1.0, dtype=np.float64)


def prove(
    form: str,
    expected: Array,
    actual: Array,
    when: str = "",
    scale: Array | float = 1.0,
    remedy: str = CARRIED,
) -> Parity:
    """Return the largest difference; raise SettingsError where it exceeds the tolerance.

    `scale` is that of `scale_of`, [rows] as `expected`.
    """
    if expected.shape != actual.shape or not len(expected):
        how = f"gives {actual.shape} for {expected.shape}{when}"
        raise _differs(form, how, remedy, expected.shape, actual.shape)
    differences = np.abs(expected.astype(np.float64) - actual.astype(np.float64))
    largest = differences.max(axis=1) if differences.ndim > 1 else differences  # of the classes
    difference = float(np.max(largest / scale))
    found = Parity(rows=len(expected), max_abs_difference=difference, tolerance=TOLERANCE)
    if not found.holds:
        how = f"differs from the framework by {difference}{when}"
        raise _differs(form, how, remedy, TOLERANCE, difference)
    return found


@dataclass(frozen=True)
class Evaluated:
    """The evaluation rows and the framework's own prediction for each."""

    arrays: FeatureArrays
    predictions: Array

    @classmethod
    def by(cls, predict: Predict, arrays: FeatureArrays) -> Evaluated:
        """Predict every row."""
        return cls(arrays, predict_all(predict, arrays))


def features_of(preprocessing: Any, rows: Mapping[str, Array]) -> FeatureArrays:
    """Return the features of raw rows by a session of preprocessing.onnx; labels are zero.

    An output without columns is left out of preprocessing.onnx; here it is [rows, 0].
    """
    names = [value.name for value in preprocessing.get_outputs()]
    found = dict(zip(names, preprocessing.run(names, dict(rows)), strict=True))
    count = len(next(iter(found.values())))
    none = np.empty((count, 0))
    return FeatureArrays(
        dense=found.get("dense", none).astype(np.float32),
        ids=found.get("ids", none).astype(np.int32),
        label=np.zeros(count, dtype=np.float32),
    )


def preprocessing_of(bundle: Bundle) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
    """Return what makes the inputs of a bundle's forms that take features, of raw rows.

    Raises SettingsError where the bundle has no preprocessing.
    """
    if bundle.contract.preprocessing is None:
        raise SettingsError(
            "the form takes features, and the bundle has no preprocessing to make them",
            remedy="name a form that takes raw rows",
        )
    session = open_onnx(bundle.folder / bundle.contract.preprocessing)

    def inputs_of(rows: Mapping[str, Array]) -> dict[str, Array]:
        features = features_of(session, rows)
        return {"dense": features.dense, "ids": features.ids}

    return inputs_of


def edge_rows(
    inputs: Mapping[str, InputType], vocabularies: Mapping[str, Sequence[str]]
) -> dict[str, Array]:
    """Return raw rows of missing, ordinary and extreme values, known and unseen words.

    The first row has nothing at all; the others are drawn, always the same.
    """
    random = np.random.default_rng(0)
    rows = {}
    for name, dtype in inputs.items():
        if dtype == "string":
            choices = np.array(["", UNSEEN, *vocabularies.get(name, ())], dtype=object)
        else:
            choices = np.array(NUMBERS, dtype=np.float32)
        rows[name] = random.choice(choices, EDGE_ROWS)
        rows[name][0] = choices[0]
    return rows


def _differs(form: str, how: str, remedy: str, expected: object, actual: object) -> SettingsError:
    return SettingsError(f"the {form} form {how}", remedy=remedy, expected=expected, actual=actual)
