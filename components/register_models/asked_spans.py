"""Which spans of an ingestion hold days that are asked for: by month, by day, or FIRST:LAST.

Rules: a month holds its days and a day is held by its month, so that data ingested by month is
found by a day of it, and the other way round; a window holds both of its ends. Any other text is
the name of a span, or of something else, and holds itself alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from components.core.data_settings import ONLY_SPAN, SPAN_PATTERN
from components.core.data_settings.spans import first_day
from components.core.errors import SettingsError

_PERIOD = re.compile(SPAN_PATTERN)


def spans_asked(what: str, spans: Iterable[str]) -> tuple[str, ...]:
    """Return those of some spans that hold any of what is asked for.

    Raises SettingsError for a window that ends before it begins.
    """
    first, is_window, last = what.partition(":")
    last = last if is_window else first
    if not (_is_period(first) and _is_period(last)):
        return tuple(span for span in spans if span == what)
    if _cut(last, first) < _cut(first, last):
        raise SettingsError(
            f"{what} ends before it begins", remedy="write a window as 2013-01:2013-10"
        )
    return tuple(
        span
        for span in spans
        if _cut(span, first) >= _cut(first, span) and _cut(span, last) <= _cut(last, span)
    )


def _is_period(text: str) -> bool:
    """Say whether a text is a month or a day that a calendar has."""
    if text == ONLY_SPAN or not _PERIOD.fullmatch(text):
        return False
    try:
        first_day(text)
    except ValueError:
        return False
    return True


def _cut(span: str, other: str) -> str:
    """Return a span as exactly as the other is known: of a day its month beside a month."""
    return span[: len(other)]
