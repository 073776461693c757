"""Cron expressions of five fields, as people write them, for KFP's controller, which has six.

Rules: minute, hour, day of the month, month, day of the week (0 or SUN is Sunday), with lists,
ranges and steps; what KFP's parser (robfig/cron 1.2) does not know, `L`, `#`, `?` and 7 among it,
is refused here, before anything is sent. The time zone is the controller's, which a target states.
"""

from __future__ import annotations

import datetime
import re
from itertools import islice
from zoneinfo import ZoneInfo

from components.core.errors import SettingsError

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WORDS = frozenset({*_MONTHS, "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"})
_FIELD = re.compile(r"[0-9A-Za-z*,/-]+")
_SUNDAY = re.compile(r"(^|[,-])7($|[,/-])")


def check_cron(expression: str) -> None:
    """Raise SettingsError for what is no cron expression of five fields, or never comes."""
    from cronsim import CronSim, CronSimError

    fields = expression.split()
    words = {word.upper() for word in re.findall("[A-Za-z]+", expression)}
    try:
        CronSim(expression, datetime.datetime(2000, 1, 1))
        problem = None
    except CronSimError as error:
        problem = str(error)
    if len(fields) != 5:
        problem = f"it has {len(fields)} fields"
    elif not words <= _WORDS or not all(map(_FIELD.fullmatch, fields)):
        problem = "it has what KFP does not know"
    elif _SUNDAY.search(fields[4]):
        problem = "Sunday is 0"
    if problem:
        raise SettingsError(
            f"{expression!r} is no cron expression: {problem}",
            remedy="write minute, hour, day, month and day of the week, as in '0 3 2 * *'",
        )


def for_kfp(expression: str) -> str:
    """Return a checked expression as KFP takes it: with seconds."""
    check_cron(expression)
    return f"0 {' '.join(expression.split())}"


def next_times(
    expression: str, zone: ZoneInfo, after: datetime.datetime, count: int
) -> list[datetime.datetime]:
    """Return the next times of an expression."""
    from cronsim import CronSim

    return list(islice(CronSim(expression, after.astimezone(zone)), count))
