"""The macros of a recurring run's parameters, expanded as the server's controller does.

Taken from backend/src/common/util/parameter_formatter.go: [[ScheduledTime]], [[CurrentTime]] (as
20060102150405 or, after a dot, in a layout of Go's time.Format; always UTC) and [[Index]], in every
text inside a parameter.
"""

from __future__ import annotations

import datetime
import re
from typing import Any

_LAYOUT = {"2006": "%Y", "01": "%m", "02": "%d", "15": "%H", "04": "%M", "05": "%S"}
_MACRO = re.compile(r"\[\[(ScheduledTime|CurrentTime|Index)(?:\.(.*?))?\]\]")


def expanded(
    value: Any, scheduled: datetime.datetime, current: datetime.datetime, index: int
) -> Any:
    """Return a parameter with every macro in it replaced."""
    if isinstance(value, dict):
        return {key: expanded(item, scheduled, current, index) for key, item in value.items()}
    if isinstance(value, list):
        return [expanded(item, scheduled, current, index) for item in value]
    if not isinstance(value, str):
        return value

    def substitute(found: re.Match[str]) -> str:
        if found[1] == "Index":
            return str(index)
        moment = scheduled if found[1] == "ScheduledTime" else current
        return _formatted(moment.astimezone(datetime.UTC), found[2] or "20060102150405")

    return _MACRO.sub(substitute, value)


def _formatted(moment: datetime.datetime, layout: str) -> str:
    parts = re.sub("|".join(_LAYOUT), lambda found: _LAYOUT[found[0]], layout)
    return moment.strftime(parts)
