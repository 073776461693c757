"""Findings: what a verification, and each answer to an auditor, says is not as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.audit.answers import RecordView
from components.audit.left_open import named
from components.audit.log import Log, entry_key
from components.core.canonical import sha256_bytes
from components.core.errors import IntegrityError

WAY_OUT = "resume the run, or have `tandem audit reconcile` close it"


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be: which check, where, and what was seen.

    `index` and `record` cite what the log says instead, where it says something.
    """

    check: str
    where: str
    message: str
    index: int | None = None
    record: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as a JSON object; one without a record cites none."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def to_text(self) -> str:
        """Return the finding for people, with the record that it cites."""
        cited = "" if self.record is None else f"\n    #{self.index} record  {self.record}"
        return f"{self.check}: {self.where}: {self.message}{cited}"


def cited(finding: Finding, log: Log) -> dict[str, Any]:
    """Return a finding, and of an entry the digest that its bytes have now; None for no bytes."""
    kind, _, number = finding.where.partition(" ")
    if kind != "entry":
        return finding.to_dict()
    leaf = log.storage.read(entry_key(int(number)))
    record = sha256_bytes(leaf) if leaf else None
    return finding.to_dict() | {"index": int(number), "record": record}


def never_closed(start: RecordView) -> Finding:
    """Return the finding that a START has no end, and what to do about it."""
    message = f"{named(start)} was started, never closed; {WAY_OUT}"
    return Finding("open", f"entry {start.index}", message, start.index, start.record)


def not_counting(views: Sequence[RecordView]) -> Finding:
    """Return the finding that a revoked key signed records, which whoever reads them must know.

    It cites the first.
    """
    first, last = views[0], views[-1]
    many = f"entry {first.index}" if first is last else f"entries {first.index} to {last.index}"
    message = f"a key that is revoked signed {many}: what they say does not count"
    return Finding("key", f"entry {first.index}", message, first.index, first.record)


def no_record(index: int, record: str) -> Finding:
    """Return the finding that an entry is no record, for which a key signed that is revoked."""
    message = "it is no record: a key that is revoked from there on signed for it"
    return Finding("schema", f"entry {index}", message, index, record)


def exit_code(findings: list[Finding]) -> int:
    """Return 0 for none, 4 otherwise; what cannot be verified is an UnverifiableError, 5."""
    return IntegrityError.exit_code if findings else 0
