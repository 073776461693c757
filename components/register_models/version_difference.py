"""What differs between two registered versions, with the gates they were held to and the people.

Rules: everything comes from the log, names of versions too; data, code, settings and environment
are those of `tandem models diff`; a gate is compared with its value, its threshold and its result,
as it stands in the record of the stage that judged it; an alias is none of the differences, because
it says where a version stands and not what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.audit.acts import PROMOTE, ROLL_BACK
from components.audit.answers import AUDIT, RecordView
from components.audit.completeness import Completeness, completeness
from components.audit.gate_results import result_of
from components.audit.standing import standing_of
from components.audit.verified_log import VerifiedLog
from components.audit.version_findings import version_findings
from components.core.candidates import CANDIDATES
from components.register_models.description import differences_of, made_from
from components.register_models.lineage import Work
from components.register_models.logbook import Logbook, Release

SCHEMA = "https://tandem.invalid/version-difference/v1"
PARTS = ("data", "code", "settings", "environment", "gates", "people")


@dataclass(frozen=True)
class VersionDifference:
    """What differs, by part, and the records behind each of the two versions."""

    versions: tuple[Release, Release]
    differences: Mapping[str, list[dict[str, Any]]]
    records: tuple[tuple[RecordView, ...], tuple[RecordView, ...]]
    complete: Completeness
    checkpoint: str

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as a JSON object."""
        return {
            "schema": SCHEMA,
            "versions": [
                {
                    "model": release.model,
                    "version": release.version,
                    "index": release.index,
                    "record": release.record,
                    "records": [
                        {"index": view.index, "record": view.record, "stage": view.stage}
                        for view in views
                    ],
                }
                for release, views in zip(self.versions, self.records, strict=True)
            ],
            "differences": dict(self.differences),
            "completeness": self.complete.to_dict(),
            "findings": [finding.to_dict() for finding in self.complete.findings],
            "checkpoint": self.checkpoint,
        }

    def to_text(self) -> str:
        """Return the answer for people."""
        one, two = self.versions
        lines = [f"{one.model}@{one.version} -> {two.model}@{two.version}"]
        for part, found in self.differences.items():
            lines.append(f"{part}:" if found else f"{part}: the same")
            lines += [
                f"  {item['name']}: {_shown(item['one'])} -> {_shown(item['two'])}"
                for item in found
            ]
        for release, views in zip(self.versions, self.records, strict=True):
            places = " ".join(f"#{view.index}" for view in views)
            lines.append(f"{release.model}@{release.version} by {places}")
            lines.append(f"    #{release.index} record  {release.record}")
        lines += [finding.to_text() for finding in self.complete.findings]
        lines.append(f"no act on either omitted: {self.complete.to_text()}")
        return "\n".join([*lines, "", "covered by checkpoint:", self.checkpoint])


def version_difference(
    home: Path, log: VerifiedLog, book: Logbook, one: Release, two: Release
) -> VersionDifference:
    """Return what differs between two versions; IntegrityError where a record does not verify."""
    described = [_described(log, book, release) for release in (one, two)]
    found = {part: differences_of(described[0][part], described[1][part]) for part in PARTS}
    behind = [log.proven([release.record]).records for release in (one, two)]
    about = version_findings(log, [release.record for release in (one, two)])
    complete = completeness(home, log, about)
    return VersionDifference((one, two), found, (behind[0], behind[1]), complete, log.checkpoint)


def _described(log: VerifiedLog, book: Logbook, release: Release) -> dict[str, Any]:
    made = book.made(release)
    people = _people(log, book, release)
    return made_from(made) | {"gates": dict(_gates(made, release.framework)), "people": people}


def _gates(made: Mapping[str, Work], framework: str) -> Iterator[tuple[str, str]]:
    """Yield each gate behind a version, by stage, name and slice; those of its rival are not."""
    for work in made.values():
        for gate in work.audit["gates"]:
            first, _, rest = gate["name"].partition(" ")
            if first not in CANDIDATES or first == framework:
                name = rest if first == framework else gate["name"]
                yield f"{work.audit['stage']} {name}{_of(gate)}", _judged(gate)


def _of(gate: Mapping[str, Any]) -> str:
    return f" ({gate['slice']})" if gate.get("slice") else ""


def _judged(gate: Mapping[str, Any]) -> str:
    return f"{gate['value']} {gate['operator']} {gate['threshold']} {result_of(gate)}"


def _people(log: VerifiedLog, book: Logbook, release: Release) -> dict[str, Any]:
    """Return who submitted the run, signed for the version, and made it the champion."""
    statements = book.statements
    submitted = statements[release.record]["predicate"][AUDIT]["actor"]["id"]
    standing = standing_of(log.ledger.acts(), log.statement, log.require_valid)
    signed = [
        f"{item.approval.meaning} by {item.approval.name}, key {item.keyid}"
        for item in standing.approvals(*release.key)
    ]
    moved = [
        f"{change.event} by {change.actor}"
        for change in book.changes
        if change.event in (PROMOTE, ROLL_BACK) and (change.model, change.after) == release.key
    ]
    return {"submitted by": submitted, "signed": sorted(signed), "made champion": moved}


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "nobody"
    return "-" if value is None else str(value)
