"""Close what a crash left open: an ABORT for each START that nobody will close any more.

Rules: the order of a stage is START, artifact, COMPLETE, so that a process that was killed leaves a
START, and perhaps an artifact that no record names; the ABORT says that nobody saw how it ended and
claims nothing else. It is handed to the notary like any other record. Whether something still runs
is for the caller to know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from components.audit.answers import Receipt, RecordView
from components.audit.client import Notary
from components.audit.completeness import cited
from components.audit.left_open import abort_draft, named
from components.audit.records import timestamp
from components.audit.verified_log import VerifiedLog


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
