"""The split that a file's place names, as a column of its rows: of `{split}` in a location.

TFX's ExampleGen, for one, decides which rows are trained on, and writes a folder for each split;
what it decided stands nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from components.core.data_settings import Table
from components.core.errors import DataError
from components.reading.files import File
from components.reading.reader import Reader

SPLIT_COLUMN = "split"
_FIELD = pa.field(SPLIT_COLUMN, pa.string())
Names = Callable[[File, Table], Sequence[str]]


def with_split(reader: Reader) -> Reader:
    """Return a reader that gives every row the split of its file, in a last column of text."""

    def find(file: File, table: Table) -> tuple[pa.Schema, int]:
        schema, rows = reader.find(file, table)
        return pa.schema([*_without_split(file, schema), _FIELD]), rows

    def read(
        file: File, table: Table, stored: pa.Schema, names: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        own = pa.schema([field for field in stored if field.name != SPLIT_COLUMN])
        wanted = [name for name in names if name != SPLIT_COLUMN] or own.names[:1]
        for batch in reader.read(file, table, own, wanted):
            split = pa.repeat(pa.scalar(file.split, pa.string()), batch.num_rows)
            yield batch.append_column(_FIELD, split)

    return replace(reader, find=find, read=read, names=reader.names and _with_own(reader.names))


def _with_own(names: Names) -> Names:
    return lambda file, table: (*names(file, table), SPLIT_COLUMN)


def _without_split(file: File, schema: pa.Schema) -> pa.Schema:
    if SPLIT_COLUMN in schema.names:
        raise DataError(
            f"{file.name} has a column {SPLIT_COLUMN} of its own, beside {{split}} in its location",
            remedy="write * in place of {split}, or take the column out",
        )
    return schema
