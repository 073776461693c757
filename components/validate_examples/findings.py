"""A finding: one gate with what was expected and what was found, in words for a person.

Rules: a finding names a feature and counts rows, and gives the numbers of the first rows that broke
it; it never quotes a row's value, because its words go into the audit record, which outlives the
data. A gate that did not pass stops the run unless a waiver that counts covers it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from components.core.errors import GateError
from components.core.outcome import Gate

_SHOWN = 5


@dataclass(frozen=True)
class RowNumber:
    """A row: its shard, and its number in it from 0."""

    split: str
    span: str
    row: int


@dataclass(frozen=True)
class Finding:
    """A gate, the words that explain it, and the first rows that broke it."""

    gate: Gate
    expected: str
    actual: str
    rows: tuple[RowNumber, ...] = ()

    def __str__(self) -> str:
        text = f"{self.gate.name} in {self.gate.slice}: expected {self.expected}, {self.actual}"
        return f"{text} ({_words(self.rows)})" if self.rows else text

    def to_dict(self) -> dict[str, Any]:
        """Return a failed gate's details for validation.json."""
        gate = {"gate": self.gate.name, "slice": self.gate.slice, "waived_by": self.gate.waived_by}
        words = {"expected": self.expected, "actual": self.actual}
        return gate | words | {"rows": [asdict(row) for row in self.rows]}


def _words(rows: Sequence[RowNumber]) -> str:
    """Return where the first rows are: `rows 3, 17 of examples train/2013-01, counted from 0`.

    Sources count otherwise: theirs is the row of a file, from 1, or the line of a CSV file.
    """
    shards = groupby(rows, key=lambda row: (row.split, row.span))
    named = ", ".join(
        f"row{'s' if len(numbers) > 1 else ''} {', '.join(numbers)} of examples {split}/{span}"
        for (split, span), group in shards
        if (numbers := [str(row.row) for row in group])
    )
    return f"{named}, counted from 0"


def failed(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings whose gate did not pass, waived or not."""
    return [finding for finding in findings if not finding.gate.passed]


def require_passing(
    findings: Sequence[Finding], refused: Mapping[str, str], facts: Mapping[str, Any]
) -> None:
    """Raise GateError with every gate, and the facts, where one is neither passed nor waived.

    Its message names the first few; `refused` says of each waiver that does not count why.
    """
    stopping = [finding for finding in findings if not finding.gate.accepted]
    if not stopping:
        return
    shown = "; ".join(str(finding) for finding in stopping[:_SHOWN])
    more = f"; and {len(stopping) - _SHOWN} more" if len(stopping) > _SHOWN else ""
    waivers = "".join(
        f"; waiver {sha256[:12]} does not count: {why}" for sha256, why in sorted(refused.items())
    )
    raise GateError(
        f"{len(stopping)} of {len(findings)} data gates did not pass: {shown}{more}{waivers}",
        remedy="correct the data, or have the schema or the thresholds in `checks` reviewed, or "
        "have the gate waived (`tandem waive --help`); validation.json of the task has every "
        "detail",
        gates=[finding.gate.to_dict() for finding in findings],
        facts=facts,
        expected=[finding.expected for finding in stopping],
        actual=[finding.actual for finding in stopping],
    )
