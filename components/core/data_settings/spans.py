"""Spans, the units of time that rows come in, and the window of spans that a run takes."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.core.settings import Count, Flag, Name, Section

ONLY_SPAN = "all"
_MONTH = r"\d{4}-(0[1-9]|1[0-2])"
SPAN_PATTERN = rf"^({_MONTH}|{_MONTH}-(0[1-9]|[12]\d|3[01])|{ONLY_SPAN})$"
Span = Annotated[str, Field(pattern=SPAN_PATTERN)]


class Spans(Section):
    """How rows fall into spans of time: a month, a day, or `none` where all rows are one span.

    The span comes from whole-number `columns` (year, month and, for days, day), from `column`, a
    date or time, or from `{span}` in the location of the table.
    """

    unit: Literal["month", "day", "none"] = "month"
    columns: tuple[Name, ...] = ()
    column: Name | None = None
    from_location: Flag = False

    @model_validator(mode="after")
    def _one_origin(self) -> Spans:
        origins = sum((bool(self.columns), self.column is not None, self.from_location))
        if origins != (self.unit != "none"):
            raise ValueError(
                "spans come from columns, column or from_location, one of them; unit none has none"
            )
        if self.columns and len(self.columns) != {"month": 2, "day": 3}.get(self.unit):
            raise ValueError("columns are year and month, or year, month and day")
        return self


class Window(Section):
    """The spans of a run, `first` to `last`, both included, of one unit."""

    first: Span
    last: Span

    @model_validator(mode="after")
    def _in_order(self) -> Window:
        if len(self.first) != len(self.last) or self.first > self.last:
            raise ValueError("first and last are of one unit, and first is not after last")
        self.spans()  # a day that no calendar has is refused
        return self

    def spans(self) -> tuple[str, ...]:
        """Return every span of the window in order."""
        if self.first == ONLY_SPAN:
            return (ONLY_SPAN,)
        if len(self.first) == len("2013-01"):
            return self._months()
        first, last = (datetime.date.fromisoformat(day) for day in (self.first, self.last))
        days = range((last - first).days + 1)
        return tuple((first + datetime.timedelta(n)).isoformat() for n in days)

    def _months(self) -> tuple[str, ...]:
        year, month = (int(part) for part in self.first.split("-"))
        found = [self.first]
        while found[-1] != self.last:
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
            found.append(f"{year:04d}-{month:02d}")
        return tuple(found)


class Schedule(Section):
    """Which spans a scheduled run takes: `spans` of them, up to `lag` before that of its time."""

    lag: Count = Field(
        default=1, description="1 is the month or day before the scheduled one, the last that ended"
    )
    spans: Count | None = Field(
        default=None, description="how many; by default as many as the window has"
    )


def span_before(span: str) -> str:
    """Return the month or the day before; ValueError for a text that is neither."""
    return (first_day(span) - datetime.timedelta(1)).isoformat()[: len(span)]


def first_day(span: str) -> datetime.date:
    """Return the first day of a month, or the day itself; ValueError for a text that is neither."""
    month = len(span) == len("2013-01")
    return datetime.date.fromisoformat(f"{span}-01" if month else span)


WHOLE = Window(first=ONLY_SPAN, last=ONLY_SPAN)
