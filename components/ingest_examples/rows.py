"""Which rows become examples, and what each of them says: window, label, weekday, drops.

Rules: a row is kept or counted under one reason, the first that applies: outside the window, then
the reasons of the settings in their order, then a missing target. Values never leave this module:
messages hold counts, spans and names of columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.core.errors import DataError
from components.core.examples import Dropped
from components.core.settings import Source, Target, Window
from components.ingest_examples.joins import require_columns

DAY_COLUMN = "day"
OUTSIDE = "outside the window"
_SHOWN_SPANS = 24


@dataclass(frozen=True)
class Selection:
    """The rows that stay, their span as year * 100 + month, and what was dropped."""

    rows: pa.Table
    spans: np.ndarray[Any, Any]
    dropped: tuple[Dropped, ...]


def select_rows(table: pa.Table, source: Source, window: Window) -> Selection:
    """Return the rows of the window that have a target, in the source's order.

    Raises DataError for a missing column, and for a window or one of its spans without rows; the
    message names the spans that the data has.
    """
    require_columns(
        table,
        [
            *source.span_columns,
            source.target.column,
            *(rule.column for rule in source.drop_where_null),
            *source.leakage,
        ],
        source.table.location,
    )
    spans = _span_codes(table, source)
    keep = np.ones(table.num_rows, dtype=bool)
    dropped = []
    for reason, bad in _reasons(table, source, window, spans):
        dropped.append(Dropped(reason=reason, rows=int(np.count_nonzero(keep & bad))))
        keep &= ~bad
    _require_every_span(spans, keep, window)
    rows = table.filter(pa.array(keep))
    return Selection(rows, spans[keep], tuple(d for d in dropped if d.rows))


def span_code(span: str) -> int:
    """Return 201301 for 2013-01."""
    return int(span.replace("-", ""))


def _span_codes(table: pa.Table, source: Source) -> np.ndarray[Any, Any]:
    """Return year * 100 + month of each row; -1 where either is missing."""
    year, month = (_whole_numbers(table, name) for name in source.span_columns)
    return np.where((year < 0) | (month < 0), -1, year * 100 + month)


def _whole_numbers(table: pa.Table, name: str) -> np.ndarray[Any, Any]:
    column = table[name]
    if not pa.types.is_integer(column.type):
        raise DataError(
            f"column {name} is {column.type}, not whole numbers",
            remedy="name the columns of year and month in source.span_columns",
        )
    return np.asarray(column.fill_null(-1).to_numpy())


def _reasons(
    table: pa.Table, source: Source, window: Window, spans: np.ndarray[Any, Any]
) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Yield each reason to drop rows with the mask of rows that it applies to."""
    yield OUTSIDE, ~np.isin(spans, [span_code(span) for span in window.spans()])
    for rule in source.drop_where_null:
        yield rule.reason, _is_null(table[rule.column])
    yield f"no {source.target.column}", _is_null(table[source.target.column])


def _is_null(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    return np.asarray(pc.is_null(column, nan_is_null=True).to_numpy())


def _require_every_span(
    spans: np.ndarray[Any, Any], keep: np.ndarray[Any, Any], window: Window
) -> None:
    there = set(np.unique(spans[keep]).tolist())
    missing = [span for span in window.spans() if span_code(span) not in there]
    if missing:
        known = [f"{code // 100:04d}-{code % 100:02d}" for code in np.unique(spans) if code > 0]
        shown = ", ".join(known[:_SHOWN_SPANS]) + (" ..." if len(known) > _SHOWN_SPANS else "")
        raise DataError(
            f"no usable rows for {', '.join(missing)} of the window",
            remedy=f"choose a window inside the spans of the data: {shown or 'none'}",
            expected=list(window.spans()),
            actual=known,
        )


def add_weekday(rows: pa.Table, source: Source) -> pa.Table:
    """Return the rows with the day of the week, 1 for Monday, if the settings ask for it.

    It is made of the span columns and the column `day`, which are local dates; timestamps in UTC
    would move the last hours of a day to the next one.
    """
    if source.weekday is None:
        return rows
    require_columns(rows, [DAY_COLUMN], "the main table, which weekday needs,")
    year, month = (_whole_numbers(rows, name) for name in source.span_columns)
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]").astype(np.int64) + _whole_numbers(rows, DAY_COLUMN) - 1
    # 1970-01-01 was a Thursday.
    return rows.append_column(source.weekday, pa.array((days + 3) % 7 + 1))


def label(rows: pa.Table, target: Target) -> pa.Table:
    """Return the rows with the label, 0 or 1, in place of the target's column."""
    column = rows[target.column]
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise DataError(
            f"target column {target.column} is {column.type}, not numbers",
            remedy="name a numeric column in source.target.column",
        )
    values = pc.greater(column.cast(pa.float64()), target.above).cast(pa.int64())
    return rows.drop_columns([target.column]).append_column(target.name, values)


def require_both_classes(
    labels: np.ndarray[Any, Any], spans: np.ndarray[Any, Any], window: Window
) -> None:
    """Raise DataError for a split whose label has one class only."""
    evaluated = spans == span_code(window.last)
    for split, part in (("train", labels[~evaluated]), ("eval", labels[evaluated])):
        ones = int(part.sum())
        if ones in (0, len(part)):
            raise DataError(
                f"the target has one class only in split {split}: {ones} of {len(part)} rows are 1",
                remedy="change source.target.above, or the window",
                expected="both classes",
                actual=ones,
            )
