"""What every opened table is, whether its rows come from files or from a database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from components.core.data_settings import Table
from components.core.errors import DataError, SettingsError
from components.core.examples import SourceFile
from components.core.words import nearest
from components.reading.columns import KINDS, known

_DELIMITERS = (";", "\t", "|")


@dataclass(frozen=True)
class SpanRows:
    """Rows of one table, and their span where the location has {span}."""

    span: str | None
    rows: pa.RecordBatch


class OpenedTable(Protocol):
    """A table whose types are known and whose rows can be read, any number of times.

    Every batch has exactly `schema`, or the columns of it that were asked for: int64, float64,
    string and timestamps.
    """

    @property
    def name(self) -> str:
        """What messages and records call the table."""

    @property
    def schema(self) -> pa.Schema:
        """The columns and their types."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that its files' places name, each once; none where the location has none."""

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[SpanRows]:
        """Yield the rows in order, at most 65,536 at a time, of the columns named or of all."""

    def require_dates(self, column: str) -> None:
        """Raise DataError where a column of text has one that is no date, naming its row."""

    def files(self) -> tuple[SourceFile, ...]:
        """Return what was read; complete once `batches` is exhausted."""


def selected(schema: pa.Schema, columns: Sequence[str] | None, name: str) -> pa.Schema:
    """Return the schema of the columns named, in their order; DataError for one it has not."""
    names = schema.names if columns is None else columns
    for column in names:
        if column not in schema.names:
            raise DataError(
                f"{name} has no column {column}{meant(column, schema.names)}",
                remedy=f"name one of: {', '.join(schema.names)}",
            )
    return pa.schema([schema.field(column) for column in names])


def with_given(schema: pa.Schema, table: Table) -> pa.Schema:
    """Return the schema with the settings' types, and with float64 for what has no value.

    Raises SettingsError for a column that there is not, and for numbers that are to be times or
    the other way round: of which unit, and from when, nobody has said.
    """
    for column in table.types:
        if column not in schema.names:
            raise SettingsError(
                f"source.*.types names column {column}, which {table.name} does not have"
                f"{meant(column, schema.names)}",
                remedy=f"name one of: {', '.join(schema.names)}",
            )
        kind, stored = KINDS[table.types[column]], schema.field(column).type
        if {_nature(kind), _nature(stored)} == {"numbers", "times"}:
            raise SettingsError(
                f"source.*.types makes {_nature(kind)} of column {column}, "
                f"which {table.name} has as {stored}",
                remedy=f"take it out of types; {_nature(kind)} are made of it where it is written, "
                "or in a query",
            )
    kinds = {name: KINDS[kind] for name, kind in table.types.items()}
    return known(pa.schema([pa.field(f.name, kinds.get(f.name, f.type)) for f in schema]))


def _nature(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "numbers"
    return "times" if pa.types.is_timestamp(kind) else "text"


def no_rows(name: str) -> DataError:
    """Return the error for a table without a row."""
    return DataError(f"{name} has no rows", remedy="give a table that has rows")


def meant(column: str, names: Sequence[str]) -> str:
    """Return what may be the cause where a table has no such column: a near name, a delimiter."""
    if len(names) == 1 and (signs := [sign for sign in _DELIMITERS if sign in names[0]]):
        return f"; its one column is {names[0]!r}: set the table's delimiter to {signs[0]!r}"
    return nearest(column, names)
