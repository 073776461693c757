"""A table of files, opened: its types known, its bytes checked, its rows given in batches.

Rules:
1. what is opened is what the run pinned: the digest of the files is checked before the first row,
   and that of each file once more after its last row: a file that changed meanwhile is an error;
2. the types are those of all files and all rows, and known before the first row;
3. rows come in the order of the files and within them as they are stored; no more than a few
   batches are in memory at a time;
4. every file has the same columns, in whatever order; the first file's order is the table's; of a
   sparse format (tf.Examples) the table has the columns of all files, and a file may be empty;
5. a table without rows is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from components.core.batches import evenly
from components.core.data_settings import Table
from components.core.errors import DataError
from components.core.examples import SourceFile
from components.reading.columns import cast_batch, plain_schema, wider
from components.reading.dates import LOCAL, require_dates, texts_of
from components.reading.files import File, digest_of
from components.reading.formats import reader_of
from components.reading.opened import SpanRows, no_rows, selected, with_given
from components.reading.reader import Reader

_BATCH_BYTES = 32 * 2**20


class FileTable:
    """A table of files that can be read any number of times."""

    def __init__(
        self,
        table: Table,
        found: Sequence[tuple[File, Reader]],
        described: tuple[SourceFile, ...],
        stored: pa.Schema,
    ) -> None:
        self.name = table.name
        self.schema = with_given(plain_schema(stored, table.name), table)
        self._table, self._found, self._described = table, found, described
        self._stored = stored
        self.splits = tuple(sorted({file.split for file, _ in found if file.split is not None}))

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[SpanRows]:
        """Yield the rows, of all columns or those named, in their given order.

        Raises DataError for a column that the table does not have.
        """
        schema = selected(self.schema, columns, self.name)
        for (file, reader), described in zip(self._found, self._described, strict=True):
            rows = _of_one_state(file, described, self._rows(file, reader, schema))
            for batch in evenly(rows, most_bytes=_BATCH_BYTES):
                yield SpanRows(file.span, batch)

    def files(self) -> tuple[SourceFile, ...]:
        """Return the files that the rows come from, in order."""
        return self._described

    def require_dates(self, column: str) -> None:
        """Raise DataError naming the first row of a column of text that is no date."""
        for file, reader in self._found:
            texts = texts_of(reader.read, file, self._table, column)
            require_dates(texts, column, reader.origin(file, self._table))

    def _rows(self, file: File, reader: Reader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        start, types = reader.origin(file, self._table), self._table.types
        origin = start
        for batch in reader.read(file, self._table, self._stored, schema.names):
            try:
                rows = cast_batch(batch, schema, origin, types)
            except DataError:
                for name in (name for name in schema.names if types.get(name) == "timestamp"):
                    texts = texts_of(reader.read, file, self._table, name)
                    require_dates(texts, name, start, [LOCAL])
                raise
            yield rows
            origin = origin.after(batch.num_rows)


def open_files(table: Table, found: Sequence[File]) -> FileTable:
    """Open a table of these files; see the module's rules for what is an error."""
    described = _pinned(table, found)
    readers = [(file, reader_of(file, table)) for file in found]
    stored, rows = _merged(table, readers)
    if rows == 0:
        raise no_rows(table.name)
    if not stored.names:
        raise DataError(f"{table.name} has no columns", remedy="give a table")
    return FileTable(table, readers, described, stored)


def _pinned(table: Table, found: Sequence[File]) -> tuple[SourceFile, ...]:
    """Describe the files; DataError unless they are what the settings or the run's start name."""
    described = tuple(file.describe() for file in found)
    actual = digest_of(described)
    if table.sha256 not in (None, actual):
        raise DataError(
            f"{table.name} is not what the run was to read",
            remedy="start a new run, or correct sha256 in the settings",
            expected=table.sha256,
            actual=actual,
        )
    return described


def _of_one_state(
    file: File, described: SourceFile, rows: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows; DataError, after the last or in place of another, where the file changed.

    Not seen is what changed and changed back in between.
    """
    try:
        yield from rows
    except DataError:
        _require_same(file, described)
        raise
    _require_same(file, described)


def _require_same(file: File, described: SourceFile) -> None:
    actual = file.describe()
    if actual != described:
        raise DataError(
            f"{file.name} changed while it was read",
            remedy="start a new run, and let nothing write to the source of one",
            expected=described.sha256,
            actual=actual.sha256,
        )


def _merged(table: Table, found: Sequence[tuple[File, Reader]]) -> tuple[pa.Schema, int]:
    """Return the types that hold every file's rows, and how many rows there are (rules 2 and 4)."""
    first, total = found[0][0], 0
    schema: pa.Schema | None = None
    for file, reader in found:
        own, rows = reader.find(file, table)
        total += rows
        if reader.sparse and not rows:
            continue
        if schema is None:
            first, schema = file, own
        elif reader.sparse:
            schema = _merge(*_united(schema, own), file, first, text=False)
        else:
            schema = _merge(schema, own, file, first, text=reader.text)
    return schema or pa.schema([]), total


def _united(schema: pa.Schema, own: pa.Schema) -> tuple[pa.Schema, pa.Schema]:
    """Return both with the columns of both: what one lacks has no value there."""
    names = dict.fromkeys([*schema.names, *own.names])

    def of_all(one: pa.Schema) -> pa.Schema:
        return pa.schema(
            [one.field(n) if n in one.names else pa.field(n, pa.null()) for n in names]
        )

    return of_all(schema), of_all(own)


def _merge(schema: pa.Schema, own: pa.Schema, file: File, first: File, *, text: bool) -> pa.Schema:
    for name in schema.names:
        if name not in own.names:
            raise _other_columns(f"{file.name} lacks column {name}, which {first.name} has")
    for name in own.names:
        if name not in schema.names:
            raise _other_columns(f"{file.name} also has column {name}, unlike {first.name}")
    fields = []
    for field in schema:
        other = own.field(field.name).type
        both = wider(field.type, other)
        if both is None and not text:
            raise DataError(
                f"column {field.name} is {other} in {file.name} and {field.type} in {first.name}",
                remedy="write it in one type",
            )
        fields.append(pa.field(field.name, pa.string() if both is None else both))
    return pa.schema(fields)


def _other_columns(message: str) -> DataError:
    return DataError(message, remedy="give every file of a table the same columns")
