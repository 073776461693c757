"""The notary: checks what a stage claims, stamps and signs it, and puts it into the log.

Rules:
1. one notary per home; a second one is refused (sequencer.WriterLock);
2. the outputs of COMPLETE and CACHED are re-hashed where they lie, and a mismatch is refused;
3. every input needs the record of who made it, and so does what comes from the cache (parents.py);
   a COMPLETE needs its START;
4. the same draft gives the same record, however often it is submitted;
5. an act is recorded only where it may be (standing.py);
6. time never runs backwards in the log: a clock that was set back stops the notary.

Where somebody vouches for who hands in a draft (authentication.py), the record names the account;
elsewhere it says self-asserted. `python -m components.audit.notary` is the same notary as a process
of its own (service.py).
"""

from __future__ import annotations

import argparse
import gc
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from components.audit.acts import Act, Statement
from components.audit.answers import (
    ACT,
    InclusionProof,
    ProofBundle,
    Receipt,
    RecordView,
)
from components.audit.claims import check_outputs
from components.audit.envelope import Envelope, vouched_statement
from components.audit.folder import AuditFolder
from components.audit.keys import SigningKey, open_key
from components.audit.ledger import Ledger, open_starts
from components.audit.left_open import abort_draft
from components.audit.log import Log
from components.audit.log_place import log_storage
from components.audit.parents import parents
from components.audit.records import Stamp, accept, idempotency_key, statement, timestamp
from components.audit.sequencer import Sequencer, WriterLock
from components.audit.standing import standing_of
from components.audit.storage import Storage
from components.core.errors import IntegrityError, PlatformError, TandemError

_CLOCK_TOLERANCE = timedelta(seconds=2)


