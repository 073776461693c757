"""Which key signs which entry of a log: its first key, and the changes that the log itself records.

Rules: whoever verifies is given the log's first public key, and follows from there. A change is an
entry (key-change v1), signed by the key of its place, that names the change before it. `rotate`
names the new key, which has signed for itself; it signs from the next entry on. `revoke` says from
which entry on nothing that a former key signed counts. Its place in the log decides which key an
entry needs, never a date. A checkpoint is signed by the key of its last entry, and a line of its
text says which entry changed keys last, so that a change cannot be left out; a checkpoint without
the line knows one key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from components.audit import base64_strict
from components.audit.checkpoint import Checkpoint, Note, origin_of, unverified_checkpoint
from components.audit.envelope import Envelope, vouched_statement
from components.audit.keys import PublicKey, Signs
from components.audit.predicates import KEY_CHANGE, SECOND_KEY_CHANGE
from components.audit.schema import check_statement
from components.audit.second_history import SecondHistory
from components.audit.tenure import Tenure, revoked
from components.core.canonical import sha256_bytes
from components.core.errors import DataError, IntegrityError

ROTATE, REVOKE = "rotate", "revoke"
Tenures = Iterator[Tenure[PublicKey]]
_LINE = re.compile(r"tandem-keys (0|[1-9][0-9]*)", re.ASCII)


@dataclass(frozen=True)
class KeyHistory:
    """The tenures of a log's keys, in order, and its newest record of a change.

    `second` are those of the keys that sign checkpoints beside them, if any (second_history.py).
    """

    tenures: tuple[Tenure[PublicKey], ...]
    last: tuple[int, str] | None = None
    second: SecondHistory = field(default_factory=SecondHistory)

    @classmethod
    def of(cls, first: PublicKey) -> KeyHistory:
        """Return the history of a log with one key."""
        return cls((Tenure(first, 0),))

    @property
    def origin(self) -> str:
        """The log's name: that of its first key."""
        return origin_of(self.tenures[0].key)

    @property
    def extensions(self) -> tuple[str, ...]:
        """The lines that a checkpoint carries after these changes."""
        return (f"tandem-keys {self.last[0]}",) if self.last else ()

    @property
    def previous(self) -> dict[str, Any] | None:
        """What the next change names as the one before."""
        return {"index": self.last[0], "record": self.last[1]} if self.last else None

    def holder(self, index: int) -> PublicKey:
        """Return the key that an entry needs, revoked since or not."""
        return next(item.key for item in reversed(self.tenures) if item.first <= index)

    def of_size(self, size: int) -> PublicKey:
        """Return the key that signs the checkpoint of a size."""
        return self.holder(max(size - 1, 0))

    def is_revoked(self, index: int) -> bool:
        """Say whether an entry's key was revoked from there on."""
        return any(item.revokes(index) for item in self.tenures)

    def require_valid(self, index: int) -> None:
        """Raise IntegrityError for an entry whose key was revoked from there on."""
        for item in self.tenures:
            if item.revokes(index):
                raise _refused(
                    f"entry {index} is signed by a key that is revoked from {item.revoked_from} on"
                )

    def after(self, statement: Mapping[str, Any], index: int, record: str) -> KeyHistory:
        """Return the history after the change that an entry records, verified by its holder."""
        said = statement["predicate"]
        if said["previous"] != self.previous:
            raise _refused(f"entry {index} does not follow the change of keys before it")
        if statement["predicateType"] == SECOND_KEY_CHANGE:
            before = self.last[1] if self.last else ""
            second = self.second.after(said, index, self.origin, before)
            return replace(self, second=second, last=(index, record))
        key = PublicKey(bytes.fromhex(said["key"]["public"]))
        if said["key"]["keyid"] != key.keyid:
            raise _refused(f"entry {index} names a key by another's id")
        tenures = (
            self._rotated(said, key, index)
            if said["change"] == ROTATE
            else revoked(self.tenures, key, said["from"], index)
        )
        return replace(self, tenures=tuple(tenures), last=(index, record))

    def _rotated(self, said: Mapping[str, Any], key: PublicKey, index: int) -> Tenures:
        signature = base64_strict.signature(said["possession"])
        if not key.verifies(signature, possession_message(self.origin, key)):
            raise _refused(f"the key that entry {index} names has not signed for itself")
        if any(item.key == key for item in self.tenures):
            raise _refused(f"entry {index} names a key that the log had before")
        yield from self.tenures[:-1]
        yield replace(self.tenures[-1], end=index + 1)
        yield Tenure(key, index + 1)


