"""The spans of a run on a cluster: from a scheduled time by the settings' rule, or as they stand.

Rules: a span is a month or a day of the time zone that the target names (`time_zone`), in which
KFP's controller reads cron too; a run takes spans that have ended, since what has not is not all
there; rows without spans of time have no schedule.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from components.core.data_settings import ONLY_SPAN, Schedule, Window
from components.core.data_settings.spans import span_before
from components.core.errors import SettingsError
from pipelines.settings import RunSettings

MONTH = len("2013-01")


def window_of(scheduled: datetime.datetime, settings: RunSettings, zone: ZoneInfo) -> Window:
    """Return the window of a scheduled time by the rule in the settings.

    Raises SettingsError for settings whose rows have no spans of time, and for a rule that reaches
    back before the calendar.
    """
    require_spans(settings)
    last = scheduled.astimezone(zone).date().isoformat()[: len(settings.window.last)]
    for _ in range(settings.schedule.lag):
        last = _before(last)
    return window_up_to(last, settings)


def window_up_to(last: str, settings: RunSettings) -> Window:
    """Return the window that ends with a span, as long as the rule says.

    Raises SettingsError for a span that is none of the settings' unit.
    """
    require_spans(settings)
    if len(last) != len(settings.window.last):
        raise SettingsError(
            f"{last} is no {settings.source.spans.unit}",
            remedy=f"write spans as {settings.window.last}",
        )
    first = last
    for _ in range(_length(settings.schedule, settings.window) - 1):
        first = _before(first)
    return Window(first=first, last=last)


def _before(span: str) -> str:
    try:
        return span_before(span)
    except OverflowError:  # the year 1 is the calendar's first
        raise SettingsError(
            "the rule for spans reaches back before the year 1",
            remedy="lower schedule.lag or schedule.spans",
        ) from None


def _length(rule: Schedule, window: Window) -> int:
    return rule.spans or len(window.spans())


def require_spans(settings: RunSettings) -> None:
    """Raise SettingsError for settings whose rows are one span, whatever the time."""
    if settings.window.last == ONLY_SPAN:
        raise SettingsError(
            f"the rows of {settings.name} have no spans of time (source.spans.unit is none)",
            remedy="submit single runs with `tandem submit`",
        )


def require_ended(window: Window, zone: ZoneInfo, now: datetime.datetime) -> None:
    """Raise SettingsError for a window whose last span has not ended."""
    if window.last != ONLY_SPAN and end_of(window.last, zone) > now:
        raise SettingsError(
            f"the span {window.last} has not ended: it does so at "
            f"{end_of(window.last, zone).isoformat()}",
            remedy="take an earlier span",
        )


def end_of(span: str, zone: ZoneInfo) -> datetime.datetime:
    """Return the moment at which a month or a day ends."""
    is_month = len(span) == MONTH
    first = datetime.date.fromisoformat(f"{span}-01" if is_month else span)
    days = 32 if is_month else 1
    after = first + datetime.timedelta(days)
    after = after.replace(day=1) if is_month else after
    return datetime.datetime.combine(after, datetime.time(), zone)


def spans_between(first: str, last: str) -> Iterator[str]:
    """Yield every span from one to another; SettingsError where they are not in order."""
    try:
        yield from Window(first=first, last=last).spans()
    except ValueError as error:
        raise SettingsError(
            f"{first} to {last} are no spans in order", remedy="write them as 2013-01 or 2013-01-31"
        ) from error
