"""Join further tables to the rows, as columns: every row stays, in its place, exactly once.

Rules:
1. a left join: a row without a partner, or without a value in a key, gets nulls; NaN is no value;
2. the key is unique in the further table, so that no row is doubled;
3. a shifted time key lets a row see only what was observed that many hours before;
4. the further table is read whole and indexed once; rows are looked up batch by batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.core.data_settings import Join
from components.core.errors import DataError, SettingsError
from components.reading.opened import meant

Codes = np.ndarray[Any, Any]
NONE = -1


def require_columns(schema: pa.Schema, names: Sequence[str], what: str) -> None:
    """Raise DataError naming the first column that a table does not have."""
    for name in names:
        if name not in schema.names:
            raise DataError(
                f"column {name} is missing in {what}{meant(name, schema.names)}",
                remedy=f"{what} has: {', '.join(schema.names)}",
                expected=name,
                actual=schema.names,
            )


@dataclass(frozen=True)
class KeyIndex:
    """Numbers the distinct keys of several columns, one column after the other.

    A key's number after column n is the place of (its number before, its value's place in
    `values[n]`), as one whole number, in the sorted `pairs[n]`; `NONE` is no known key.
    """

    values: tuple[pa.Array, ...]
    pairs: tuple[Codes, ...]

    @classmethod
    def of(cls, columns: Sequence[pa.ChunkedArray]) -> KeyIndex:
        """Return the index of every key without a null in the columns."""
        values, pairs = [], []
        numbers = np.zeros(len(columns[0]), dtype=np.int64)
        for column in columns:
            values.append(column.unique().drop_null())
            pair = _pair(numbers, column, values[-1])
            pairs.append(np.unique(pair[pair != NONE]))
            numbers = _places(pair, pairs[-1])
        return cls(tuple(values), tuple(pairs))

    def numbers(self, columns: Sequence[pa.ChunkedArray]) -> Codes:
        """Return the number of each row's key; NONE where it is not in the index."""
        numbers = np.zeros(len(columns[0]), dtype=np.int64)
        for column, values, pairs in zip(columns, self.values, self.pairs, strict=True):
            numbers = _places(_pair(numbers, column, values), pairs)
        return numbers


def _pair(numbers: Codes, column: pa.ChunkedArray, values: pa.Array) -> Codes:
    """Return the number before and the value's place as one number; both are less than 2**31."""
    found = pc.index_in(column, value_set=values, skip_nulls=True).fill_null(NONE)
    places = found.to_numpy().astype(np.int64)
    return np.where((numbers == NONE) | (places == NONE), NONE, numbers * len(values) + places)


def _places(pair: Codes, known: Codes) -> Codes:
    """Return the place of each number in a sorted list, NONE where it is not there."""
    if not len(known):
        return np.full(len(pair), NONE, dtype=np.int64)
    places = np.minimum(np.searchsorted(known, pair), len(known) - 1)
    return np.where(known[places] == pair, places, NONE)


@dataclass(frozen=True)
class Lookup:
    """A further table, indexed: adds its columns to rows of one schema."""

    on: tuple[str, ...]
    index: KeyIndex
    partner: Codes  # the further table's row, by the number of its key
    columns: Mapping[str, pa.Array]

    def join(self, rows: pa.Table) -> tuple[pa.Table, int]:
        """Return the rows with the further table's columns, and how many have no partner."""
        numbers = self.index.numbers([rows[key] for key in self.on])
        missing = numbers == NONE
        if missing.all():
            partner = pa.nulls(len(numbers), pa.int64())
        else:
            partner = pa.array(self.partner[numbers], mask=missing)
        for name, column in self.columns.items():
            rows = rows.append_column(name, column.take(partner))
        return rows, int(np.count_nonzero(missing))


def index_table(schema: pa.Schema, further: pa.Table, join: Join, name: str) -> Lookup:
    """Return a further table ready to be joined to rows of a schema.

    Its columns are the join's. Raises DataError for a key that the rows do not have, of another
    type or not unique, and SettingsError for a column that the rows already have.
    """
    require_columns(schema, join.on, "the main table")
    columns: dict[str, pa.Array] = {}
    for column in join.columns:
        joined = join.prefix + column
        if joined in schema.names or joined in columns:
            raise SettingsError(
                f"join {name} would write column {joined} twice", remedy="give the join a prefix"
            )
        columns[joined] = _one_chunk(further[column])
    keys = _keys(schema, further, join, name)
    index = KeyIndex.of(keys)
    return Lookup(join.on, index, _partners(index, keys, join, name), columns)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)


def _keys(schema: pa.Schema, further: pa.Table, join: Join, name: str) -> list[pa.ChunkedArray]:
    """Return the further table's key columns, shifted, in the types of the rows' keys."""
    columns = []
    for key in join.on:
        column = _shifted(further[key], join.shift_hours.get(key, 0), key)
        try:
            if _nature(column.type) != _nature(schema.field(key).type):
                raise pa.ArrowInvalid  # 7 is not 007, nor ten o'clock somewhere ten o'clock in UTC
            columns.append(_without_nan(column.cast(schema.field(key).type)))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(
                f"key {key} is {column.type} in table {name}, and {schema.field(key).type} in the "
                "main table",
                remedy="name one type for both in the tables' `types`; times have a zone in both "
                "or in none",
                expected=str(schema.field(key).type),
                actual=str(column.type),
            ) from error
    _refuse_strange_shifts(join.shift_hours, join.on, name)
    return columns


def _nature(kind: pa.DataType) -> tuple[bool, ...]:
    """Return whether keys of a type are text, times, and times with a zone."""
    times = pa.types.is_timestamp(kind)
    return pa.types.is_string(kind), times, times and kind.tz is not None


def _without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), None, column)


def _shifted(column: pa.ChunkedArray, hours: int, key: str) -> pa.ChunkedArray:
    if not hours:
        return column
    if not pa.types.is_timestamp(column.type):
        raise SettingsError(
            f"key {key} cannot be shifted by hours: it is {column.type}, not a time",
            remedy="shift a key that holds full timestamps, so that days and years carry over",
        )
    step = pa.scalar(timedelta(hours=hours), type=pa.duration(column.type.unit))
    return pc.add(column, step)


def _refuse_strange_shifts(shifts: Mapping[str, int], on: Sequence[str], name: str) -> None:
    for key in shifts.keys() - set(on):
        raise SettingsError(
            f"join {name} shifts {key}, which is not among its keys", remedy="add it to `on`"
        )


def _partners(index: KeyIndex, keys: Sequence[pa.ChunkedArray], join: Join, name: str) -> Codes:
    """Return the row of each key's number; DataError where a key has more than one."""
    numbers = index.numbers(keys)
    (rows,) = np.nonzero(numbers != NONE)
    known = numbers[rows]
    distinct = len(index.pairs[-1])
    if distinct < len(rows):
        raise DataError(
            f"{len(rows) - distinct} rows of table {name} repeat a key ({', '.join(join.on)})",
            remedy="give a key that is unique there, or remove the rows",
            expected=len(rows),
            actual=distinct,
        )
    partner = np.zeros(distinct, dtype=np.int64)
    partner[known] = rows
    return partner
