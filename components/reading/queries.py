"""A table that is a query's result, opened: one statement, its rows given as they arrive.

Rules:
1. a query is one SELECT statement, WITH or not; its rows are read in the order in which the
   database gives them, which without ORDER BY may differ from one time to the next;
2. the digest of a query's rows is that of their Arrow IPC stream, in the four types, in batches of
   65,536 and with nothing under a null: equal rows have equal digests, whoever gave them;
3. no rows are kept: to read them again is to ask again;
4. times with a zone are of UTC, whatever the session's own;
5. text is UTF-8: a PostgreSQL of encoding SQL_ASCII gives away whatever bytes it was given.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from components.core.batches import evenly
from components.core.data_settings import Table
from components.core.errors import DataError, SettingsError
from components.core.examples import SourceFile
from components.reading.columns import cast_batch, plain_schema, require_text_column
from components.reading.databases import rows_of
from components.reading.dates import LOCAL, are_dates, require_dates
from components.reading.opened import SpanRows, no_rows, selected, with_given
from components.reading.origins import Origin

_NOT_CODE = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | (\$\w*\$).*?\1 | --[^\n]* | /\*.*?\*/""",
    re.VERBOSE | re.DOTALL,
)
_ONE_SELECT = re.compile(r"^[\s(]*(select|with)\b[^;]*$", re.IGNORECASE)
_NUMERIC = "numeric"
_MONEY = b"money"


