"""A home's log opened for reading: what its newest checkpoint covers, verified, and nothing else.

Rules: this is the one way in for whoever answers from the log; the checkpoint is verified with the
home's public key before anything is read, and an entry that it does not cover is not there. What an
answer cites is proven to that checkpoint (`proven`), with every signature on the way. An entry
that is no record stops every answer until the key that signed for it is revoked from there on:
then it is passed over, and is a finding beside each (completeness.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from components.audit.answers import InclusionProof, ProofBundle, RecordView
from components.audit.checkpoint import Checkpoint
from components.audit.envelope import vouched_statement
from components.audit.folder import AuditFolder
from components.audit.key_history import open_note
from components.audit.keys import PublicKey, read_public_key
from components.audit.ledger import Ledger, read_counting
from components.audit.log import Entry, Log, Snapshot, read_snapshot
from components.audit.proof import Proof, signed_statement, verified_statement, verify_bundle
from components.core.errors import Citation, IntegrityError, UnverifiableError

Statement = Mapping[str, Any]
_NOT_VERIFIED = "nothing is answered from this log; its newest checkpoint is shown, not verified"


def _as_it_lies(log: Log) -> Citation | None:
    """Cite the newest checkpoint of a log that does not verify, None where it cannot be read."""
    try:
        note = log.note(max(log.sizes()))
    except IntegrityError:
        return None
    return Citation({"checkpoint_verified": False}, _NOT_VERIFIED, note)


@dataclass(frozen=True)
class VerifiedLog:
    """The entries under one verified checkpoint; `key` is the log's first."""

    snapshot: Snapshot
    key: PublicKey

    @classmethod
    def of(cls, home: Path) -> VerifiedLog:
        """Read a home's log.

        Raises UnverifiableError where there is none, IntegrityError where it does not verify: that
        cites the newest checkpoint as it lies there.
        """
        folder = AuditFolder(home)
        key, log = read_public_key(folder), Log.at(folder)
        try:
            return cls(read_snapshot(log, key), key)
        except UnverifiableError:
            raise
        except IntegrityError as error:
            error.citation = _as_it_lies(log)
            raise

    @property
    def checkpoint(self) -> str:
        """The signed note that covers all of it."""
        return self.snapshot.note

    @cached_property
    def ledger(self) -> Ledger:
        """The entries, indexed."""
        ledger = Ledger()
        for view, _ in self._records():
            ledger.take(view)
        return ledger

    def _records(self) -> Iterator[tuple[RecordView, Statement]]:
        for entry in self.snapshot.entries:
            if (found := read_counting(entry, self.snapshot.keys)) is not None:
                yield found

    @cached_property
    def views(self) -> list[RecordView]:
        """The records in their order."""
        found = (self.ledger.get(entry.record) for entry in self.snapshot.entries)
        return [view for view in found if view is not None]

    @property
    def no_records(self) -> list[Entry]:
        """The entries that are no records, and count for nothing."""
        if len(self.views) == self.snapshot.size:
            return []
        return [item for item in self.snapshot.entries if self.ledger.get(item.record) is None]

    def statement(self, record: str) -> Statement:
        """Return what a record says; IntegrityError where there is none of that digest."""
        index = self.ledger.find(record).index
        return vouched_statement(self.snapshot.entries[index].leaf)

    def statements(self) -> dict[str, Statement]:
        """Return each record's statement by its digest, in order; IntegrityError for no record."""
        ledger, found = Ledger(), {}
        for view, statement in self._records():
            ledger.take(view)
            found[view.record] = statement
        vars(self).setdefault("ledger", ledger)  # parsing is what takes long, and was done here
        return found

    def require_valid(self, record: str) -> None:
        """Raise IntegrityError for a record that a revoked key signed, or that is none here."""
        self.snapshot.keys.require_valid(self.ledger.find(record).index)

    def proven(self, records: Sequence[str]) -> Proof:
        """Return records and all their ancestors, each verified by signature and proof."""
        proofs = tuple(self.inclusion(view) for view in self.ledger.with_ancestors(records))
        return verify_bundle(ProofBundle(self.checkpoint, proofs), records, self.key)

    def require_signed(self, views: Iterable[RecordView]) -> None:
        """Raise IntegrityError unless each record's signature and proof of inclusion verify."""
        for view in {view.record: view for view in views}.values():
            self.signed(view)

    def signed(self, view: RecordView) -> Statement:
        """Return what a record says, verified by signature and proof of inclusion."""
        return verified_statement(self.inclusion(view), self.opened, self.snapshot.keys)

    def require_included(self, views: Iterable[RecordView]) -> None:
        """Do as `require_signed`, but allow what a key signed that was revoked since.

        For answers whose findings say that it does not count (completeness.py).
        """
        for view in {view.record: view for view in views}.values():
            signed_statement(self.inclusion(view), self.opened, self.snapshot.keys)

    @cached_property
    def opened(self) -> Checkpoint:
        """The checkpoint, verified with the keys of the log's history."""
        return open_note(self.checkpoint, self.snapshot.keys)

    def inclusion(self, view: RecordView) -> InclusionProof:
        """Return the proof that a record is under the checkpoint."""
        leaf = self.snapshot.entries[view.index].leaf
        hashes = self.snapshot.tree.inclusion_proof(view.index, self.snapshot.size)
        return InclusionProof(view.record, view.index, leaf, tuple(hashes))
