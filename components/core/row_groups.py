"""Row groups of the examples, as engines take them: where some rows lie, not the rows.

Rules: a pipeline is fed these, and rows are read where they are used (beam.Create of the rows
themselves would compress them all); every shard was looked at before, so that a worker meets no
surprise; workers need the examples under the same path as the process that made the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from components.core.errors import DataError
from components.core.examples import ARROW_TYPES, SPLITS, ExamplesManifest, Split


@dataclass(frozen=True)
class RowGroup:
    """Where some rows lie, and the position in their split of the first of them."""

    path: str
    number: int
    split: Split
    span: str
    first: int

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Return the rows, of the columns named in their given order."""
        with pq.ParquetFile(self.path) as file:
            return file.read_row_group(self.number, columns=list(columns)).select(list(columns))


def row_groups(
    examples: Path, manifest: ExamplesManifest, splits: Sequence[Split] = SPLITS
) -> list[RowGroup]:
    """Return the splits' row groups, each split's in order.

    Raises DataError for a shard that cannot be read or does not have the manifest's columns.
    """
    found: list[RowGroup] = []
    for split in splits:
        first = 0
        for shard in manifest.shards_of(split):
            path = examples / shard.path
            for number, rows in enumerate(_rows_of_groups(path, manifest)):
                found.append(RowGroup(str(path), number, split, shard.span, first))
                first += rows
    return found


def take_rows(
    examples: Path, manifest: ExamplesManifest, split: Split, numbers: npt.NDArray[np.intp]
) -> pa.Table:
    """Return the rows of a split with these numbers, in their order, each at most once.

    Only the row groups that hold one are read.
    """
    columns, found, end = list(manifest.columns), [], 0
    for group, rows in _with_rows(row_groups(examples, manifest, [split]), manifest.rows_of(split)):
        first, end = end, int(np.searchsorted(numbers, group.first + rows))
        if end > first:
            found.append(group.read(columns).take(pa.array(numbers[first:end] - group.first)))
    return pa.concat_tables(found)


def _with_rows(groups: Sequence[RowGroup], count: int) -> Iterator[tuple[RowGroup, int]]:
    """Yield each of a split's row groups with its number of rows."""
    ends = [*(group.first for group in groups[1:]), count][: len(groups)]
    for group, end in zip(groups, ends, strict=True):
        yield group, end - group.first


def _rows_of_groups(path: Path, manifest: ExamplesManifest) -> list[int]:
    """Return how many rows each row group of a shard has."""
    try:
        with pq.ParquetFile(path) as file:
            schema, metadata = file.schema_arrow, file.metadata
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"shard {path.name} cannot be read", remedy="run ingest_examples again"
        ) from error
    columns = dict(zip(schema.names, schema.types, strict=True))
    wanted = {name: ARROW_TYPES[kind] for name, kind in manifest.columns.items()}
    if not wanted.items() <= columns.items():
        raise DataError(
            f"shard {path.name} does not have the columns that its manifest names",
            remedy="run ingest_examples again",
        )
    return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
