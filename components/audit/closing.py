"""Close what a crash left open: an ABORT for each START that nobody will close any more.

Rules: the order of a stage is START, artifact, COMPLETE, so that a process that was killed leaves a
START, and perhaps an artifact that no record names; the ABORT says that nobody saw how it ended and
claims nothing else. It is handed to the notary like any other record. A run whose exit task never
wrote the closing record gets one that is an ABORT too, which says who was told of the end. Whether
something still runs, and who is told, is for the caller to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from components.audit.answers import AUDIT, Receipt, RecordView
from components.audit.attempts import next_attempt
from components.audit.client import Notary
from components.audit.completeness import cited
from components.audit.left_open import abort_draft, named, sealed_runs
from components.audit.records import timestamp
from components.audit.verified_log import VerifiedLog
from components.core.canonical import sha256_value
from components.core.stage_names import SEALING

Tell = Callable[[Mapping[str, Any], list[RecordView]], dict[str, Any]]


@dataclass(frozen=True)
class Closed:
    """A START, and the receipt of the ABORT that closed it."""

    start: RecordView
    receipt: Receipt

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        start, receipt = self.start, self.receipt
        return {
            "run": start.run,
            "stage": start.stage,
            "attempt": start.attempt,
            "start": cited(start),
            "index": receipt.index,
            "record": receipt.record,
        }

    def to_text(self) -> str:
        """Return it for people, on one line."""
        receipt = self.receipt
        return (
            f"closed #{self.start.index}, {named(self.start)}: ABORT #{receipt.index}, "
            f"record {receipt.record}"
        )


def close(notary: Notary, log: VerifiedLog, starts: Iterable[RecordView]) -> list[Closed]:
    """Close STARTs of a log, the newest first, as the notary pairs them; raise what it raises."""
    found = []
    for start in sorted(starts, key=lambda view: view.index, reverse=True):
        why = f"{start.stage} was left open, and nothing runs it: nobody saw how it ended"
        now = timestamp(datetime.now(UTC))
        draft = abort_draft(log.statement(start.record), why, now)
        found.append(Closed(start, notary.submit(draft)))
    return found


@dataclass(frozen=True)
class Sealed:
    """A run, and the receipt of the ABORT that is its closing record."""

    run: str
    state: str
    receipt: Receipt

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        receipt = self.receipt
        return {
            "run": self.run,
            "state": self.state,
            "index": receipt.index,
            "record": receipt.record,
        }

    def to_text(self) -> str:
        """Return it for people, on one line."""
        index, record = self.receipt.index, self.receipt.record
        return f"closed run {self.run}, {self.state}: ABORT #{index}, record {record}"


def seal(notary: Notary, log: VerifiedLog, run: str, state: str, tell: Tell) -> Sealed | None:
    """Give an ended run of a log its closing record, None where it has one; raise as `close`.

    `tell` tells the run's end, once, and returns what the record says of that.
    """
    views = notary.records(run)
    if sealed_runs(views):
        return None
    why = f"the run ended {state}, and its exit task wrote no record of that"
    first = log.statement(log.ledger.of_run(run)[0].record)
    identity = first["predicate"][AUDIT]["run"]
    draft = abort_draft(first, why, timestamp(datetime.now(UTC))) | {
        "stage": SEALING,
        "attempt": next_attempt(views, SEALING),
        "inputs": [],
        "settings": {},
        "settings_sha256": sha256_value({}),
    }
    notary.submit(draft | {"event": "START", "cause": None})
    draft["facts"] = tell(identity, views)
    return Sealed(run, state, notary.submit(draft))
