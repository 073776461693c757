"""Join further tables to the rows, as columns: every row stays, in its place, exactly once.

Rules:
1. a left join: a row without a partner gets nulls;
2. the key is unique in the further table, so that no row is doubled;
3. a shifted time key lets a row see only what was observed that many hours before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.core.errors import DataError, SettingsError
from components.core.settings import Join

_ROW = "__row__"
_PARTNER = "__partner__"


def join_table(rows: pa.Table, further: pa.Table, join: Join, name: str) -> pa.Table:
    """Return the rows with the further table's columns under the join's prefix.

    Raises DataError for a key that is missing, of another type or not unique, and SettingsError
    for a column that the rows already have.
    """
    require_columns(rows, join.on, "the main table")
    require_columns(further, [*join.on, *join.columns], f"table {name}")
    keys = _keys(rows, further, join, name)
    _require_unique(keys, join, name)
    partner = _partners(rows.select(list(join.on)), keys)
    for column in join.columns:
        joined = join.prefix + column
        if joined in rows.column_names:
            raise SettingsError(
                f"join {name} would write column {joined} twice", remedy="give the join a prefix"
            )
        rows = rows.append_column(joined, further[column].take(partner))
    return rows


def require_columns(table: pa.Table, names: Sequence[str], what: str) -> None:
    """Raise DataError naming the first column that the table does not have."""
    for name in names:
        if name not in table.column_names:
            raise DataError(
                f"column {name} is missing in {what}",
                remedy=f"{what} has: {', '.join(table.column_names)}",
                expected=name,
                actual=table.column_names,
            )


def _keys(rows: pa.Table, further: pa.Table, join: Join, name: str) -> pa.Table:
    """Return the further table's key columns, shifted, in the types of the rows' keys."""
    columns: dict[str, pa.ChunkedArray] = {}
    for key in join.on:
        column = _shifted(further[key], join.shift_hours.get(key, 0), key)
        try:
            columns[key] = column.cast(rows.schema.field(key).type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(
                f"key {key} is {column.type} in table {name}",
                remedy="store both keys in one type",
                expected=str(rows.schema.field(key).type),
                actual=str(column.type),
            ) from error
    _refuse_strange_shifts(join.shift_hours, join.on, name)
    return pa.table(columns)


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


def _require_unique(keys: pa.Table, join: Join, name: str) -> None:
    groups = keys.group_by(list(join.on), use_threads=False).aggregate([([], "count_all")])
    doubled = keys.num_rows - groups.num_rows
    if doubled:
        raise DataError(
            f"{doubled} rows of table {name} repeat a key ({', '.join(join.on)})",
            remedy="give a key that is unique there, or remove the rows",
            expected=keys.num_rows,
            actual=groups.num_rows,
        )


def _partners(left: pa.Table, right: pa.Table) -> pa.Array:
    """Return for each row the number of its partner, or null; the join itself keeps no order."""
    joined = _numbered(left, _ROW).join(
        _numbered(right, _PARTNER), keys=left.column_names, join_type="left outer"
    )
    return joined.sort_by(_ROW)[_PARTNER].combine_chunks()


def _numbered(table: pa.Table, name: str) -> pa.Table:
    return table.append_column(name, pa.array(np.arange(table.num_rows, dtype=np.int64)))
