"""Who is one person, as far as the log can tell: keys and pseudonyms that approvals join.

Rules: an approval joins the key that signed it and the pseudonym that handed it in; whatever is
joined, at any distance, is one person. Nothing parts them again. Who signs with one key under one
account and with another under another is two here: the log knows no more.
"""

from __future__ import annotations

from collections.abc import Iterable

Mark = tuple[str, str]


class People:
    """Disjoint sets of keys and pseudonyms (union-find)."""

    def __init__(self) -> None:
        self._joined: dict[Mark, Mark] = {}

    def join(self, actor: str, keyid: str) -> None:
        """Make one person of a pseudonym and a key."""
        self._joined[self._first(("actor", actor))] = self._first(("key", keyid))

    def are_one(self, actor: str, keyid: str) -> bool:
        """Say whether a pseudonym and a key are one person's."""
        return self._first(("actor", actor)) == self._first(("key", keyid))

    def count(self, keyids: Iterable[str]) -> int:
        """Return how many people the keys are of."""
        return len({self._first(("key", keyid)) for keyid in keyids})

    def _first(self, mark: Mark) -> Mark:
        """Return the mark that stands for all that are joined with this one."""
        while (above := self._joined.get(mark, mark)) != mark:
            mark = above
        return mark
