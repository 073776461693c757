"""What each example says: the label, joined columns, the day of the week, dates as numbers.

Rules: what is known only after the prediction, what the settings leave out and every other time is
no column of the examples; columns are sorted by name; a new column never replaces another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.core.data_settings import Source, Target
from components.core.errors import DataError, SettingsError
from components.ingest_examples.joins import Lookup, index_table, require_columns
from components.ingest_examples.spans import columns_of, local_days
from components.ingest_examples.times import times_of


def used_columns(schema: pa.Schema, source: Source) -> list[str]:
    """Return the main table's columns that ingestion needs; DataError for one that is missing."""
    rules = [rule.column for rule in source.drop_where_null]
    split = [source.splits.column] if source.splits.column else []
    subject = [source.subject] if source.subject else []
    needed = [*columns_of(source), source.target.column, *rules, *split, *subject]
    require_columns(schema, needed, source.table.name)
    needed += [key for join in source.joins.values() for key in join.on]
    never = {*source.leakage, *source.leave_out} - set(needed)
    return [name for name in schema.names if name not in never]


class Shape:
    """Turns selected rows of the main table into examples, batch by batch."""

    def __init__(self, schema: pa.Schema, source: Source, further: Mapping[str, pa.Table]) -> None:
        """Check the settings against the columns that there are, without looking at a row."""
        self._source = source
        rows = self._add_weekday(_only(schema, used_columns(schema, source)), None)
        self._lookups: dict[str, Lookup] = {}
        self.without_partner = dict.fromkeys(source.joins, 0)
        for name, join in source.joins.items():
            self._lookups[name] = index_table(rows.schema, further[name], join, name)
            rows, _ = self._lookups[name].join(rows)
        _require_new([source.target.name], [*schema.names, *rows.column_names], "the label")
        everything = pa.schema([*schema, *(f for f in rows.schema if f.name not in schema.names)])
        later = [*source.leakage, *source.leave_out, *source.dates]
        require_columns(everything, later, "the source")
        times = {field.name for field in rows.schema if pa.types.is_timestamp(field.type)}
        self.left_out = sorted({*times, *source.leave_out} - set(source.leakage))
        self._never = {*times, *source.leave_out, *source.leakage, source.target.column}
        self.schema = self._finish(rows).schema

    def examples(self, rows: pa.Table, place: str | None) -> pa.Table:
        """Return the examples of rows, in their order; `place` is the span of their location."""
        rows = self._add_weekday(rows, place)
        for name, lookup in self._lookups.items():
            rows, alone = lookup.join(rows)
            self.without_partner[name] += alone
        return self._finish(rows)

    def require_partners(self, rows: int) -> None:
        """Raise DataError for a join that found no partner for any of the examples."""
        for name, alone in self.without_partner.items():
            if alone == rows:
                raise DataError(
                    f"join {name} found no partner for any of {rows} rows",
                    remedy="see that its keys are written alike in both tables; `types` and "
                    "shift_hours change how they are read",
                )

    def _finish(self, rows: pa.Table) -> pa.Table:
        columns = {name: rows[name] for name in rows.column_names if name not in self._never}
        for name in self._source.dates:
            columns |= self._date(rows, name, columns)
        columns[self._source.target.name] = label(rows, self._source.target)
        return pa.table({name: columns[name] for name in sorted(columns)})

    def _date(self, rows: pa.Table, name: str, taken: Mapping[str, Any]) -> dict[str, Any]:
        """Return a time as two whole numbers."""
        if name in {*self._source.leakage, self._source.target.column}:
            raise SettingsError(
                f"source.dates keeps {name}, which is known only after the prediction",
                remedy="take it out of source.dates",
            )
        _require_new([f"{name}_day", f"{name}_second"], taken, f"a part of date {name}")
        times = times_of(rows, name)
        unknown = ~times.known
        return {
            f"{name}_day": pa.array(times.whole("D"), mask=unknown),
            f"{name}_second": pa.array(times.seconds(), mask=unknown),
        }

    def _add_weekday(self, rows: pa.Table, place: str | None) -> pa.Table:
        """Return the rows with the day of the week, 1 for Monday, if the settings ask for it."""
        name, spans = self._source.weekday, self._source.spans
        if name is None:
            return rows
        _require_new([name], rows.column_names, "the day of the week")
        if place is None and spans.from_location:  # no rows yet, only their columns
            place = "1970-01-01" if spans.unit == "day" else None
        days = local_days(rows, spans, place)
        # 1970-01-01 was a Thursday.
        numbers = np.where(days.known, (days.whole("D") + 3) % 7 + 1, 0)
        return rows.append_column(name, pa.array(numbers, mask=~days.known))


def _only(schema: pa.Schema, names: list[str]) -> pa.Table:
    """Return a table with these columns of a schema, and no rows."""
    return pa.schema([schema.field(name) for name in names]).empty_table()


def _require_new(names: list[str], taken: Any, what: str) -> None:
    for name in names:
        if name in taken:
            raise SettingsError(
                f"{what} {name} is a column of the source",
                remedy="give it another name in the settings' section source",
            )


def label(rows: pa.Table, target: Target) -> pa.ChunkedArray:
    """Return what the target's question is answered with: int64, of `number` float64.

    `above` and `number` ask numbers; `equals` and `classes` ask text, or whole numbers by their
    decimal digits. A value that is no answer has none: null.
    """
    column = rows[target.column]
    whole = pa.types.is_integer(column.type)
    if target.equals is not None or target.classes is not None:
        if not (whole or pa.types.is_string(column.type)):
            raise _wrong_target(target, column, "text", "above or source.target.number")
        texts = column.cast(pa.string())
        if target.classes is not None:
            return pc.index_in(texts, value_set=pa.array(target.classes)).cast(pa.int64())
        return pc.equal(texts, target.equals).cast(pa.int64())
    if not (whole or pa.types.is_floating(column.type)):
        raise _wrong_target(target, column, "numbers", "equals or source.target.classes")
    return _number(column) if target.above is None else _above(column, target.above)


def _number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the number; none where a model's float32 could not hold it."""
    values = column.cast(pa.float64(), safe=False)
    fits = pc.less_equal(pc.abs(values), float(np.finfo(np.float32).max))
    return pc.if_else(fits, values, pa.scalar(None, pa.float64()))


def _above(column: pa.ChunkedArray, bound: float) -> pa.ChunkedArray:
    """Compare whole numbers as such: float64 would make some equal that differ."""
    if pa.types.is_integer(column.type) and -(2.0**63) <= bound < 2.0**63:
        is_above = pc.greater(column, pa.scalar(math.floor(bound), pa.int64()))
    else:
        is_above = pc.greater(column.cast(pa.float64(), safe=False), bound)
    return is_above.cast(pa.int64())


def _wrong_target(target: Target, column: pa.ChunkedArray, wanted: str, other: str) -> DataError:
    return DataError(
        f"target column {target.column} is {column.type}, not {wanted}",
        remedy=f"name another column in source.target.column, or use source.target.{other}",
    )
