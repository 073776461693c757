"""For how long a key of the log signs: from which entry on, and up to which.

Rule: a tenure says which entries are the key's (of a second key, second_history.py, the last entry
of a checkpoint). What is revoked is revoked for good: an earlier revocation is never taken back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from components.audit.keys import PublicKey
from components.audit.second_key import SecondPublicKey
from components.core.errors import IntegrityError

K = TypeVar("K", PublicKey, SecondPublicKey)


@dataclass(frozen=True)
class Tenure(Generic[K]):
    """The entries that are a key's: from `first` on, before `end`; and what was revoked."""

    key: K
    first: int
    end: int | None = None
    revoked_from: int | None = None

    @property
    def is_former(self) -> bool:
        """Whether another key has come after this one."""
        return self.end is not None

    @property
    def revoked_entries(self) -> range:
        """The entries that are this key's and revoked; only a former key can be."""
        if self.revoked_from is None or self.end is None:
            return range(0)
        return range(max(self.first, self.revoked_from), self.end)

    def revokes(self, index: int) -> bool:
        """Say whether an entry is this key's and revoked."""
        return index in self.revoked_entries

    def to_dict(self) -> dict[str, Any]:
        """Return the tenure as a JSON object."""
        return {"keyid": self.key.keyid, "public": self.key.raw.hex()} | {
            name: getattr(self, name) for name in ("first", "end", "revoked_from")
        }


def revoked(
    tenures: Sequence[Tenure[K]], key: K, first: int | None, index: int
) -> Iterator[Tenure[K]]:
    """Yield the tenures after an entry that revokes a key from another entry on.

    Raises IntegrityError for what cannot be revoked: a key that signs now, an entry to come.
    """
    if first is None or first > index or not any(t.is_former and t.key == key for t in tenures):
        raise IntegrityError(
            f"entry {index} revokes no former key of the log, from no entry before",
            remedy="compare the log with another copy of it",
        )
    for item in tenures:
        before = first if item.revoked_from is None else item.revoked_from
        yield replace(item, revoked_from=min(first, before)) if item.key == key else item