class QueryTable:
    """The result of a query; opening it asks the database, and its first reading goes on there."""

    def __init__(self, table: Table) -> None:
        self.name = table.name
        self.splits: tuple[str, ...] = ()
        self._table = table
        self._file: SourceFile | None = None
        self._begun: Iterator[pa.RecordBatch] | None = None
        self.schema, rows = self._ask()
        first = next(rows, None)
        if first is None:
            raise no_rows(self.name)
        self._begun = itertools.chain((first,), rows)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[SpanRows]:
        """Yield the rows; DataError, after the last of them, where they are not those pinned."""
        names = selected(self.schema, columns, self.name).names
        rows, self._begun = self._begun, None
        if rows is None:
            _, rows = self._ask()
        sink = _Digest()
        with ipc.new_stream(pa.PythonFile(sink, mode="w"), self.schema) as stream:
            for batch in rows:
                alone = [_alone(column) for column in batch.columns]
                stream.write_batch(pa.RecordBatch.from_arrays(alone, schema=self.schema))
                yield SpanRows(None, batch.select(names))
        self._file = self._described(sink)

    def require_dates(self, column: str) -> None:
        """Raise DataError naming the first row of a column of text that is no date."""
        texts = (piece.rows.column(0) for piece in self.batches([column]))
        require_dates(texts, column, Origin(self.name))

    def files(self) -> tuple[SourceFile, ...]:
        """Return the rows as if they were a file, once all have been read (rule 2)."""
        return () if self._file is None else (self._file,)

    def _described(self, sink: _Digest) -> SourceFile:
        file = SourceFile(location=self.name, sha256=sink.sha256.hexdigest(), bytes=sink.size)
        if self._table.sha256 not in (None, file.sha256):
            raise DataError(
                f"{self.name} gives other rows than the run was to read",
                remedy="restore the database, or correct sha256 in the settings",
                expected=self._table.sha256,
                actual=file.sha256,
            )
        return file

    def _ask(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Run the statement; return the types and the rows, the first of which is on its way."""
        rows = self._rows()
        schema = next(rows)
        return schema, rows

    def _rows(self) -> Iterator[Any]:
        """Yield the schema, then the rows in it; what it opens is closed with the generator."""
        database, statement = self._table.database, self._table.query
        if database is None or statement is None:
            raise SettingsError(f"{self.name} has no query", remedy="give a query and a database")
        with rows_of(database, one_select(statement, self.name)) as reader:
            stored = _stored_schema(reader.schema)
            plain = plain_schema(_numbers(reader.schema, stored), self.name)
            schema = with_given(plain, self._table)
            yield schema
            yield from evenly(self._typed(reader, stored, schema))

    def _typed(
        self, reader: pa.RecordBatchReader, stored: pa.Schema, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        origin = Origin(self.name)
        for batch in reader:
            columns = [
                _storage(column, kind).cast(field.type)
                for column, field, kind in zip(batch.columns, stored, schema.types, strict=True)
            ]
            rows = pa.RecordBatch.from_arrays(columns, schema=stored)
            for field, column in zip(stored, columns, strict=True):
                require_text_column(column, field.name, origin)
            try:
                rows = cast_batch(rows, schema, origin, self._table.types)
            except DataError:
                self._require_dates(rows, reader, origin)
                raise
            yield rows
            origin = origin.after(batch.num_rows)

    def _require_dates(
        self, rows: pa.RecordBatch, more: pa.RecordBatchReader, origin: Origin
    ) -> None:
        """Raise DataError for texts that the settings call dates, with how many there are."""
        for name, kind in self._table.types.items():
            texts = rows.column(name)
            if kind == "timestamp" and not are_dates(texts):
                later = (batch.column(name) for batch in more)
                require_dates(itertools.chain((texts,), later), name, origin, [LOCAL])


def open_query(table: Table) -> QueryTable:
    """Run a table's query; DataError where it fails or gives no row."""
    return QueryTable(table)


def one_select(statement: str, name: str) -> str:
    """Return a statement without its last semicolon; SettingsError unless it is one SELECT."""
    statement = statement.strip().removesuffix(";")
    if not _ONE_SELECT.match(_NOT_CODE.sub(" ", statement)):
        raise SettingsError(f"{name} is not one SELECT statement", remedy="write one SELECT")
    return statement


def _stored_schema(schema: pa.Schema) -> pa.Schema:
    """Return the types that a driver's columns have as Arrow's own: ADBC's numeric is text."""
    fields = []
    for field in schema:
        kind = field.type
        if (field.metadata or {}).get(b"POSTGRESQL:type") == _MONEY:
            kind = pa.binary()  # whole hundredths: no number to take unseen
        elif _is_numeric(kind):
            kind = pa.string()
        elif pa.types.is_timestamp(kind) and kind.tz is not None:
            kind = pa.timestamp(kind.unit, "UTC")
        fields.append(pa.field(field.name, kind))
    return pa.schema(fields)


def _numbers(schema: pa.Schema, stored: pa.Schema) -> pa.Schema:
    """Return the stored types with those numbers as numbers that the driver gives as text."""
    return pa.schema(
        [
            pa.field(field.name, pa.float64() if _is_numeric(field.type) else kind)
            for field, kind in zip(schema, stored.types, strict=True)
        ]
    )


def _is_numeric(kind: pa.DataType) -> bool:
    return getattr(kind, "type_name", "") == _NUMERIC


def _storage(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a driver's own type as what it stores; 5.00 as 5 where it is to become int64."""
    if not isinstance(column, pa.ExtensionArray):
        return column
    if _is_numeric(column.type) and pa.types.is_integer(kind):
        return pc.replace_substring_regex(column.storage, r"\.0*$", "")
    return column.storage


def _alone(column: pa.Array) -> pa.Array:
    """Return the column in buffers of its own and of its length, with nothing under a null.

    Arrow leaves there, and past the end, what it finds, and writes it to a stream.
    """
    nothing = pa.scalar("" if pa.types.is_string(column.type) else 0).cast(column.type)
    filled = pc.fill_null(column, nothing)
    if pa.types.is_string(column.type):
        _, offsets, data = filled.buffers()
        ends = np.frombuffer(offsets, np.int32)[filled.offset : filled.offset + len(filled) + 1]
        start, end = int(ends[0]), int(ends[-1])
        own = [pa.py_buffer(ends - ends[0]), pa.py_buffer(data.slice(start, end - start))]
    else:
        own = [pa.py_buffer(np.array(filled.view(pa.int64())))]
    valid = None
    if column.null_count:
        bits = np.array(pc.is_valid(column).to_numpy(zero_copy_only=False))
        valid = pa.py_buffer(np.packbits(bits, bitorder="little"))
    return pa.Array.from_buffers(column.type, len(column), [valid, *own], column.null_count)


class _Digest(io.RawIOBase):
    """A file that keeps only the digest and the number of the bytes written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.sha256, self.size = hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        with memoryview(data) as view:
            self.sha256.update(view)
            self.size += view.nbytes
            return view.nbytes