class LocalNotary:
    """A notary over one log; its methods may be called from several threads."""

    def __init__(self, storage: Storage, key: SigningKey, clock: Callable[[], datetime]) -> None:
        self._log = Log(storage)
        self._key = key
        self._clock = clock
        self._ledger = Ledger()
        self._sequencer = Sequencer(self._log, key, self._ledger.add)
        self._mutex = threading.Lock()

    def submit(self, draft: Mapping[str, Any], account: str | None = None) -> Receipt:
        """Make a record of a draft and return where it went.

        `account` is who handed it in, where that was found out (authentication.py).

        Raises DataError for a draft that breaks its schema, IntegrityError for a claim that is not
        so, PlatformError where the log cannot be written.
        """
        accepted = accept(draft)
        check_outputs(accepted)
        with self._mutex:
            return self._record(accepted, account)

    def records(self, run: str) -> list[RecordView]:
        """Return a run's records in the order of the log."""
        with self._mutex:
            return self._ledger.of_run(run)

    def close_run(self, run: str, state: str) -> list[RecordView]:
        """Close every START of a run that is still open with ABORT; return those records.

        The newest START of seal_run, which asks for this, stays open: its own COMPLETE closes it.
        """
        with self._mutex:
            left = open_starts(self._ledger.of_run(run))
            asking = [view for view in left if view.stage == "seal_run"][-1:]
            receipts = [
                self._record(self._abort(view, state)) for view in left if view not in asking
            ]
            return [self._ledger.find(receipt.record) for receipt in receipts]

    def prove(self, records: Sequence[str]) -> ProofBundle:
        """Return proofs of the records and all their ancestors under the newest checkpoint."""
        with self._mutex:
            views = self._ledger.with_ancestors(records)
            note = self._sequencer.seal()
            return ProofBundle(note, tuple(self._proof(view) for view in views))

    def checkpoint(self) -> str:
        """Return the signed note over all records."""
        with self._mutex:
            return self._sequencer.seal()

    def _proof(self, view: RecordView) -> InclusionProof:
        leaf = self._log.entry(view.index).leaf
        return InclusionProof(
            view.record, view.index, leaf, tuple(self._sequencer.inclusion(view.index))
        )

    def _record(self, draft: Mapping[str, Any], account: str | None = None) -> Receipt:
        known = self._ledger.with_key(idempotency_key(draft))
        if known is None:
            value = statement(draft, self._stamp(draft, account))
            if draft["event"] == ACT:
                self._require_allowed(value)
            envelope = Envelope.sign(value, self._key)
            entry = self._sequencer.append(envelope)
            receipt = Receipt(entry.record, entry.index)
        else:
            receipt = Receipt(known.record, known.index)
        self._sequencer.seal()
        return receipt

    def _require_allowed(self, value: Statement) -> None:
        """Raise IntegrityError for an act that must not be."""
        standing = standing_of(self._ledger.acts(), self._statement)
        for problem in standing.problems(Act.from_statement(value, "")):
            raise IntegrityError(
                f"the notary does not record this act: {problem}",
                remedy="see where the version stands with `tandem audit approvals`",
            )

    def _statement(self, record: str) -> Statement:
        return vouched_statement(self._log.entry(self._ledger.find(record).index).leaf)

    def _stamp(self, draft: Mapping[str, Any], account: str | None) -> Stamp:
        event, stage, attempt = draft["event"], draft["stage"], draft["attempt"]
        run = draft["run"]["id"]
        start = None if event in ("START", "CACHED") else self._opened(draft)
        return Stamp(
            now=self._now(),
            record_id=self._ledger.free_record_id(f"{run}/{stage}/{attempt}/{event}", run),
            parents=parents(draft, self._ledger),
            start=start.record if start else None,
            started=start.time if start else None,
            account=account,
        )

    def _opened(self, draft: Mapping[str, Any]) -> RecordView | None:
        run, stage, attempt = draft["run"]["id"], draft["stage"], draft["attempt"]
        start = self._ledger.open_start(run, stage, attempt)
        if start is None and draft["event"] == "COMPLETE":
            raise IntegrityError(
                f"{stage} of {run} claims to be done but attempt {attempt} is not open",
                remedy="write START before the work; an attempt ends once",
            )
        return start

    def _now(self) -> datetime:
        now = self._clock()
        last = datetime.fromisoformat(self._ledger.last_time) if self._ledger.last_time else now
        if now < last - _CLOCK_TOLERANCE:
            raise PlatformError(
                "the clock was set back",
                remedy="set the clock right; records wait until it has caught up",
                expected=f"not before {timestamp(last)}",
                actual=timestamp(now),
            )
        return max(now, last)

    def _abort(self, view: RecordView, state: str) -> dict[str, Any]:
        """Return the draft that closes a START."""
        leaf = self._log.entry(view.index).leaf
        statement = Envelope.from_bytes(leaf).statement(self._key.public)
        why = f"the run ended {state} while {view.stage} was open"
        return abort_draft(statement, why, timestamp(self._clock()))


def utc_now() -> datetime:
    """Return the notary's clock."""
    return datetime.now(UTC)


@contextmanager
def open_notary(home: Path, clock: Callable[[], datetime] = utc_now) -> Iterator[LocalNotary]:
    """Yield the notary of a home, made at first use; raise PlatformError where there is one."""
    folder = AuditFolder(home)
    with WriterLock(folder):
        storage = log_storage(folder)
        storage.sweep()
        yield LocalNotary(storage, open_key(folder), clock)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a home's notary on a socket until told to stop; print nothing but an error."""
    parser = argparse.ArgumentParser(prog="python -m components.audit.notary")
    parser.add_argument("--home", type=Path, required=True, help="Tandem's state folder")
    parser.add_argument("--socket", type=Path, required=True, help="path of the socket to make")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when the starting process ends"
    )
    options = parser.parse_args(arguments)
    from components.audit.service import serve

    try:
        with open_notary(options.home) as notary:
            serve(notary, options.socket, until_stdin_closes=options.until_stdin_closes)
    except TandemError as error:
        sys.stderr.write(f"{error.message}\n{error.remedy}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    code = main()
    gc.freeze()  # whoever stops it waits for its end, which looks for garbage otherwise
    sys.exit(code)
