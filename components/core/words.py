"""Words of messages: a count with its noun, and the known name that a wrong one was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 row`, `2 rows`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?", or nothing where no name is near; case does not matter."""
    names = {item.lower(): item for item in known}
    near = difflib.get_close_matches(name.lower(), names, n=1)
    return f"; did you mean {names[near[0]]}?" if near else ""
