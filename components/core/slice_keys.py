r"""The key of a slice: how evaluations name it and gates ask for it.

A key is `column=value`, a cross joins them with commas in the settings' order, and `overall` is all
rows. In a value a comma, a backslash and a `*` have a backslash before them, so that a key is read
in one way only: `city=Paris\, Texas,seats=2`. A gate's value `*` is every value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

OVERALL = "overall"
ALL_SPLITS = "all splits"  # of a gate on data that is judged once for all
EVERY = "*"
_PART = re.compile(r"(?:[^\\,]|\\.)+", re.DOTALL)


def slice_key(parts: Iterable[tuple[str, str | int]]) -> str:
    """Return the key of the columns and values, in their order; `overall` of none."""
    return ",".join(f"{name}={_escaped(str(value))}" for name, value in parts) or OVERALL


def key_parts(key: str) -> list[tuple[str, str]]:
    """Return the columns of a key with their values, in its order; none for all rows."""
    return [(name, _plain(value)) for name, value in _written(key)]


def named_values(asked: str) -> list[tuple[str, str]]:
    """Return the columns of what a gate asks for with their values, but those of every value."""
    return [(name, _plain(value)) for name, value in _written(asked) if value != EVERY]


def key_columns(key: str) -> list[str]:
    """Return the columns of a key, or of what a gate asks for, in its order."""
    return [name for name, _ in _written(key)]


def asks_for(asked: str, key: str) -> bool:
    """Say whether what a gate asks for is this key; a `*` is any value of its column."""
    wanted, found = _written(asked), _written(key)
    return len(wanted) == len(found) and all(
        name == other and value in (EVERY, given)
        for (name, value), (other, given) in zip(wanted, found, strict=True)
    )


def _written(key: str) -> Sequence[tuple[str, str]]:
    """Return the columns with their values as they are written in the key."""
    if key == OVERALL:
        return []
    return [(name, value) for name, _, value in (p.partition("=") for p in _PART.findall(key))]


def _plain(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)


def _escaped(value: str) -> str:
    return re.sub(r"([\\,*])", r"\\\1", value)
