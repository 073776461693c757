"""Write a split's features batch by batch, into the one record batch that readers map.

Why: `load_split` maps one record batch, and a split may be larger than memory. The number of rows
is known from the manifest, so the file is laid out first, with zeros that take no memory, and each
batch is then written at its offset in every column.

Rules: the bytes are those that `write_split` gives for the same arrays at once; a file that got
fewer or more rows than it was laid out for is an IntegrityError.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa

from components.core.errors import IntegrityError
from components.core.features import FeatureArrays, write_split


class SplitWriter:
    """One split's file of `rows` rows; a context manager, whose end checks that all were given."""

    def __init__(
        self, folder: Path, split: str, *, rows: int, dense: int, ids: int, weighted: bool = False
    ) -> None:
        write_split(
            folder,
            split,
            FeatureArrays(
                np.zeros((rows, dense), np.float32),
                np.zeros((rows, ids), np.int32),
                np.zeros(rows, np.float32),
                np.zeros(rows, np.float32) if weighted else None,
            ),
        )
        self._path = folder / f"{split}.arrow"
        self._rows = rows
        self._written = 0
        self._offsets = _offsets(self._path)
        self._file = self._path.open("r+b")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if kind is None and self._written != self._rows:
            raise self._miscounted(self._written)

    def write(self, arrays: FeatureArrays) -> None:
        """Write the next rows; their number may differ from call to call."""
        end = self._written + arrays.rows
        if end > self._rows or len(arrays.dense) != arrays.rows or len(arrays.ids) != arrays.rows:
            raise self._miscounted(self._written + max(len(arrays.dense), len(arrays.ids)))
        self._put("dense", arrays.dense, np.float32)
        self._put("ids", arrays.ids, np.int32)
        self._put("label", arrays.label, np.float32)
        if arrays.weight is not None:
            self._put("weight", arrays.weight, np.float32)
        self._written = end

    def _put(self, name: str, values: np.ndarray[Any, Any], dtype: type[np.generic]) -> None:
        data = np.ascontiguousarray(values, dtype=dtype)
        if data.size:
            width = data.nbytes // len(data)
            self._file.seek(self._offsets[name] + self._written * width)
            self._file.write(data.data)

    def _miscounted(self, rows: int) -> IntegrityError:
        return IntegrityError(
            f"the transform made {rows} rows of {self._rows} in split {self._path.stem}",
            remedy="report it with the settings",
            expected=self._rows,
            actual=rows,
        )


def _offsets(path: Path) -> dict[str, int]:
    """Return where in the file the values of each column begin; a column of width 0 has none."""
    with pa.memory_map(str(path)) as file:
        start = file.read_buffer(file.size()).address
        batch = pa.ipc.open_file(file).get_batch(0)
        values = {
            "dense": batch.column("dense").values,
            "ids": batch.column("ids").values,
            "label": batch.column("label"),
        }
        if "weight" in batch.schema.names:
            values["weight"] = batch.column("weight")
        buffers = {name: column.buffers()[1] for name, column in values.items()}
        return {name: data.address - start for name, data in buffers.items() if data is not None}
