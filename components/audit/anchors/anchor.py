"""What an anchor is: a place that keeps signed notes, and gives them back to compare the log with.

Rules: what is kept is the note as it was signed, all of it; an anchor that fails is a
PlatformError, which never fails a run and is trouble to a monitor (anchoring.py); what an anchor
gives back is not trusted: a note counts only with the log's signature.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from components.audit.checkpoint import unverified_checkpoint


@dataclass(frozen=True)
class Kept:
    """A note that an anchor has, and how it names it."""

    where: str
    note: str


class Anchor(Protocol):
    """A place outside the platform; `name` says which."""

    @property
    def name(self) -> str:
        """How it is told from the others."""

    def keep(self, note: str) -> str:
        """Keep a note, once however often it is given; return how it is named there."""

    def kept(self) -> Iterator[Kept]:
        """Yield every note that is kept, and raise PlatformError where that cannot be told."""


def note_path(note: str) -> str:
    """Return a note's path below an anchor: its log's name, and its size in sortable digits."""
    checkpoint = unverified_checkpoint(note)
    name = "".join(c if c.isalnum() or c in "-." else "_" for c in checkpoint.origin)
    return f"{name}/{checkpoint.size:012d}"
