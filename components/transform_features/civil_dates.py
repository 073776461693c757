"""Parts of a date by whole-number arithmetic on days and seconds, the same in every runtime.

Why: TensorFlow and ONNX have no calendar, and two calendars would have to be proven equal. What is
written here uses only + - * / and a `floor` that the caller gives, so one text is the calendar of
numpy, of TensorFlow's tensors and of the ONNX graph.

Rules: a day is a count from 1970-01-01, a second one from midnight, whole numbers in float64, in
which all of this is exact; the calendar is the proleptic Gregorian one; a part is a whole number
from 0 on, a Monday's weekday is 0; a number of LIMIT or more either way is no date, because an
input is float32, which holds every whole number only as far as that. What is not whole is
rounded, so that a number too small for a runtime that flushes it to 0 is 0 in every other.

The civil date of a day is Howard Hinnant's: "chrono-Compatible Low-Level Date Algorithms",
civil_from_days, https://howardhinnant.github.io/date_algorithms.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from components.core.data_settings import DatePart

# Every month counts as 31 days and every year as the mean one, so that a part is one turn.
PERIODS: Mapping[DatePart, float] = {
    "hour": 24.0,
    "weekday": 7.0,
    "month_day": 31.0,
    "month": 12.0,
    "year_day": 365.25,
}
LIMIT = 2.0**24
Floor = Callable[[Any], Any]


def date_part(part: DatePart, count: Any, floor: Floor) -> Any:
    """Return a part of the days since 1970-01-01, or the hour of the seconds since midnight."""
    whole = floor(count + 0.5)
    if part == "hour":
        return _remainder(floor(whole / 3600.0), 24.0, floor)
    if part == "weekday":
        return _remainder(whole + 3.0, 7.0, floor)
    return _civil(part, whole, floor)


def _civil(part: DatePart, days: Any, floor: Floor) -> Any:
    shifted = days + 719468.0
    day_of_era = _remainder(shifted, 146097.0, floor)
    fours, centuries = floor(day_of_era / 1460.0), floor(day_of_era / 36524.0)
    leap_days = fours - centuries + floor(day_of_era / 146096.0)
    year_of_era = floor((day_of_era - leap_days) / 365.0)
    before = 365.0 * year_of_era + floor(year_of_era / 4.0) - floor(year_of_era / 100.0)
    from_march = day_of_era - before  # 0 is the first of March
    month_from_march = floor((5.0 * from_march + 2.0) / 153.0)
    in_next_year = floor(month_from_march / 10.0)  # 1 in January and February
    if part == "month_day":
        return from_march - floor((153.0 * month_from_march + 2.0) / 5.0)
    if part == "month":
        return month_from_march + 2.0 - 12.0 * in_next_year
    leap = (
        _is_multiple(year_of_era, 4.0, floor)
        - _is_multiple(year_of_era, 100.0, floor)
        + _is_multiple(year_of_era, 400.0, floor)
    )
    # January and February belong to the year that began in them: no leap day lies before them.
    return from_march + 59.0 + leap - in_next_year * (365.0 + leap)


def _remainder(x: Any, divisor: float, floor: Floor) -> Any:
    """Return x - divisor * floor(x / divisor), 0 or more for whole numbers of either sign."""
    return x - divisor * floor(x / divisor)


def _is_multiple(x: Any, divisor: float, floor: Floor) -> Any:
    """Return 1 for a whole multiple of the divisor and 0 for any other whole number."""
    return 1.0 - floor((_remainder(x, divisor, floor) + divisor - 1.0) / divisor)