def possession_message(origin: str, key: PublicKey) -> bytes:
    """Return what a new key signs, to show that whoever names it has it."""
    return f"tandem key of {origin}\n{key.raw.hex()}\n".encode()


def change_of_keys(
    history: KeyHistory, change: str, key: PublicKey, reason: str, **parts: Any
) -> dict[str, Any]:
    """Return the fields of a change: `possession` of a rotation, `from` of a revocation."""
    return {
        "change": change,
        "key": {"keyid": key.keyid, "public": key.raw.hex()},
        "possession": None,
        "from": None,
        "previous": history.previous,
        "reason": reason,
    } | parts


def possession(history: KeyHistory, key: Signs) -> str:
    """Return a new key's signature for itself."""
    return base64_strict.encode(key.sign(possession_message(history.origin, key.public)))


def is_change(statement: Mapping[str, Any]) -> bool:
    """Say whether a statement changes the log's keys."""
    return statement.get("predicateType") in (KEY_CHANGE, SECOND_KEY_CHANGE)


def read_history(note: str, leaf: Callable[[int], bytes], first: PublicKey) -> KeyHistory:
    """Return the history that a note speaks of, by the leaves that it leads to.

    The note is not verified: `open_note` is for that. Raises IntegrityError for a change that the
    key of its place did not sign.
    """
    history = KeyHistory.of(first)
    for index, data in reversed(list(_changes(note, leaf))):
        history = follow(history, Envelope.from_bytes(data), index)
    return history


def follow(history: KeyHistory, envelope: Envelope, index: int) -> KeyHistory:
    """Return the history after an entry that its holder must have signed."""
    statement = envelope.statement(history.holder(index))
    if not is_change(statement):
        return history
    try:
        check_statement(statement)
    except DataError as error:
        raise _refused(error.message) from error
    return history.after(statement, index, sha256_bytes(envelope.to_bytes()))


def open_note(note: str, history: KeyHistory) -> Checkpoint:
    """Return what a note says; IntegrityError unless the keys of its size signed it."""
    read = Note.read(note)
    checkpoint = read.signed_by(history.of_size(read.checkpoint.size), history.origin)
    if checkpoint.extensions != history.extensions:
        raise _refused("the checkpoint speaks of other changes of keys than the log")
    history.second.require_signed(read)
    return checkpoint


def newest_change(note: str) -> int | None:
    """Return the entry that changed keys last, by an unverified note."""
    lines = unverified_checkpoint(note).extensions
    found = [int(match[1]) for line in lines if (match := _LINE.fullmatch(line))]
    return found[0] if found else None


def _changes(note: str, leaf: Callable[[int], bytes]) -> Iterator[tuple[int, bytes]]:
    index = newest_change(note)
    while index is not None:
        data = leaf(index)
        yield index, data
        said = vouched_statement(data).get("predicate")
        previous = said.get("previous") if isinstance(said, dict) else None
        before = previous.get("index") if isinstance(previous, dict) else None
        if before is not None and not (isinstance(before, int) and 0 <= before < index):
            raise _refused(f"entry {index} names no change of keys before it")
        index = before


def _refused(why: str) -> IntegrityError:
    return IntegrityError(why, remedy="compare the log with another copy of it")
