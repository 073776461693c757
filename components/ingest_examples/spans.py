"""Which span of the window each row falls into.

Rules: a span is numbered in months or days since 1970-01, as its unit says, and the one span of
unit `none` is 0; a row is known by its own values or its file's place, never by its neighbours, so
rows may come in any order of time.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from components.core.data_settings import ONLY_SPAN, Source, Spans
from components.core.errors import DataError, SettingsError
from components.ingest_examples.times import Times, days_of, months_of, times_of

_UNITS = {"month": "M", "day": "D"}
# With year and month in columns, the day of a date is in this one.
DAY_COLUMN = "day"
_SHOWN_SPANS = 24


def columns_of(source: Source) -> tuple[str, ...]:
    """Return the columns of the main table that spans and the day of the week are made of."""
    spans = source.spans
    names = spans.columns or ((spans.column,) if spans.column else ())
    if source.weekday and len(spans.columns) == 2:
        return (*names, DAY_COLUMN)
    return names


def span_number(span: str, unit: str) -> int:
    """Return 516 for month 2013-01; DataError for a text that is no span of the unit."""
    if unit == "none":
        return 0
    try:
        found = np.array(span, dtype=f"datetime64[{_UNITS[unit]}]")
    except ValueError:
        found = np.array("NaT", dtype="datetime64")
    if str(found) != span:
        raise DataError(
            f"{span} in the location of a file is not a {unit}",
            remedy="name files or folders like 2013-01 for a month, like 2013-01-31 for a day",
        )
    return int(found.astype(np.int64))


def span_names(numbers: Iterable[int], unit: str) -> list[str]:
    """Return the names of spans in their order: 2013-01 for 516."""
    if unit == "none":
        return [ONLY_SPAN for _ in numbers]
    return [str(name) for name in np.array(sorted(numbers), dtype=f"datetime64[{_UNITS[unit]}]")]


def shown(names: list[str]) -> str:
    """Return the first spans of a list, for a message."""
    return ", ".join(names[:_SHOWN_SPANS]) + (" ..." if len(names) > _SHOWN_SPANS else "")


def spans_of(rows: pa.Table, spans: Spans, place: str | None) -> Times:
    """Return the span of each row; `place` is the one that its file's location names."""
    if spans.unit == "none" or spans.from_location:
        number = span_number(place or ONLY_SPAN, spans.unit)
        unit = _UNITS.get(spans.unit, "D")
        numbers = np.full(rows.num_rows, number, dtype=f"datetime64[{unit}]")
        return Times(numbers, np.ones(rows.num_rows, dtype=bool))
    if spans.column is not None:
        return times_of(rows, spans.column)
    return (days_of if spans.unit == "day" else months_of)(rows, *spans.columns)


def span_numbers(times: Times, spans: Spans) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the span numbers of instants."""
    return times.whole(_UNITS.get(spans.unit, "D"))


def no_span(spans: Spans) -> str:
    """Return the reason why a row without a span is dropped."""
    return f"no date in {', '.join(spans.columns or (spans.column or 'its location',))}"


def local_days(rows: pa.Table, spans: Spans, place: str | None) -> Times:
    """Return the day of each row, for the day of the week; SettingsError where none is known."""
    if len(spans.columns) == 2:
        return days_of(rows, *spans.columns, DAY_COLUMN)
    if spans.unit == "none" or (spans.from_location and spans.unit == "month"):
        raise SettingsError(
            f"source.weekday needs the day of a row, and spans of unit {spans.unit} have none here",
            remedy="take weekday out, or take the spans from dates",
        )
    return spans_of(rows, spans, place)
