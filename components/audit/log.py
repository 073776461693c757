"""The log as it is stored: numbered envelopes, and a checkpoint for each size it was signed at.

    entries/000000/000000007.json     the eighth envelope, its exact bytes: leaf 7 of the tree
    checkpoints/000000/000000008      the signed note over the first eight leaves

Rules: reading trusts nothing; whoever relies on what is read verifies it against a checkpoint and
the log's public key (verify.py, proof.py). Only the sequencer writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from components.audit.checkpoint import Checkpoint
from components.audit.folder import AuditFolder
from components.audit.key_history import KeyHistory, open_note, read_history
from components.audit.keys import PublicKey
from components.audit.log_place import existing_log_storage
from components.audit.merkle import Tree, leaf_hash
from components.audit.storage import Readable
from components.core.canonical import sha256_bytes
from components.core.errors import IntegrityError, UnverifiableError

ENTRIES = "entries"
CHECKPOINTS = "checkpoints"
_GROUP = 1000


@dataclass(frozen=True)
class Entry:
    """One leaf: an envelope's bytes and where they stand."""

    index: int
    leaf: bytes

    @property
    def record(self) -> str:
        """The digest of the envelope, by which other records name it."""
        return sha256_bytes(self.leaf)


@dataclass(frozen=True)
class Log:
    """The objects of one log."""

    storage: Readable

    @classmethod
    def at(cls, folder: AuditFolder) -> Log:
        """Return a home's log; raise UnverifiableError where there is none."""
        return cls(existing_log_storage(folder))

    def indexes(self) -> Iterator[int]:
        """Yield the entries' indexes in order; raise IntegrityError for a foreign name."""
        return self._numbers(ENTRIES, entry_key)

    def sizes(self) -> Iterator[int]:
        """Yield the sizes that have a checkpoint, in order."""
        return self._numbers(CHECKPOINTS, checkpoint_key)

    def entry(self, index: int) -> Entry:
        """Return one entry; raise IntegrityError where it is missing."""
        leaf = self.storage.read(entry_key(index))
        if leaf is None:
            raise _broken(f"entry {index} is missing")
        return Entry(index, leaf)

    def entries(self) -> Iterator[Entry]:
        """Yield all entries from 0 on; raise IntegrityError for a gap."""
        for expected, index in enumerate(self.indexes()):
            if index != expected:
                raise _broken(f"entry {expected} is missing")
            yield self.entry(index)

    def note(self, size: int) -> str:
        """Return the signed note of a size; raise IntegrityError where there is none."""
        data = self.storage.read(checkpoint_key(size))
        if data is None:
            raise _broken(f"the checkpoint of size {size} is missing")
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise _broken(f"the checkpoint of size {size} is not text") from None

    def history(self, size: int, first: PublicKey) -> KeyHistory:
        """Return the keys that a size's note speaks of; `checkpoint` verifies the note."""
        return read_history(self.note(size), lambda index: self.entry(index).leaf, first)

    def checkpoint(self, size: int, keys: KeyHistory) -> Checkpoint:
        """Return a verified checkpoint; raise IntegrityError for a wrong one."""
        checkpoint = open_note(self.note(size), keys)
        if checkpoint.size != size:
            raise _broken(f"the checkpoint of size {size} speaks of {checkpoint.size} entries")
        return checkpoint

    def _numbers(self, prefix: str, name: Callable[[int], str]) -> Iterator[int]:
        number = -1
        for key in self.storage.keys(prefix):
            if name(number + 1) == key:  # as nearly always
                number += 1
            else:
                digits = key.rpartition("/")[2].removesuffix(".json")
                number = int(digits) if digits.isascii() and digits.isdigit() else -1
                if name(number) != key:
                    raise _broken(f"{key} is not part of the log")
            yield number


@dataclass(frozen=True)
class Snapshot:
    """All entries that one verified checkpoint covers, and their tree.

    `unsigned` is how many entries lie behind them, which nobody has signed for yet.
    """

    entries: tuple[Entry, ...]
    tree: Tree
    note: str
    size: int
    keys: KeyHistory
    unsigned: int


def read_snapshot(log: Log, key: PublicKey) -> Snapshot:
    """Return the log up to its newest checkpoint, by the log's first key.

    Raises UnverifiableError where nothing was ever signed, IntegrityError where the entries are
    not those that the checkpoint covers.
    """
    size = max(log.sizes(), default=None)
    if size is None:
        raise UnverifiableError("the log has no checkpoint", remedy="restore the log's folder")
    keys = log.history(size, key)
    checkpoint = log.checkpoint(size, keys)
    stored = tuple(log.entries())
    entries = stored[:size]
    tree = Tree()
    for entry in entries:
        tree.append(leaf_hash(entry.leaf))
    if tree.size != size or tree.root() != checkpoint.root:
        raise _broken(f"the entries are not those that the checkpoint of size {size} covers")
    return Snapshot(entries, tree, log.note(size), size, keys, len(stored) - size)


def entry_key(index: int) -> str:
    """Return where an entry is stored."""
    return f"{ENTRIES}/{index // _GROUP:06d}/{index:09d}.json"


def checkpoint_key(size: int) -> str:
    """Return where a size's checkpoint is stored."""
    return f"{CHECKPOINTS}/{size // _GROUP:06d}/{size:09d}"


def _broken(why: str) -> IntegrityError:
    return IntegrityError(why, remedy="run `tandem audit verify`; restore the log from a copy")
