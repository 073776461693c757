"""The verifier: reads a home's log from the disk and says everything that is wrong with it.

Rules: it needs the log and its public key and trusts nothing else, no notary and no index; it goes
on after a finding, so that one edited byte does not hide another; no finding means that all it
checks is right: names and numbering, every signature, the tree under every checkpoint, the form of
every record, its parents, the order of time, what was left open, what people did to registered
versions (standing.py), and (artifacts.py) the bytes of the runs that are there. It cannot see a log
that was cut or rewritten together with its checkpoints: that takes a copy of a checkpoint kept
elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from components.audit.acts import Act, Statement
from components.audit.answers import ACT, KEY, RecordView
from components.audit.artifacts import artifact_problems
from components.audit.envelope import Envelope, vouched_statement
from components.audit.folder import AuditFolder
from components.audit.key_history import KeyHistory, follow, is_change
from components.audit.keys import PublicKey, read_public_key
from components.audit.left_open import left_open, named
from components.audit.log import Log
from components.audit.merkle import Tree, leaf_hash
from components.audit.schema import check_statement
from components.audit.sequencer import MAX_BATCH, is_being_written
from components.audit.standing import Standing
from components.core.errors import (
    DataError,
    IntegrityError,
    UnverifiableError,
)

LARGEST_LEAF = 16 * 2**20
"""Bytes: what the notary takes (service.MAX_REQUEST_BYTES), in base 64 and with what it adds."""
WAY_OUT = "resume the run, or have `tandem audit reconcile` close it"
_NOT_KEPT: dict[str, Any] = {
    "subjects": {},
    "facts": {},
    "gates": (),
    "resources": {},
    "cause": None,
}
"""What no check looks at again: most of a record, of which there may be many."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be: which check, where, and what was seen."""

    check: str
    where: str
    message: str

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as a JSON object."""
        return asdict(self)


def never_closed(start: RecordView) -> Finding:
    """Return the finding that a START has no end, and what to do about it."""
    message = f"{named(start)} was started, never closed; {WAY_OUT}"
    return Finding("open", f"entry {start.index}", message)


def exit_code(findings: list[Finding]) -> int:
    """Return 0 for none, 4 otherwise; what cannot be verified is an UnverifiableError, 5."""
    return IntegrityError.exit_code if findings else 0


@dataclass(frozen=True)
class Verified:
    """What a verification found, and how much it looked at: an empty answer says of what.

    `runs` are those the log knows; the artifacts of `runs_without_folder` could not be read.
    """

    findings: list[Finding]
    records: int
    runs: int
    runs_without_folder: list[str]


def verify_log(home: Path, runs: Path | None = None) -> list[Finding]:
    """Return the findings of `verify`."""
    return verify(home, runs).findings


def verify(home: Path, runs: Path | None = None) -> Verified:
    """Return what is wrong with a home's log, and with the artifacts of the runs below `runs`.

    Raises UnverifiableError where there is no log, no checkpoint or no key.
    """
    folder = AuditFolder(home)
    verification = _Verification(Log.at(folder), read_public_key(folder))
    findings = list(verification.run(served=is_being_written(folder)))
    if runs is not None:
        problems = artifact_problems(runs, verification.views)
        findings += [Finding("artifact", where, message) for where, message in problems]
    known = {view.run for view in verification.views if view.event != KEY}
    gone = sorted(run for run in known if runs is None or not (runs / run).is_dir())
    return Verified(findings, len(verification.views), len(known), gone)


class _Verification:
    """One pass over a log; `views` holds what the checks ask of the records that could be read."""

    def __init__(self, log: Log, key: PublicKey) -> None:
        self._log = log
        self._histories = [(-1, KeyHistory.of(key))]
        self._tree = Tree()
        self._seen: set[str] = set()
        self._keys: dict[str, int] = {}
        self._time = ""
        self._indexes: dict[str, int] = {}
        self.views: list[RecordView] = []

    def run(self, *, served: bool) -> Iterator[Finding]:
        """Yield every finding."""
        try:
            yield from self._entries()
            yield from self._checkpoints()
        except UnverifiableError:
            raise
        except IntegrityError as error:
            yield Finding("log", "log", error.message)
        yield from self._revoked()
        yield from self._left_open(served=served)
        yield from self._acts()

    def _entries(self) -> Iterator[Finding]:
        expected = 0
        for index in self._log.indexes():
            if index != expected:
                missing = f"{index - expected} entries are missing before entry {index}"
                yield Finding("log", f"entry {expected}", missing)
            expected = index + 1
            entry = self._log.entry(index)
            self._tree.append(leaf_hash(entry.leaf))
            where = f"entry {index}"
            if len(entry.leaf) > LARGEST_LEAF:
                yield Finding("size", where, f"it has {len(entry.leaf)} bytes")
            try:
                envelope = Envelope.from_bytes(entry.leaf)
                statement = envelope.statement(self._history.holder(index))
                check_statement(statement)
                if is_change(statement):
                    self._histories.append((index, follow(self._history, envelope, index)))
            except IntegrityError as error:
                yield Finding("signature", where, error.message)
            except DataError as error:
                yield Finding("schema", where, error.message)
            else:
                view = RecordView.from_statement(statement, index, entry.record)
                yield from self._record(view, where)
            self._seen.add(entry.record)

    def _record(self, view: RecordView, where: str) -> Iterator[Finding]:
        self.views.append(replace(view, **_NOT_KEPT))
        self._indexes[view.record] = view.index
        sources = [*view.parents, *([view.start] if view.start else [])]
        for source in sources:
            if source not in self._seen:
                yield Finding("parents", where, f"record {source[:12]} is not before it in the log")
        twin = self._keys.setdefault(view.idempotency_key, view.index)
        if twin != view.index:
            yield Finding("idempotency", where, f"it repeats entry {twin}")
        if view.time < self._time:
            yield Finding("clock", where, f"its time {view.time} is before {self._time}")
        self._time = max(self._time, view.time)

    def _checkpoints(self) -> Iterator[Finding]:
        newest = None
        for size in self._log.sizes():
            where = f"checkpoint {size}"
            newest = size
            try:
                keys = next(keys for last, keys in reversed(self._histories) if last < size)
                checkpoint = self._log.checkpoint(size, keys)
                self._history.second.require_valid(size)
            except IntegrityError as error:
                yield Finding("checkpoint", where, error.message)
                continue
            if size > self._tree.size:
                message = f"it covers {size} entries, the log holds {self._tree.size}"
                yield Finding("checkpoint", where, message)
            elif self._tree.root(size) != checkpoint.root:
                yield Finding("tree", where, "the entries are not those that were signed")
                return
        if newest is None:
            raise UnverifiableError(
                "the log has no checkpoint", remedy="restore the log's folder from a copy"
            )
        yield from self._unsigned(newest)

    def _unsigned(self, newest: int) -> Iterator[Finding]:
        """A crash leaves one batch unsigned, in which no record was answered and stood upon."""
        count = self._tree.size - newest
        tail = {view.record: view for view in self.views if view.index >= newest}
        stood_upon = any({*view.parents, view.start} & tail.keys() for view in tail.values())
        if count > MAX_BATCH or stood_upon:
            yield Finding("tree", f"entry {newest}", f"{count} entries are under no checkpoint")

    @property
    def _history(self) -> KeyHistory:
        return self._histories[-1][1]

    def _revoked(self) -> Iterator[Finding]:
        """Yield the records that a revoked key signed, which a later record says not to count."""
        for view in self.views:
            try:
                self._history.require_valid(view.index)
            except IntegrityError as error:
                yield Finding("key", f"entry {view.index}", error.message)

    def _left_open(self, *, served: bool) -> Iterator[Finding]:
        """While a notary works, only what a sealed run left open is a finding."""
        for start in left_open(self.views, served=served):
            yield never_closed(start)

    def _acts(self) -> Iterator[Finding]:
        """Hold every act against the rules, at its place among the others."""
        standing = Standing(self._statement)
        for view in self.views:
            if view.event == ACT:
                act = Act.from_statement(self._statement(view.record), view.record)
                for problem in standing.problems(act):
                    yield Finding("act", f"entry {view.index}", problem)
                standing.take(act)

    def _statement(self, record: str) -> Statement:
        """Return what a record says that this pass has verified."""
        index = self._indexes.get(record)
        if index is None:
            raise IntegrityError(
                f"record {record[:12]} is not in the log", remedy="restore the log from a copy"
            )
        return vouched_statement(self._log.entry(index).leaf)
