"""The verifier: reads a home's log from the disk and says everything that is wrong with it.

Rules: it needs the log and its public key and trusts nothing else, no notary and no index; it goes
on after a finding, so that one edited byte does not hide another; no finding means that all it
checks is right: names and numbering, every signature, the tree under every checkpoint, the form of
every record and what it says (record_checks.py), what was left open, and (artifacts.py) the bytes
of the runs that are there. It cannot see a log that was cut or rewritten together with its
checkpoints: that takes a copy of a checkpoint kept elsewhere.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.audit.acts import Statement
from components.audit.answers import RecordView
from components.audit.artifacts import artifact_problems, runs_on_disk, untold_problems
from components.audit.envelope import vouched_statement
from components.audit.erasures import Erased
from components.audit.findings import Finding, never_closed
from components.audit.folder import AuditFolder
from components.audit.key_history import KeyHistory, follow, is_change
from components.audit.keys import PublicKey, read_public_key
from components.audit.log import Entry, Log
from components.audit.merkle import Frontier
from components.audit.opening import Batch, Opened, Refused, Size, opened
from components.audit.record_checks import RecordChecks
from components.audit.seen import Seen, nothing_seen
from components.audit.sequencer import MAX_BATCH
from components.audit.writer_lock import is_being_written
from components.core.errors import DataError, IntegrityError, UnverifiableError

LARGEST_LEAF = 16 * 2**20
"""Bytes: what the notary takes (service.MAX_REQUEST_BYTES), in base 64 and with what it adds."""


@dataclass(frozen=True)
class Verified:
    """What a verification found, and how much it looked at: an empty answer says of what.

    `runs` are those the log knows; the artifacts of `runs_without_folder` could not be read, those
    of `erased` are gone by a record. `unsigned` entries lie under no checkpoint, as a crash leaves
    them: that is no finding, but nobody has signed for them.
    """

    findings: list[Finding]
    records: int
    runs: int
    runs_without_folder: list[str]
    erased: list[Erased]
    unsigned: int


def verify_log(home: Path, runs: Path | None = None) -> list[Finding]:
    """Return the findings of `verify`."""
    return verify(home, runs).findings


def verify(home: Path, runs: Path | None = None) -> Verified:
    """Return what is wrong with a home's log, and with the artifacts of the runs below `runs`.

    Of a log to which a notary writes, what its newest checkpoint covers is looked at. Memory does
    not grow with the log: what must be known of every entry lies on disk (seen.py). Raises
    UnverifiableError where there is no log, no checkpoint or no key, or where this machine cannot
    check its second key's signatures.
    """
    folder = AuditFolder(home)
    served = is_being_written(folder)
    on_disk = runs_on_disk(runs) if runs is not None else []
    with nothing_seen() as seen:
        with_folder = {run.id for run in on_disk}
        verification = _Verification(Log.at(folder), read_public_key(folder), seen, with_folder)
        findings = list(verification.run(served=served))
        known = list(seen.runs())
    records = verification.records
    problems = [*artifact_problems(on_disk, records.outputs, records.erased)]
    problems += untold_problems(runs, known) if runs is not None else []
    findings += [Finding("artifact", where, message) for where, message in problems]
    gone = [run for run in known if runs is None or not (runs / run).is_dir()]
    counted = records.count, len(known), gone, records.erased, verification.unsigned
    return Verified(findings, *counted)


class _Verification:
    """One pass over a log."""

    def __init__(self, log: Log, key: PublicKey, seen: Seen, with_folder: set[str]) -> None:
        self._log = log
        self._history = KeyHistory.of(key)
        self._seen = seen
        self._tree = Frontier()
        self._next = 0
        self._is_as_signed = True
        self._uncovered: list[RecordView] = []
        self.unsigned = 0
        self.records = RecordChecks(seen, self._statement, self._require_valid, with_folder)

    def run(self, *, served: bool) -> Iterator[Finding]:
        """Yield every finding."""
        try:
            newest = self._newest()
            yield from self._all(newest, served=served)
            yield from self._unsigned(newest)
            yield from self._revoked_checkpoints()
        except UnverifiableError:
            raise
        except IntegrityError as error:
            yield Finding("log", "log", error.message)
        yield from self.records.last()
        yield from self._revoked()
        for start in self.records.starts.all():
            # While a notary works, the rest may be going on.
            if not served or self._seen.is_sealed(start.run, start.index):
                yield never_closed(start)

    def _newest(self) -> int:
        newest = max(self._log.sizes(), default=None)
        if newest is None:
            raise UnverifiableError(
                "the log has no checkpoint", remedy="restore the log's folder from a copy"
            )
        return newest

    def _all(self, newest: int, *, served: bool) -> Iterator[Finding]:
        """Read the entries, and each checkpoint after those that it covers."""
        sizes = ((size, False) for size in self._log.sizes() if size <= newest)
        indexes = ((index, True) for index in self._log.indexes() if not served or index < newest)
        batch, broken = Batch(), None
        try:
            for number, is_entry in heapq.merge(sizes, indexes):
                batch.add(self._log.entry(number) if is_entry else Size(number))
                if batch.is_full:
                    yield from self._batch(batch.taken())
        except IntegrityError as error:
            broken = error
        yield from self._batch(batch.taken())
        if broken is not None:
            raise broken

    def _batch(self, batch: Sequence[Entry | Size]) -> Iterator[Finding]:
        """Look at what it holds in order; after an entry that changes the keys, open it anew."""
        keys = self._history
        items = iter(opened([item for item in batch if isinstance(item, Entry)], keys))
        for number, item in enumerate(batch):
            if not isinstance(item, Entry):
                yield from self._checkpoint(item)
                continue
            yield from self._entry(next(items))
            if self._history is not keys:
                yield from self._batch(batch[number + 1 :])
                return

    def _entry(self, item: Opened | Refused) -> Iterator[Finding]:
        index, where = item.entry.index, f"entry {item.entry.index}"
        if index != self._next:
            missing = f"{index - self._next} entries are missing before entry {index}"
            yield Finding("log", f"entry {self._next}", missing)
        self._next = index + 1
        self._tree.append(item.hash)
        if len(item.entry.leaf) > LARGEST_LEAF:
            yield Finding("size", where, f"it has {len(item.entry.leaf)} bytes")
        item = self._followed(item)
        if isinstance(item, Opened):
            yield from self._record(item)
        elif isinstance(item.why, DataError):
            yield Finding("schema", where, item.why.message)
        else:
            yield Finding("signature", where, item.why.message)
        self._seen.add(item.record, index, verified=isinstance(item, Opened))

    def _followed(self, item: Opened | Refused) -> Opened | Refused:
        """Go on with the keys after an entry that changes them; refuse a change that is wrong."""
        if isinstance(item, Opened) and is_change(item.statement):
            try:
                self._history = follow(self._history, item.envelope, item.entry.index)
            except UnverifiableError:  # of a second key, where nothing can check its signatures
                raise
            except IntegrityError as error:
                return Refused(item.entry, item.record, item.hash, error)
        return item

    def _record(self, item: Opened) -> Iterator[Finding]:
        if len(self._uncovered) <= MAX_BATCH:
            self._uncovered.append(item.view)
        yield from self.records.look_at(item)

    def _checkpoint(self, size: Size) -> Iterator[Finding]:
        self._uncovered.clear()
        if not self._is_as_signed:
            return
        where = f"checkpoint {size}"
        try:
            checkpoint = self._log.checkpoint(size, self._history)
        except UnverifiableError:
            raise
        except IntegrityError as error:
            yield Finding("checkpoint", where, error.message)
            return
        if size > self._next:
            message = f"it covers {size} entries, the log holds {self._tree.size}"
            yield Finding("checkpoint", where, message)
        elif self._tree.size != size or self._tree.root() != checkpoint.root:
            self._is_as_signed = False
            yield Finding("tree", where, "the entries are not those that were signed")

    def _unsigned(self, newest: int) -> Iterator[Finding]:
        """A crash leaves one batch unsigned, in which no record was answered and stood upon.

        A log that was signed further since goes on, in a bucket say: its tail is not looked at.
        """
        if self._newest() > newest:
            return
        self.unsigned = count = max(0, self._tree.size - newest)
        tail = {view.record: view for view in self._uncovered}
        stood_upon = any({*view.parents, view.start} & tail.keys() for view in tail.values())
        if self._is_as_signed and (count > MAX_BATCH or stood_upon):
            yield Finding("tree", f"entry {newest}", f"{count} entries are under no checkpoint")

    def _revoked(self) -> Iterator[Finding]:
        """Yield the records that a revoked key signed, which a later record says not to count."""
        for tenure in self._history.tenures:
            for index in self._seen.drafts(tenure.revoked_entries):
                message = f"it is signed by a key that is revoked from {tenure.revoked_from} on"
                yield Finding("key", f"entry {index}", message)

    def _revoked_checkpoints(self) -> Iterator[Finding]:
        """Yield the checkpoints of a second key that a later record revokes."""
        revoked = self._history.second.revoked
        for size in self._log.sizes() if revoked else ():
            for item in revoked:
                if item.revokes(size - 1):
                    message = f"its second key is revoked from entry {item.revoked_from} on"
                    yield Finding("checkpoint", f"checkpoint {size}", message)

    def _statement(self, record: str) -> Statement:
        """Return what a record says that this pass has verified."""
        return vouched_statement(self._log.entry(self._place(record)).leaf)

    def _require_valid(self, record: str) -> None:
        """Raise IntegrityError for a record that by now a revoked key has signed."""
        self._history.require_valid(self._place(record))

    def _place(self, record: str) -> int:
        index = self._seen.verified_place(record)
        if index is None:
            raise IntegrityError(
                f"record {record[:12]} is not in the log", remedy="restore the log from a copy"
            )
        return index
