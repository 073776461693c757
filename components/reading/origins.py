"""Where rows come from, in a message's words: the file or the query, and which row of it.

Rule: rows are counted from 0 here, and only `where` says what a person counts, from 1: the row, or
the line of a text file, which is looked for when there is something to say and not before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace


def row_number(row: int) -> str:
    """Return what a row is called where rows have no lines."""
    return f"row {row + 1}"


@dataclass(frozen=True)
class Origin:
    """The name of a file or query, what its rows are called, and the number of the first here."""

    name: str
    called: Callable[[int], str] = row_number
    first: int = 0

    def where(self, place: int) -> str:
        """Return what the row at a place of these rows is called."""
        return self.called(self.first + place)

    def after(self, rows: int) -> Origin:
        """Return the origin of the rows after this many of these."""
        return replace(self, first=self.first + rows)
