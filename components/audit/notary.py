"""The notary: checks what a stage claims, stamps and signs it, and puts it into the log.

Rules:
1. one notary per home; a second one is refused (writer_lock.py);
2. the outputs of COMPLETE and CACHED are re-hashed where they lie, and a mismatch is refused;
3. every input needs the record of who made it, and so does what comes from the cache (parents.py);
   a COMPLETE needs its START;
4. the same draft gives the same record, however often it is submitted;
5. an act and a registration are recorded only where they may be, and what a stage did only by the
   account that its run is of, which alone has it closed (admission.py);
6. time never runs backwards in the log: a clock that was set back stops the notary;
7. a draft lies in the spool until it is in the log: what a crash or a stage without an answer left
   there is recorded first, by the same rules, by the next notary, and by one at work before what
   stands on it and before it closes a run.

Where somebody vouches for who hands in a draft (authentication.py), the record names the account;
elsewhere it says self-asserted. The same notary serves as a process of its own (served_notary.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.audit.acts import Statement
from components.audit.admission import Admission
from components.audit.answers import (
    KEY,
    InclusionProof,
    ProofBundle,
    Receipt,
    RecordView,
    Registration,
)
from components.audit.batches import Batches, Ticket
from components.audit.claims import check_cause, check_outputs
from components.audit.draining import drain, names_a_waiting_one, with_records
from components.audit.envelope import Envelope, vouched_statement
from components.audit.folder import AuditFolder
from components.audit.key_changes import KeyOrder, change_draft
from components.audit.keyring import Keyring
from components.audit.ledger import Ledger, open_starts
from components.audit.left_open import (
    abort_draft,
    ended_while_open,
    require_asking,
    require_state,
)
from components.audit.log import Log
from components.audit.log_place import log_storage, spool
from components.audit.personal_data import check_no_pattern
from components.audit.recorder import Recorder
from components.audit.records import accept, idempotency_key, statement, timestamp
from components.audit.registered_once import registrations
from components.audit.run_account import RunAccounts
from components.audit.sequencer import Sequencer
from components.audit.spool import Spool
from components.audit.stamps import Stamps
from components.audit.storage import Storage
from components.audit.writer_lock import WriterLock
from components.core.canonical import canonical_json, sha256_bytes
from components.core.errors import TandemError
from components.core.stage_names import REGISTERING


class LocalNotary:
    """A notary over one log; its methods may be called from several threads."""

    def __init__(
        self,
        storage: Storage,
        drafts: Spool,
        keyring: Keyring,
        clock: Callable[[], datetime],
        reconcilers: Collection[str] = (),
    ) -> None:
        """Take over a log, and record the drafts that wait in the spool."""
        self._log = Log(storage)
        self._spool = drafts
        self._keyring = keyring
        self._clock = clock
        self._ledger = Ledger()
        self._stamps = Stamps(self._ledger, self._statement, clock)
        self._sequencer = Sequencer(storage, keyring, self._ledger.add)
        self._accounts = RunAccounts(self._ledger, self._statement, reconcilers)
        self._admission = Admission(
            self._ledger, self._statement, self._require_valid, self._accounts
        )
        self._mutex = threading.Lock()
        self._recorder = Recorder(self._ledger, self._sequencer, self._sign)
        self._batches = Batches(self._recorder.write, self._mutex)
        self._draining = threading.Lock()
        self._passing: set[str] = set()
        self._take_up()

    def submit(self, draft: Mapping[str, Any], account: str | None = None) -> Receipt:
        """Make a record of a draft and return where it went.

        `account` is who handed it in, where that was found out (authentication.py).

        Raises DataError for a draft that breaks its schema, IntegrityError for a claim that is not
        so, PlatformError where the log cannot be written.
        """
        if names_a_waiting_one(draft, self._spool):
            self._take_up()
        accepted = self._accept(draft)
        data = canonical_json(accepted)
        name = sha256_bytes(data)
        self._passing.add(name)
        try:
            self._spool.put(data)
            return self._batches.submit(accepted, account)
        finally:
            self._spool.take(name)
            self._passing.discard(name)

    def _take_up(self) -> None:
        """Record the drafts that wait, but for those on their way that an account may stand for.

        They wait on while the log takes no records.
        """
        with self._draining:
            if self._sequencer.no_record is None:
                drain(self._spool, self._admit, self._passing)

    def _admit(self, drafts: Sequence[Mapping[str, Any]]) -> list[Ticket]:
        """Record drafts that the spool holds, under one checkpoint; return their tickets."""
        tickets = [Ticket(draft) for draft in drafts]
        accepted = []
        for ticket in tickets:
            try:
                ticket.draft = self._accept(ticket.draft)
                accepted.append(ticket)
            except TandemError as error:
                ticket.error = error
        self._batches.admit(accepted)
        return tickets

    def _accept(self, draft: Mapping[str, Any]) -> dict[str, Any]:
        accepted = accept(with_records(draft, self._spool))
        check_cause(accepted)
        check_outputs(accepted)
        return accepted

    def records(self, run: str) -> list[RecordView]:
        """Return a run's records in the order of the log."""
        with self._mutex:
            return self._ledger.of_run(run)

    def close_run(self, run: str, state: str, account: str | None = None) -> list[RecordView]:
        """Close every START of a run that is still open with ABORT; return those records.

        They name the account, since the START that asks may be from the spool and name none. That
        START, the newest of seal_run, stays open: its own COMPLETE closes it.
        Raises DataError for a state that is none, IntegrityError where the run is of another
        account, or its exit task has not begun.
        """
        require_state(state)
        self._take_up()
        with self._mutex:
            self._accounts.require_closing(run, account)
            left = open_starts(self._ledger.of_run(run))
            asking = [require_asking(run, left)]
            closed = [view for view in left if view not in asking]
            tickets = [Ticket(self._abort(view, state), account) for view in closed]
            self._recorder.write(tickets)
            return [self._ledger.find(ticket.result().record) for ticket in tickets]

    def registered(self, model: str) -> dict[str, Registration]:
        """Return the versions of a model that the log has registered, by number."""
        self._take_up()
        with self._mutex:
            return registrations(model, self._ledger.done_by(REGISTERING))

    def prove(self, records: Sequence[str]) -> ProofBundle:
        """Return proofs of the records and all their ancestors under the newest checkpoint."""
        with self._mutex:
            views = self._ledger.with_ancestors(records)
            note = self._sequencer.seal()
            return ProofBundle(note, tuple(self._proof(view) for view in views))

    def change_keys(self, order: KeyOrder) -> RecordView:
        """Record that the log's keys change, with a checkpoint right over it; return the record.

        Raises SettingsError for a change that cannot be, DataError for words that no record may
        hold.
        """
        check_no_pattern("the reason", order.reason)
        check_no_pattern("the actor", order.actor)
        with self._mutex:
            self._sequencer.seal()
            draft = change_draft(
                order, self._sequencer.keys, self._keyring, timestamp(self._clock())
            )
            self._sequencer.append([self._sign(Ticket(draft))])
            self._sequencer.seal()
            return self._ledger.with_key(idempotency_key(draft)) or self._ledger.find("")

    def checkpoint(self) -> str:
        """Return the signed note over all records."""
        with self._mutex:
            return self._sequencer.seal()

    def _proof(self, view: RecordView) -> InclusionProof:
        leaf = self._log.entry(view.index).leaf
        return InclusionProof(
            view.record, view.index, leaf, tuple(self._sequencer.inclusion(view.index))
        )

    def _sign(self, ticket: Ticket) -> Envelope:
        draft = ticket.draft
        if draft["event"] != KEY:
            self._sequencer.require_records()
        value = statement(draft, self._stamps.stamp(draft, ticket.account))
        self._admission.require(draft, value)
        return Envelope.sign(value, self._sequencer.key)

    def _statement(self, record: str) -> Statement:
        return vouched_statement(self._log.entry(self._ledger.find(record).index).leaf)

    def _require_valid(self, record: str) -> None:
        self._sequencer.keys.require_valid(self._ledger.find(record).index)

    def _abort(self, view: RecordView, state: str) -> dict[str, Any]:
        """Return the draft that closes a START."""
        why = ended_while_open(state, view.stage)
        return abort_draft(self._statement(view.record), why, timestamp(self._clock()))


def utc_now() -> datetime:
    """Return the notary's clock."""
    return datetime.now(UTC)


@contextmanager
def open_notary(
    home: Path, clock: Callable[[], datetime] = utc_now, reconcilers: Collection[str] = ()
) -> Iterator[LocalNotary]:
    """Yield the notary of a home, made at first use; raise PlatformError where there is one."""
    folder = AuditFolder(home)
    with WriterLock(folder):
        storage = log_storage(folder)
        storage.sweep()
        drafts = spool(folder, durable=False)  # whoever submits waits, and asks again
        drafts.storage.sweep()
        yield LocalNotary(storage, drafts, Keyring(folder), clock, reconcilers)
