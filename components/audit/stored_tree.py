"""The nodes of the log's tree in the index (index.py), so that a proof reads a few of them.

Rule: nothing that is stored is believed; a proof made of these nodes leads to the signed root or is
refused.
"""

from __future__ import annotations

import sqlite3

from components.audit.merkle import Tree, node_hash
from components.core.errors import IntegrityError


class StoredTree(Tree):
    """A tree whose nodes lie in the index."""

    def __init__(self, store: sqlite3.Connection) -> None:
        super().__init__()
        self._store = store

    @property
    def size(self) -> int:
        """The number of leaves."""
        return int(self._store.execute("SELECT COUNT(*) FROM records").fetchone()[0])

    def grow(self, place: int, leaf: bytes) -> None:
        """Add the leaf of a place, and every node that it completes."""
        level, number, node = 0, place, leaf
        self._put(level, number, node)
        while number % 2:
            node = node_hash(self._node(level, number - 1), node)
            level, number = level + 1, number // 2
            self._put(level, number, node)

    def _put(self, level: int, number: int, node: bytes) -> None:
        self._store.execute("INSERT INTO nodes VALUES (?, ?, ?)", (level, number, node))

    def _node(self, level: int, number: int) -> bytes:
        question = "SELECT hash FROM nodes WHERE level = ? AND number = ?"
        found = self._store.execute(question, (level, number)).fetchone()
        if found is None:
            raise unfit(number)
        return bytes(found[0])


def unfit(size: int) -> IntegrityError:
    """Return the error of entries that are not those of the checkpoint of a size."""
    return IntegrityError(
        f"the entries are not those that the checkpoint of size {size} covers",
        remedy="run `tandem audit verify`; restore the log from a copy",
    )
