"""Give the newest checkpoint to every anchor, and compare the log with what they kept.

Rules: keeping never fails a run: what went wrong is said and written down beside what went right.
Comparing (a monitor's work) trusts the log's first key and nothing else: each note must be signed
by the keys of its size, and the log, as it is now, must have had that root at that size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from components.audit.anchors.anchor import Anchor, Kept
from components.audit.anchors.cosigned import WitnessAnchor
from components.audit.anchors.settings import anchors_of
from components.audit.checkpoint import Note, unverified_checkpoint
from components.audit.log import Snapshot
from components.audit.verified_log import VerifiedLog
from components.core.errors import IntegrityError, PlatformError, TandemError


@dataclass(frozen=True)
class Anchored:
    """What an anchor made of a checkpoint: a reference, or why it did not keep it."""

    anchor: str
    size: int
    reference: str | None = None
    error: dict[str, str] | None = None


@dataclass(frozen=True)
class Trouble:
    """Something that an anchor says and the log does not, or that could not be compared."""

    anchor: str
    where: str
    message: str


@dataclass(frozen=True)
class Comparison:
    """The log against its anchors: notes compared, by anchor, and the trouble found.

    `reach` has, by anchor, how many entries its newest note that agrees covers; `checkpoint` is the
    note of the log that they were compared with.
    """

    size: int
    compared: dict[str, int]
    reach: dict[str, int]
    trouble: tuple[Trouble, ...]
    checkpoint: str

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as a JSON object."""
        return {
            "size": self.size,
            "compared": dict(self.compared),
            "reach": dict(self.reach),
            "trouble": [vars(item) for item in self.trouble],
            "checkpoint": self.checkpoint,
        }


def anchor(home: Path, note: str) -> list[Anchored]:
    """Have every anchor of a home keep a checkpoint; say what became of it.

    Raises SettingsError for anchors that cannot be. The log is read only for a witness.
    """

    def prove(first: int, second: int) -> list[bytes]:
        return VerifiedLog.of(home).snapshot.tree.consistency_proof(first, second)

    return [_keep(item, note) for item in anchors_of(home, prove)]


def _keep(anchor: Anchor, note: str) -> Anchored:
    size = unverified_checkpoint(note).size
    try:
        return Anchored(anchor.name, size, anchor.keep(note))
    except TandemError as error:
        return Anchored(anchor.name, size, error=error.to_dict())
    except OSError as error:
        failure = PlatformError(f"its folder: {error}", remedy="look at disk and permissions")
        return Anchored(anchor.name, size, error=failure.to_dict())


def compare(home: Path) -> Comparison:
    """Compare a home's log with all that its anchors kept.

    Raises IntegrityError for a log that does not verify by itself, UnverifiableError for none.
    """
    snapshot = VerifiedLog.of(home).snapshot
    anchors = anchors_of(home, snapshot.tree.consistency_proof)
    compared: dict[str, int] = {}
    reach: dict[str, int] = {}
    trouble: list[Trouble] = []
    for anchor in anchors:
        compared[anchor.name] = reach[anchor.name] = 0
        try:
            for kept in anchor.kept():
                compared[anchor.name] += 1
                found = list(_contradictions(anchor, kept, snapshot))
                size = 0 if found else unverified_checkpoint(kept.note).size
                reach[anchor.name] = max(size, reach[anchor.name])
                trouble += found
            if isinstance(anchor, WitnessAnchor):
                anchor.keep(snapshot.note)
                reach[anchor.name] = snapshot.size
        except TandemError as error:
            trouble.append(Trouble(anchor.name, "", error.message))
    return Comparison(snapshot.size, compared, reach, tuple(trouble), snapshot.note)


def with_newest_kept(home: Path, found: Comparison) -> Comparison:
    """Have every anchor keep the checkpoint that was compared; trouble for each that does not."""
    kept = anchor(home, found.checkpoint)
    failed = [Trouble(item.anchor, "", item.error["message"]) for item in kept if item.error]
    reach = found.reach | {item.anchor: item.size for item in kept if not item.error}
    return replace(found, reach=reach, trouble=(*found.trouble, *failed))


def _contradictions(anchor: Anchor, kept: Kept, snapshot: Snapshot) -> Iterator[Trouble]:
    try:
        note = Note.read(kept.note)
        size = note.checkpoint.size
        checkpoint = note.signed_by(snapshot.keys.of_size(size), snapshot.keys.origin)
        snapshot.keys.second.require_signed(note)
    except IntegrityError as error:
        yield Trouble(anchor.name, kept.where, error.message)
        return
    if size > snapshot.size:
        message = f"the log had {size} entries and has {snapshot.size}"
        yield Trouble(anchor.name, kept.where, message)
    elif snapshot.tree.root(size) != checkpoint.root:
        message = f"the first {size} entries of the log are not those that were anchored"
        yield Trouble(anchor.name, kept.where, message)
