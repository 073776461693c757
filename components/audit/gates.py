"""The gates that were judged, passed or not, with their records: what was held against what.

Rules: a gate stands in the record of the stage that judged it, of a FAIL no less than of a
COMPLETE; what came from the cache was judged in the record that it names, and is not judged again;
the days are those of the log's own clock. Every record that is cited is verified by its signature
and its proof. An answer says of how much it speaks, so that "none failed" is a statement; a version
that was registered over one of its gates is a finding, and so is a gate that a record left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from components.audit.answers import RecordView
from components.audit.completeness import Completeness, cited, completeness
from components.audit.gate_results import result_of
from components.audit.verified_log import VerifiedLog
from components.audit.version_findings import wrong_gates

SCHEMA = "https://tandem.invalid/gates/v1"


@dataclass(frozen=True)
class Period:
    """From a moment to a moment of the log's clock, both included; None has no end."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it ends before it begins, so that no record can be in it."""
        return self.since is not None and self.until is not None and self.until < self.since

    def holds(self, view: RecordView) -> bool:
        """Say whether a record was made in it."""
        moment = datetime.fromisoformat(view.time)
        return (self.since is None or moment >= self.since) and (
            self.until is None or moment <= self.until
        )


@dataclass(frozen=True)
class JudgedGate:
    """One gate, and the record of the stage that judged it."""

    view: RecordView
    gate: Mapping[str, Any]

    @property
    def waived(self) -> bool:
        """Say whether a waiver let it through."""
        return result_of(self.gate) == "waived"

    def to_dict(self) -> dict[str, Any]:
        """Return the gate as a JSON object."""
        where = {"run": self.view.run, "stage": self.view.stage, "event": self.view.event}
        return {**cited(self.view), **where, "time": self.view.time, "gate": dict(self.gate)}

    def to_text(self) -> str:
        """Return the gate for people, on one line."""
        gate, view = self.gate, self.view
        result = "passed" if gate["passed"] else "waived" if self.waived else "failed"
        of = f" ({gate['slice']})" if gate.get("slice") else ""
        compared = f"{gate['value']} {gate['operator']} {gate['threshold']}"
        counted = f", n {gate['n']}" if "n" in gate else ""
        return (
            f"#{view.index} {view.time} {view.stage} of {view.run}: {gate['name']}{of} {result}: "
            f"{compared}{counted}"
        )


@dataclass(frozen=True)
class Gates:
    """The gates that were asked for, and of how many it speaks."""

    gates: tuple[JudgedGate, ...]
    judged: int
    only_failed: bool
    complete: Completeness
    checkpoint: str

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as a JSON object."""
        return {
            "schema": SCHEMA,
            "gates": [gate.to_dict() for gate in self.gates],
            "judged": self.judged,
            "findings": [finding.to_dict() for finding in self.complete.findings],
            "completeness": self.complete.to_dict(),
            "checkpoint": self.checkpoint,
        }

    def to_text(self) -> str:
        """Return the answer for people."""
        what = "failed gate" if self.only_failed else "gate"
        lines = []
        for gate in self.gates:
            lines += [gate.to_text(), f"    record  {gate.view.record}"]
        lines += [finding.to_text() for finding in self.complete.findings]
        lines.append(f"{len(self.gates)} of {self.judged} gates judged in the time asked for")
        lines.append(f"no {what} omitted: {self.complete.to_text()}")
        return "\n".join([*lines, "", "covered by checkpoint:", self.checkpoint])


def gates(home: Path, *, failed: bool = False, period: Period | None = None) -> Gates:
    """Return a home's gates, those that failed alone where asked, of a period if given.

    Raises IntegrityError where the log does not verify, UnverifiableError where there is none.
    """
    log, period = VerifiedLog.of(home), period or Period()
    judged = list(_judged(log.views, period))
    found = [item for item in judged if not failed or not item.gate["passed"]]
    log.require_included(item.view for item in found)
    wrong = wrong_gates(log.views, log.statement)
    at = {view.index: view for view in log.views}
    about = [item.finding for item in wrong if period.holds(at[item.over])]
    complete = completeness(home, log, about)
    return Gates(tuple(found), len(judged), failed, complete, log.checkpoint)


def _judged(views: Sequence[RecordView], period: Period) -> Iterator[JudgedGate]:
    for view in views:
        if view.gates and period.holds(view):
            yield from (JudgedGate(view, gate) for gate in view.gates)
