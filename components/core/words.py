"""Words of messages: counts with their nouns, names that were meant, numbers that show."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 row`, `2 rows`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?", or nothing where no name is near; case does not matter."""
    names = {item.lower(): item for item in known}
    near = difflib.get_close_matches(name.lower(), names, n=1)
    return f"; did you mean {names[near[0]]}?" if near else ""


def places(*values: float, least: int = 4) -> int:
    """Return how many decimal places show that none of the values is 0, unless it is."""
    smallest = min((abs(value) for value in values if value), default=1.0)
    return max(least, -math.floor(math.log10(smallest)))
