"""What an engine's workers wrote, put in order: every row's features where Beam applies them.

Rules: a part `<split>/<position of its first row>.arrow` has the columns `dense` and `ids`, lists
of one length, or one of them; parts follow each other without a gap or an overlap and hold every
row of their split, or it is an IntegrityError. So the features file has the rows of the examples
in their order, whatever the engine did.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components.core.batches import evenly
from components.core.errors import IntegrityError
from components.core.examples import SPLITS, ExamplesManifest, Split
from components.transform_features.application import Transformed
from components.transform_features.rows import RawRows


class Parts:
    """What the engine's workers wrote, row by row in the order of the examples."""

    def __init__(self, folder: Path, manifest: ExamplesManifest) -> None:
        self._batches = {}
        for split in SPLITS:
            files = sorted((folder / split).glob("*.arrow"))
            _require_whole(split, files, manifest.rows_of(split))
            self._batches[split] = evenly(_written(files))

    def make(self, split: Split, _: RawRows) -> Transformed:
        """Return the features of a split's next rows, as many as `iter_rows` gives at once."""
        batch = next(self._batches[split])
        return Transformed(_matrix(batch, "dense", np.float32), _matrix(batch, "ids", np.int64))


def _written(files: list[Path]) -> Iterator[pa.RecordBatch]:
    for path in files:
        with pa.ipc.open_file(str(path)) as file:
            yield from file.read_all().to_batches()


def _require_whole(split: str, files: list[Path], rows: int) -> None:
    """Raise IntegrityError unless the parts are the split's rows, each once."""
    end = 0
    for path in files:
        if int(path.stem) != end:
            raise _not_whole(split, end, int(path.stem))
        with pa.ipc.open_file(pa.memory_map(str(path))) as file:
            end += sum(file.get_batch(n).num_rows for n in range(file.num_record_batches))
    if end != rows:
        raise _not_whole(split, rows, end)


def _not_whole(split: str, expected: int, actual: int) -> IntegrityError:
    return IntegrityError(
        f"the engine did not give every row of split {split} once",
        remedy="run again; if it stays, look at the engine's log",
        expected=expected,
        actual=actual,
    )


def _matrix(batch: pa.RecordBatch, name: str, dtype: type[np.generic]) -> np.ndarray[Any, Any]:
    """Return a column of lists of one length as [rows, width]; [rows, 0] where there is none."""
    if name not in batch.schema.names:
        return np.empty((batch.num_rows, 0), dtype)
    values = batch.column(name).flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype).reshape(batch.num_rows, -1)
