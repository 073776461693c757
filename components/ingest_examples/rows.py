"""Which rows become examples: each is kept, or counted under one reason, the first that applies.

Reasons in their order: no span, outside the window, those of the settings, no target. Values never
leave this module: messages hold counts, spans and names of columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.core.data_settings import Source, Window
from components.core.errors import DataError
from components.core.examples import Dropped
from components.ingest_examples.spans import no_span, shown, span_names, span_number, span_numbers
from components.ingest_examples.times import Times

OUTSIDE = "outside the window"
Mask = np.ndarray[Any, Any]


class Selection:
    """Selects rows batch by batch, and keeps count of those it saw and those it dropped."""

    def __init__(self, source: Source, window: Window) -> None:
        self._source, self._window = source, window
        self._unit = source.spans.unit
        self._first = span_number(window.first, self._unit)
        self.spans = window.spans()
        self.rows = 0
        self._dropped: dict[str, int] = {}
        self._seen: set[int] = set()
        self._kept = np.zeros(len(self.spans), dtype=np.int64)

    def select(self, rows: pa.Table, times: Times) -> tuple[Mask, Mask]:
        """Return which rows are kept, and the place in the window of each one kept."""
        numbers = span_numbers(times, self._source.spans)
        self._seen.update(np.unique(numbers[times.known]).tolist())
        keep = np.ones(rows.num_rows, dtype=bool)
        for reason, bad in self._reasons(rows, numbers - self._first, times.known):
            self._dropped[reason] = self._dropped.get(reason, 0) + int(np.sum(keep & bad))
            keep &= ~bad
        places = (numbers - self._first)[keep]
        self.rows += rows.num_rows
        self._kept += np.bincount(places, minlength=len(self.spans))
        return keep, places

    def _reasons(self, rows: pa.Table, places: Mask, known: Mask) -> Iterator[tuple[str, Mask]]:
        """Yield each reason to drop rows with the mask of rows that it applies to."""
        target = self._source.target.column
        yield no_span(self._source.spans), ~known
        yield OUTSIDE, (places < 0) | (places >= len(self.spans))
        for rule in self._source.drop_where_null:
            yield rule.reason, _is_null(rows[rule.column])
        yield f"no {target}", _is_null(rows[target])

    def dropped(self) -> tuple[Dropped, ...]:
        """Return every reason that applied to rows, with their number."""
        return tuple(Dropped(reason=r, rows=n) for r, n in self._dropped.items() if n)

    def require_every_span(self) -> None:
        """Raise DataError for a window or one of its spans without rows, naming those there are."""
        missing = [span for span, rows in zip(self.spans, self._kept, strict=True) if not rows]
        if missing:
            known = span_names(self._seen, self._unit)
            if self._unit == "day":  # which days there are may say too much of people
                known = known[:1] + known[-1:]
            raise DataError(
                f"no usable rows for {shown(missing)} of the window",
                remedy=f"choose a window inside the spans of the data: {shown(known) or 'none'}",
                expected=list(self.spans),
                actual=known,
            )


def _is_null(column: pa.ChunkedArray) -> Mask:
    return np.asarray(pc.is_null(column, nan_is_null=True).to_numpy())
