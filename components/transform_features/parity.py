"""Compare the ONNX form with TFT's own output, row by row, in onnxruntime.

Rules: ids are identical, dense values differ by at most 1e-5 of 1 + |value|; rows with missing,
infinite, huge, unseen and strange values are compared too, whatever the data holds; a difference is
an IntegrityError, because two forms of one transform would then score one row differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from components.core.errors import IntegrityError
from components.core.examples import batches
from components.transform_features.application import BATCH_ROWS, Transformed
from components.transform_features.fitted import FittedTransform

TOLERANCE = 1e-5
_HUGE = float(np.finfo(np.float32).max)
_TINY = float(np.finfo(np.float32).smallest_subnormal)
_NUMBERS = (np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 0.5, 1e9, -1e9, _HUGE, -_HUGE, _TINY)
_TEXTS = ("", " ", "NA", "nan", "never seen before", "\N{SNOWMAN}", "a\nb", "0", "-1")


def edge_rows(fitted: FittedTransform) -> dict[str, np.ndarray[Any, Any]]:
    """Return raw rows that the data may never hold; every input takes each of its edge values."""
    words = {column.name: column.vocabulary for column in fitted.ids}
    rows = max(len(_NUMBERS), 2 * len(_TEXTS))
    columns: dict[str, np.ndarray[Any, Any]] = {}
    for place, column in enumerate(fitted.inputs):
        if column.dtype == "float32":
            values = np.resize(np.roll(np.array(_NUMBERS, np.float32), place), rows)
        else:
            values = np.resize(np.array(_edge_texts(words[column.name]), dtype=object), rows)
        columns[column.name] = values
    return columns


def _edge_texts(vocabulary: tuple[str, ...]) -> list[str]:
    first, last = vocabulary[0], vocabulary[-1]
    return [*_TEXTS, first, last, f"{first} ", f" {first}", first.lower(), first[:-1], first + "x"]


def run_onnx(path: Path, raw: Mapping[str, np.ndarray[Any, Any]]) -> Transformed:
    """Return what onnxruntime makes of raw rows."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    parts = []
    for batch in batches(raw, BATCH_ROWS):
        parts.append(dict(zip(names, session.run(names, batch), strict=True)))
    rows = len(next(iter(raw.values())))
    return Transformed(
        dense=_joined(parts, "dense", np.empty((rows, 0), np.float32)),
        ids=_joined(parts, "ids", np.empty((rows, 0), np.int64)),
    )


def _joined(
    parts: list[dict[str, np.ndarray[Any, Any]]], name: str, nothing: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    return np.concatenate([p[name] for p in parts]) if parts and name in parts[0] else nothing


def require_same(expected: Transformed, actual: Transformed, fitted: FittedTransform) -> float:
    """Return the largest absolute difference of dense values; raise IntegrityError above tolerance.

    The message names the feature and the number of rows, never a value.
    """
    with np.errstate(invalid="ignore"):
        difference = np.abs(expected.dense.astype(np.float64) - actual.dense)
        # Equal infinities (a huge value on a narrow scale) differ by nothing.
        difference[expected.dense == actual.dense] = 0.0
        close = difference <= TOLERANCE * (1 + np.abs(expected.dense))
    _refuse(~close, [column.name for column in fitted.dense], "dense value")
    _refuse(expected.ids != actual.ids, [column.name for column in fitted.ids], "id")
    return float(difference.max(initial=0.0))


def _refuse(wrong: np.ndarray[Any, Any], names: list[str], what: str) -> None:
    if not wrong.any():
        return
    counts = {name: int(n) for name, n in zip(names, wrong.sum(axis=0), strict=True) if n}
    raise IntegrityError(
        f"the ONNX form of the transform gives another {what} than TFT: "
        + ", ".join(f"{name} in {n} rows" for name, n in counts.items()),
        remedy="report it with the settings; no model may be built on this transform",
        expected="no row",
        actual=counts,
    )
