"""Markdown of texts that nobody vouches for: what comes from data or settings is no markup."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
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
