"""Dates and times as whole numbers: what spans, the day of the week and kept dates are made of.

Rules: days are counted from 1970-01-01 and a time that has a zone is taken in UTC; year, month and
day in columns of their own are a local date and are taken as they are. What is missing, or what no
calendar has, such as 31 February, is missing in the result; nothing is moved to a neighbouring day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.core.errors import DataError

Array = np.ndarray[Any, Any]
_LAST_YEAR = 9999


@dataclass(frozen=True)
class Times:
    """Instants as numpy datetime64 of any unit, with a mask of the rows that have one."""

    values: Array
    known: Array

    def whole(self, unit: str) -> Array:
        """Return whole units since 1970-01-01, the earlier one; 0 where there is no instant."""
        numbers = self.values.astype(f"datetime64[{unit}]").astype(np.int64)
        return np.where(self.known, numbers, 0)

    def seconds(self) -> Array:
        """Return seconds since midnight; 0 where there is no instant."""
        midnight = self.values.astype("datetime64[D]").astype("datetime64[s]")
        passed = (self.values.astype("datetime64[s]") - midnight).astype(np.int64)
        return np.where(self.known, passed, 0)


def times_of(rows: pa.Table, name: str) -> Times:
    """Return a column's instants; DataError for a column that holds none."""
    column = rows[name]
    if not pa.types.is_timestamp(column.type):
        raise DataError(
            f"column {name} is {column.type}, not a date or time",
            remedy=f"say `types: {{{name}: timestamp}}` for its table, or name another column",
        )
    numbers = column.cast(pa.int64()).fill_null(0).to_numpy()
    return Times(numbers.view(f"datetime64[{column.type.unit}]"), _known(column))


def months_of(rows: pa.Table, year: str, month: str) -> Times:
    """Return the months that two columns name."""
    years, months = _whole_numbers(rows, year), _whole_numbers(rows, month)
    known = _known(rows[year]) & _known(rows[month])
    known &= (years >= 1) & (years <= _LAST_YEAR) & (months >= 1) & (months <= 12)
    numbers = np.where(known, (np.where(known, years, 1970) - 1970) * 12 + months - 1, 0)
    return Times(numbers.astype("datetime64[M]"), known)


def days_of(rows: pa.Table, year: str, month: str, day: str) -> Times:
    """Return the days that three columns name."""
    first, days = months_of(rows, year, month), _whole_numbers(rows, day)
    known = first.known & _known(rows[day]) & (days >= 1) & (days <= 31)
    values = first.values.astype("datetime64[D]") + np.where(known, days - 1, 0)
    known &= values.astype("datetime64[M]") == first.values
    return Times(values, known)


def _whole_numbers(rows: pa.Table, name: str) -> Array:
    column = rows[name]
    if not pa.types.is_integer(column.type):
        raise DataError(
            f"column {name} is {column.type}, not whole numbers",
            remedy=f"say `types: {{{name}: int64}}` for its table where they are written like 01, "
            "or name other columns in source.spans.columns",
        )
    return np.asarray(column.fill_null(0).to_numpy())


def _known(column: pa.ChunkedArray) -> Array:
    return np.asarray(pc.is_valid(column).to_numpy())
