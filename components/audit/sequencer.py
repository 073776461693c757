"""The one writer of a log: gives each envelope its index and signs the tree that results.

Rules: its caller holds the home's lock (writer_lock.py) for as long as the sequencer lives; entries
are on disk, in order, before the checkpoint that covers them all, so after a crash at any point the
log holds every checkpoint's entries and at most MAX_BATCH more, which the next sequencer signs; a
checkpoint is signed only over a tree that extends the one signed last. Where no lock reaches, as
over a bucket, two sequencers meet at an index that only one of them can create: the other has lost,
appends nothing more, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from components.audit.checkpoint import unverified_checkpoint
from components.audit.envelope import Envelope, vouched_statement
from components.audit.key_history import KeyHistory, follow, is_change, open_note
from components.audit.keyring import Keyring
from components.audit.keys import Signs
from components.audit.log import Entry, Log, checkpoint_key, entry_key
from components.audit.merkle import Tree, leaf_hash
from components.audit.signers import Signers
from components.audit.storage import ObjectExists, Storage
from components.core.errors import IntegrityError, PlatformError, TandemError

MAX_BATCH = 64
"""Entries under one checkpoint at most: what a crash may leave unsigned."""


class Sequencer:
    """Appends to a log; the caller holds the WriterLock and calls from one thread at a time."""

    def __init__(
        self, storage: Storage, keyring: Keyring, listener: Callable[[Entry], None]
    ) -> None:
        """Read the log, check it, and sign what a crash left unsigned.

        The listener hears of every entry once, in order, as soon as it is on disk and known to be
        this key's: under its checkpoint, by its own signature, or signed here; it raises
        IntegrityError for one that is no record. Raises IntegrityError for a log that is not what
        was signed last, or whose unsigned entries are no records: nothing is appended to it.
        """
        self._storage, self._log = storage, Log(storage)
        self._keyring = keyring
        self._keys = KeyHistory.of(keyring.first())
        self._signers = Signers(keyring)
        self._listener = listener
        self._tree = Tree()
        self._note = ""
        self._signed = -1
        self._no_records: list[int] = []
        self._attempted: list[Entry] = []
        self._recover()

    @property
    def size(self) -> int:
        """The number of entries."""
        return self._tree.size

    @property
    def keys(self) -> KeyHistory:
        """The log's keys up to now."""
        return self._keys

    @property
    def key(self) -> Signs:
        """The key that signs the next entry."""
        return self._signers.of_entry(self._keys, self.size)

    @property
    def no_record(self) -> int | None:
        """The first entry under a checkpoint that is no record; None where all are.

        Whoever signed for it has the key of its place: once that is revoked from there on, the
        entry counts for nothing, and the log goes on.
        """
        return next((i for i in self._no_records if not self._keys.is_revoked(i)), None)

    def require_records(self) -> None:
        """Raise IntegrityError where there is such an entry: then keys are changed, and no more."""
        index = self.no_record
        if index is not None:
            keyid = self._keys.holder(index).keyid[:16]
            raise IntegrityError(
                f"entry {index} of the log is no record, and lies under a checkpoint",
                remedy=f"the key {keyid} was stolen: change it with `tandem audit keys rotate "
                f"--despite-findings` where it still signs, then `tandem audit keys revoke "
                f"{keyid} --from {index}`",
            )

    def append(self, envelopes: Sequence[Envelope]) -> list[Entry]:
        """Store up to MAX_BATCH envelopes as the next entries; one `seal` covers them.

        What a failure left of them on disk is in the log all the same, and the listener has heard.
        """
        self._take(self._attempted)
        if self.size - self._signed + len(envelopes) > MAX_BATCH:
            self.seal()
        entries = [Entry(self.size + i, item.to_bytes()) for i, item in enumerate(envelopes)]
        self._attempted = entries
        try:
            self._storage.create_all([(entry_key(item.index), item.leaf) for item in entries])
        except ObjectExists:
            self._take(entries)
            raise self._lost() from None
        except PlatformError:
            self._take(entries)
            raise
        self._attempted = []
        for entry in entries:
            self._add(entry)
        return entries

    def _take(self, attempted: Sequence[Entry]) -> None:
        """Add those of the entries that are on disk: the first of them, up to a gap."""
        for entry in attempted:
            if entry.index < self.size:
                continue
            if self._storage.read(entry_key(entry.index)) != entry.leaf:
                break
            self._add(entry)
        self._attempted = []

    def _add(self, entry: Entry) -> None:
        self._tree.append(leaf_hash(entry.leaf))
        self._listener(entry)
        if is_change(vouched_statement(entry.leaf)):
            self._keys = follow(self._keys, Envelope.from_bytes(entry.leaf), entry.index)

    def _lost(self) -> TandemError:
        """Return why the next index is taken: by another sequencer with our key, or by what not."""
        try:
            leaf = self._log.entry(self.size).leaf
            Envelope.from_bytes(leaf).statement(self._keys.holder(self.size))
        except IntegrityError:
            return _not_alone(self.size)
        return PlatformError(
            f"another sequencer wrote number {self.size} of the log: this one has lost",
            remedy="stop one of the notaries of this log, and start the other again",
        )

    def _verify(self, entry: Entry) -> None:
        self._keys = follow(self._keys, Envelope.from_bytes(entry.leaf), entry.index)

    def seal(self) -> str:
        """Return the signed note over all entries, signing it if there is none yet."""
        if self._signed != self.size:
            note = self._signers.note(self._keys, self.size, self._tree.root())
            self._note = self._stored(note)
            self._signed = self.size
        return self._note

    def _stored(self, note: str) -> str:
        """Store a note and return it, or the one that was stored before a failure.

        Ed25519 is deterministic, so that it is the same; a second signature is another each time.
        """
        try:
            self._storage.create(checkpoint_key(self.size), note.encode())
        except ObjectExists:
            stored = self._log.note(self.size)
            if stored != note and not self._is_ours(stored, note):
                raise _not_alone(self.size) from None
            return stored
        return note

    def _is_ours(self, stored: str, note: str) -> bool:
        """Say whether a stored note has the second signature and says what ours does."""
        try:
            same = open_note(stored, self._keys) == unverified_checkpoint(note)
        except IntegrityError:
            return False
        return same and self._keys.second.of_size(self.size) is not None

    def inclusion(self, index: int) -> list[bytes]:
        """Return the proof that an entry is under the newest checkpoint."""
        return self._tree.inclusion_proof(index)

    def _recover(self) -> None:
        entries = list(self._log.entries())
        signed = max(self._log.sizes(), default=0)
        if len(entries) > signed + MAX_BATCH:
            raise _unsigned(len(entries) - signed)
        if entries and signed:
            self._keys = self._log.history(signed, self._keyring.first())
        known = self._keys
        if tail := entries[signed:]:
            _require_new(tail, entries)
        for entry in tail:
            self._verify(entry)
        for entry in entries:
            self._tree.append(leaf_hash(entry.leaf))
        if signed:
            self._check_signed(signed, known)
        for entry in entries:
            self._tell(entry, is_signed=entry.index < signed)
        self._signers.require(self._keys, self.size)  # one that is gone stops the notary now
        self.seal()

    def _tell(self, entry: Entry, *, is_signed: bool) -> None:
        """Have the listener hear of an entry; keep one under a checkpoint that is no record."""
        try:
            self._listener(entry)
        except IntegrityError:
            if not is_signed:
                raise
            self._no_records.append(entry.index)

    def _check_signed(self, size: int, keys: KeyHistory) -> None:
        checkpoint = self._log.checkpoint(size, keys)
        if size > self.size or self._tree.root(size) != checkpoint.root:
            raise IntegrityError(
                f"the log is not what was signed at {size} entries",
                remedy="run `tandem audit verify`; restore the log from a copy",
                expected=f"{size} entries under {checkpoint.root.hex()}",
                actual=f"{self.size} entries",
            )
        if size == self.size:  # the key that signed it may be gone since
            self._note, self._signed = self._log.note(size), size


def _require_new(tail: Sequence[Entry], entries: Sequence[Entry]) -> None:
    """Raise IntegrityError for an entry that is a copy of another: nobody needs a key to make one.

    A crash leaves none, because a draft that comes again finds its record.
    """
    first = {entry.record: entry.index for entry in reversed(entries)}
    for entry in tail:
        if (original := first[entry.record]) != entry.index:
            raise IntegrityError(
                f"entry {entry.index} is a copy of entry {original}: it is not signed for",
                remedy="find out who writes to the log; keep the file for the auditor, remove it",
            )


def _unsigned(count: int) -> IntegrityError:
    return IntegrityError(
        f"{count} entries of the log are under no checkpoint; a crash leaves {MAX_BATCH} at most",
        remedy="run `tandem audit verify`; restore the log from a copy",
    )


def _not_alone(number: int) -> IntegrityError:
    return IntegrityError(
        f"something else wrote number {number} of the log",
        remedy="stop every notary of this home, then run `tandem audit verify`",
    )
