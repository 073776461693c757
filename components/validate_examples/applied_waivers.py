"""The waivers of a run: judged once, applied to its findings, and what is recorded of them.

Rules: components/waivers.py says which count; a finding that one covers stays a failure, with the
waiver's digest beside it; a waiver that let nothing pass is told why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from components.core.outcome import Gate
from components.validate_examples.findings import Finding
from components.waivers import (
    Judged,
    Scope,
    Waiver,
    day_of_run,
    judge,
    keys_folder,
    trusted_keys,
    waive,
)


@dataclass(frozen=True)
class AppliedWaivers:
    """What the waivers of a run say, and the day that they are judged by, if the run tells one."""

    judged: tuple[Judged, ...]
    day: date | None

    @classmethod
    def of_run(
        cls, signed: Sequence[str], run: Mapping[str, Any], schema_sha256: str
    ) -> AppliedWaivers:
        """Judge the waivers by the keys that are trusted here, before any gate is known."""
        day = day_of_run(run)
        if not signed:
            return cls((), day)
        trusted = trusted_keys(keys_folder())
        scope = Scope(str(run.get("name", "")), schema_sha256, day)
        return cls(tuple(judge(text, trusted, scope) for text in signed), day)

    def applied(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """Return the findings, those that a waiver covers with its digest."""
        return tuple(replace(item, gate=waive(item.gate, self.judged)) for item in findings)

    def without_effect(self, findings: Sequence[Finding]) -> dict[str, str]:
        """Return why a waiver did nothing, by its digest: refused, or about nothing that failed."""
        failing = [finding.gate for finding in findings if not finding.gate.passed]
        why = {item.sha256: _why_idle(item.waiver, failing) for item in self.judged if item.waiver}
        idle = {sha256: words for sha256, words in why.items() if words}
        return idle | {item.sha256: item.refused for item in self.judged if item.refused}

    def to_list(self) -> list[dict[str, Any]]:
        """Return what validation.json says of each."""
        return [item.to_dict() for item in self.judged]

    def facts(self) -> dict[str, Any]:
        """Return what the record says of them, where there is one."""
        if not self.judged:
            return {}
        day = self.day.isoformat() if self.day else None
        return {"waivers": self.to_list(), "waivers_judged_on": day}


def _why_idle(waiver: Waiver, failing: Sequence[Gate]) -> str | None:
    """Return why a waiver covers none of the gates that failed, None where it covers one."""
    if any(map(waiver.covers, failing)):
        return None
    if slices := [gate.slice for gate in failing if gate.name == waiver.gate]:
        return f"{waiver.gate} failed, but not in {waiver.slice}: it failed in {', '.join(slices)}"
    return f"{waiver.gate} is no gate that failed"
