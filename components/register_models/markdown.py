"""Markdown of texts that nobody vouches for: what comes from data or settings is no markup."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

NOT_STATED = "Not stated."
# CommonMark lets each ASCII punctuation mark be escaped (section 2.4), the backslash with them.
_MARKUP = str.maketrans({mark: f"\\{mark}" for mark in string.punctuation})


def items(texts: Sequence[str] | None) -> list[str]:
    """Return a list's lines, or that nothing was stated."""
    return [f"- {plain(text)}" for text in texts] if texts else [NOT_STATED]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table's lines; the cells are Markdown, made by the caller or by `plain`."""
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cells)} |"


def plain(value: Any) -> str:
    """Return a text that Markdown shows as it is, in one line."""
    return " ".join(str(value).split()).translate(_MARKUP)


def estimate(metric: Any) -> str:
    """Return a value with its interval; a dash where there is none."""
    if not isinstance(metric, Mapping) or metric.get("value") is None:
        return "-"
    value, lower, upper = (metric.get(name) for name in ("value", "lower", "upper"))
    interval = "" if lower is None or upper is None else f" ({lower:.4f} to {upper:.4f})"
    return f"{value:.4f}{interval}"
