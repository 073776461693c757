"""The verdict on examples: every gate with its waiver, as validation.json and the record say it.

Rule: it is of the examples and the schema that it names; it passes where each gate passed or was
waived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from components.core.examples import ExamplesManifest
from components.validate_examples.applied_waivers import AppliedWaivers
from components.validate_examples.findings import Finding, failed, require_passing

if TYPE_CHECKING:
    from components.validate_examples.anomalies import Anomaly
    from components.validate_examples.rows import Scanned


@dataclass(frozen=True)
class Found:
    """What was found of the rows: a finding for each gate, and the anomalies that count.

    `further` are facts for the record of what else was judged.
    """

    findings: Sequence[Finding]
    scanned: Scanned
    anomalies: Sequence[Anomaly]
    further: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What was found, judged with the run's waivers."""

    examples_sha256: str
    schema_sha256: str
    manifest: ExamplesManifest
    found: Found
    waivers: AppliedWaivers

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every gate's, with the waiver that covers it."""
        return self.waivers.applied(self.found.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return validation.json."""
        findings, repeats = self.findings, self.found.scanned.repeats
        return {
            "version": 1,
            "passed": all(finding.gate.accepted for finding in findings),
            "examples_sha256": self.examples_sha256,
            "schema_sha256": self.schema_sha256,
            "gates": [finding.gate.to_dict() for finding in findings],
            "failed": [finding.to_dict() for finding in failed(findings)],
            "waivers": self.waivers.to_list(),
            "duplicates": {"rows": repeats.count, "share": repeats.share},
            "anomalies": [anomaly.to_dict() for anomaly in self.found.anomalies],
        }

    def facts(self) -> dict[str, Any]:
        """Return what the record says beside the gates, whether they passed or not."""
        scanned, missed = self.found.scanned, failed(self.findings)
        facts = {
            "rows_by_split": {split: counted.rows for split, counted in scanned.splits.items()},
            "schema_sha256": self.schema_sha256,
            "card_sha256": self.manifest.card_sha256,
            "gates_checked": len(self.findings),
            "gates_failed": len(missed),
            "gates_waived": sum(finding.gate.accepted for finding in missed),
            "duplicate_rows": scanned.repeats.count,
            "duplicate_share": scanned.repeats.share,
            "anomalies": len(self.found.anomalies),
        }
        return facts | dict(self.found.further) | self.waivers.facts()

    def require_passing(self) -> None:
        """Raise GateError, with every gate and the facts, where one does not let go on."""
        refused = self.waivers.without_effect(self.findings)
        require_passing(self.findings, refused, self.facts())
