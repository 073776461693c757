"""What robfig/cron 1.2.0, which KFP's server parses cron with, takes and what it refuses.

Its default parser wants seconds first (5 or 6 fields, the day of the week may be left out), or a
descriptor; it knows no time zone: `TZ=...` is a field too many.
"""

from __future__ import annotations

import re

from kfp_wire import Refusal

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_BOUNDS = [(0, 59, ()), (0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, _MONTHS), (0, 6, _DAYS)]
_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


def check_cron(cron: str | None) -> None:
    """Raise the 400 of server/job_server.go for an expression that is not parsed."""
    try:
        _parse(cron or "")
    except ValueError as error:
        raise Refusal(400, f"Schedule cron is not a supported format. Error: {error}") from None


def _parse(cron: str) -> None:
    if cron in _DESCRIPTORS or re.fullmatch(r"@every (\d+(h|m|s|ms))+", cron):
        return
    fields = cron.split()
    if len(fields) not in (5, 6):
        raise ValueError(f"Expected 5 to 6 fields, found {len(fields)}: {cron}")
    for text, bounds in zip(fields, _BOUNDS, strict=False):
        for part in text.split(","):
            _parse_range(part, *bounds)


def _parse_range(part: str, least: int, most: int, names: object) -> None:
    ends, _, step = part.partition("/")
    first, dash, last = ends.partition("-")
    start = least if first in ("*", "?") else _number(first, least, names)
    end = _number(last, least, names) if dash else (most if first in ("*", "?") or step else start)
    if start < least or end > most or start > end or (step and int(step) < 1):
        raise ValueError(f"out of range: {part}")


def _number(text: str, least: int, names: object) -> int:
    listed = list(names)  # type: ignore[call-overload]
    return listed.index(text.lower()) + least if text.lower() in listed else int(text)
