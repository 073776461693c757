"""Findings: what a verification, and each answer to an auditor, says is not as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from components.audit.answers import RecordView
from components.audit.left_open import named
from components.core.errors import IntegrityError

WAY_OUT = "resume the run, or have `tandem audit reconcile` close it"


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


def not_counting(entries: Sequence[int]) -> Finding:
    """Return the finding that a revoked key signed entries, which whoever reads them must know."""
    many = f"entries {entries[0]} to {entries[-1]}" if len(entries) > 1 else f"entry {entries[0]}"
    message = f"a key that is revoked signed {many}: what they say does not count"
    return Finding("key", f"entry {entries[0]}", message)


def exit_code(findings: list[Finding]) -> int:
    """Return 0 for none, 4 otherwise; what cannot be verified is an UnverifiableError, 5."""
    return IntegrityError.exit_code if findings else 0
