"""Raw inputs: rows as every served form of a model takes them.

Why: a raw row has one convention, whichever framework or runtime takes it.

Rules: every column is rank 1, [rows]: float32 with NaN for a missing number, or string with "" for
a missing text; every ONNX and SavedModel form takes these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from components.core.errors import DataError
from components.core.examples import require_column


def raw_inputs(table: pa.Table, inputs: Mapping[str, str]) -> dict[str, np.ndarray[Any, Any]]:
    """Return rows as a model's raw inputs: {name: [rows]}, in the order of `inputs`.

    "float32": NaN for null. "string": objects of str, "" for null; integers as their decimal
    digits. Raises DataError for a column that is missing or is not of the type asked for.
    """
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for name, kind in inputs.items():
        require_column(name, table.column_names)
        arrays[name] = _texts(name, table[name]) if kind == "string" else _floats(name, table[name])
    return arrays


def _floats(name: str, column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Return float32 with NaN for null; what float32 cannot hold becomes an infinity."""
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise DataError(
            f"column {name} holds {column.type}, not numbers", remedy="declare it as a vocabulary"
        )
    wide = column.cast(pa.float64(), safe=False).to_numpy()
    with np.errstate(over="ignore"):
        return np.asarray(wide, dtype=np.float32)


def _texts(name: str, column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Return str objects; equal texts share one object, so a million rows stay small."""
    if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type)):
        raise DataError(
            f"column {name} holds {column.type}, which is neither text nor whole numbers",
            remedy="declare it as a zscore, log_zscore or cyclic feature",
        )
    encoded = column.cast(pa.string()).fill_null("").combine_chunks().dictionary_encode()
    words = np.asarray(encoded.dictionary.to_pylist(), dtype=object)
    return np.asarray(words[encoded.indices.to_numpy()])


def batches(
    arrays: Mapping[str, np.ndarray[Any, Any]], rows: int
) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
    """Yield the same arrays in slices of at most `rows` rows, in order, without copying."""
    total = len(next(iter(arrays.values()))) if arrays else 0
    for start in range(0, total, rows):
        yield {name: array[start : start + rows] for name, array in arrays.items()}
