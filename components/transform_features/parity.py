"""Compare the ONNX form with TFT's own output, row by row, in onnxruntime.

Rules: ids are identical, dense values differ by at most 1e-5 of 1 + |value|; rows with missing,
infinite, huge, unseen and strange values are compared too, whatever the data holds; a difference is
an IntegrityError, because two forms of one transform would then score one row differently. A
preprocessing_fn whose ONNX form does not run is a SettingsError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.core.batches import BATCH_ROWS
from components.core.errors import IntegrityError, SettingsError
from components.core.raw_inputs import batches
from components.transform_features.application import Transformed
from components.transform_features.civil_dates import LIMIT
from components.transform_features.fitted_columns import (
    BucketColumn,
    CyclicColumn,
    RangedColumn,
    VocabularyColumn,
)
from components.transform_features.recipe import Fitted

TOLERANCE = 1e-5
_HUGE = float(np.finfo(np.float32).max)
_TINY = float(np.finfo(np.float32).smallest_subnormal)
_FAR = (LIMIT, -LIMIT)
_NUMBERS = (np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 0.5, 1e9, -1e9, _HUGE, -_HUGE, _TINY)
# Days and seconds at which a part of a date turns: the epoch, leap days of 1600, 1900, 2000, 2024
# and 2100, the last second of a day, and the numbers from which on there is no date.
_COUNTS = (0, 1, -135_081, -25_509, 11_016, 19_782, 47_540, 3_599, 3_600, 86_399, 86_400, *_FAR)
_TEXTS = (
    *("", " ", "NA", "nan", "never seen before", "\N{SNOWMAN}", "a\nb", "0", "-1", "\0", "a\0"),
    *("e\u0301", "\u00e9", "\ufeffa", "\uffff", "\N{GRINNING FACE}", "\U0010ffff"),
    *("ab" * 64, "ab" * 65),
)


def edge_rows(fitted: Fitted) -> dict[str, np.ndarray[Any, Any]]:
    """Return raw rows that the data may never hold; every input takes each of its edge values."""
    edges = {
        column.name: _edge_numbers(fitted, column.name)
        if column.dtype == "float32"
        else _edge_texts(fitted, column.name)
        for column in fitted.inputs
    }
    rows = max(len(values) for values in edges.values())
    return {
        name: np.resize(np.roll(values, place), rows)
        for place, (name, values) in enumerate(edges.items())
    }


def _edge_numbers(fitted: Fitted, column: str) -> np.ndarray[Any, Any]:
    """Return strange numbers, and those where something fitted changes, with their neighbours."""
    turning: list[float] = []
    for feature in (*fitted.dense, *fitted.ids):
        if isinstance(feature, BucketColumn) and feature.column == column:
            turning += feature.boundaries
        if isinstance(feature, RangedColumn) and feature.column == column:
            turning += (feature.minimum, feature.maximum)
        if isinstance(feature, CyclicColumn) and feature.column == column and feature.part:
            turning += _COUNTS
    at = np.array(turning, np.float32)
    with np.errstate(over="ignore", under="ignore"):
        around = [np.nextafter(at, np.float32(side)) for side in (-np.inf, np.inf)]
    return np.concatenate([np.array(_NUMBERS, np.float32), at, *around])


def _edge_texts(fitted: Fitted, column: str) -> np.ndarray[Any, Any]:
    texts = list(_TEXTS)
    for feature in fitted.ids:
        if isinstance(feature, VocabularyColumn) and feature.column == column:
            first, last = feature.vocabulary[0], feature.vocabulary[-1]
            texts += [first, last, f"{first} ", f" {first}", first.lower(), first[:-1], first + "x"]
    return np.array(texts, dtype=object)


class OnnxTransform:
    """The ONNX form, opened once."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def apply(self, raw: Mapping[str, np.ndarray[Any, Any]]) -> Transformed:
        """Return what onnxruntime makes of raw rows."""
        names = [output.name for output in self._session.get_outputs()]
        parts = []
        for batch in batches(raw, BATCH_ROWS):
            parts.append(dict(zip(names, _run(self._session, names, batch), strict=True)))
        rows = len(next(iter(raw.values())))
        return Transformed(
            dense=_joined(parts, "dense", np.empty((rows, 0), np.float32)),
            ids=_joined(parts, "ids", np.empty((rows, 0), np.int64)),
        )


def _run(session: Any, names: list[str], batch: Mapping[str, Any]) -> Any:
    """Run a session; what onnxruntime says of a failure may quote rows and goes to the log."""
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    try:
        return session.run(names, batch)
    except (errors.Fail, errors.InvalidArgument, errors.RuntimeException) as error:
        found = re.search(r"running (\w+) node", str(error))
        raise SettingsError(
            "the preprocessing_fn cannot be carried over to ONNX: ONNX Runtime fails at "
            f"{found[1] if found else 'one of its operations'} on a row",
            remedy="compute it in another way, or declare the features in transform.features",
        ) from error


def _joined(
    parts: list[dict[str, np.ndarray[Any, Any]]], name: str, nothing: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    return np.concatenate([p[name] for p in parts]) if parts and name in parts[0] else nothing


@dataclass(frozen=True)
class Differences:
    """In how many rows each feature differs, and the largest absolute difference of a number."""

    dense: dict[str, int]
    ids: dict[str, int]
    largest: float


def differences(expected: Transformed, actual: Transformed, fitted: Fitted) -> Differences:
    """Compare the features of the same rows."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(expected.dense.astype(np.float64) - actual.dense)
        # Equal infinities (a huge value on a narrow scale) differ by nothing.
        difference[expected.dense == actual.dense] = 0.0
        close = difference <= TOLERANCE * (1 + np.abs(expected.dense))
    return Differences(
        dense=_counts(~close, [column.name for column in fitted.dense]),
        ids=_counts(expected.ids != actual.ids, [column.name for column in fitted.ids]),
        largest=float(difference.max(initial=0.0)),
    )


def _counts(wrong: np.ndarray[Any, Any], names: list[str]) -> dict[str, int]:
    return {name: int(n) for name, n in zip(names, wrong.sum(axis=0), strict=True) if n}


def require_same(expected: Transformed, actual: Transformed, fitted: Fitted) -> float:
    """Return the largest absolute difference of dense values; raise IntegrityError above tolerance.

    The message names the feature and the number of rows, never a value.
    """
    found = differences(expected, actual, fitted)
    for what, counts in (("dense value", found.dense), ("id", found.ids)):
        if counts:
            raise IntegrityError(
                f"the ONNX form of the transform gives another {what} than TFT: "
                + ", ".join(f"{name} in {n} rows" for name, n in counts.items()),
                remedy="limit what a preprocessing_fn computes to numbers that the data can hold "
                "(tf.clip_by_value); for declared features, report it with the settings",
                expected="no row",
                actual=counts,
            )
    return found.largest
