"""`tandem audit report`: one registered version for an auditor, as a static page or as JSON.

Rules: every part is made from records that were verified, by signature and by proof to one
checkpoint, and cites them by index and digest; run folders are looked at by the verifier alone;
what no record answers is a gap, and no count of answers is a verdict. The page is a reading aid: it
says how to verify what it tells of.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from components.approvals.trail import Judged, Trail
from components.audit.acts import PROMOTE, Registered
from components.audit.completeness import Completeness, completeness
from components.audit.control_matrix import Control, Status, control_matrix, tally
from components.audit.findings import cited
from components.audit.folder import AuditFolder
from components.audit.log import Log
from components.audit.requirements import Template, read_template
from components.audit.verify import Verified, verify
from components.audit.version_records import VersionRecords, version_records
from components.core.stage_names import DECIDING
from pipelines import audit_sections, commands, unseen
from pipelines.dag_picture import BOX_HEIGHT, BOX_WIDTH
from pipelines.home import Home
from pipelines.page import render_page

PAGE = "audit_report.html.jinja"
VERIFY_ELSEWHERE = "python verify.py --key THAT_KEY.pub"
SCHEMA = "https://tandem.invalid/audit-report/v1"


@dataclass(frozen=True)
class AuditReport:
    """A version by one template: its records, what the verifier found, people and controls.

    `judged` and `lacking` hold on `day`.
    """

    home: Home
    template: Template
    records: VersionRecords
    verified: Verified
    complete: Completeness
    judged: Sequence[Judged]
    lacking: Sequence[str]
    champion: str | None
    controls: tuple[Control, ...]
    day: date

    @property
    def version(self) -> Registered:
        """The version as it was registered."""
        return self.records.version

    @property
    def is_champion(self) -> bool:
        """Say whether the version is the champion by the records."""
        return self.champion == self.version.version

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        checkpoint = self.records.checkpoint
        return {
            "schema": SCHEMA,
            "model": self.version.model,
            "version": self.version.version,
            "template": self.template.name,
            "day": self.day.isoformat(),
            "verdict": verdict(self),
            "complete": self.complete.to_dict(),
            "findings": _findings(self),
            "controls": [control.to_dict() for control in self.controls],
            "tally": {str(status): count for status, count in tally(self.controls).items()},
            "lineage": audit_sections.steps(self.records),
            "imported": unseen.imported(self.records),
            "erased": unseen.erased(self.records),
            "gates": audit_sections.gates(self.records),
            "people": people(self),
            "acts": audit_sections.acts(self.records),
            "data": audit_sections.data(self.records),
            "environment": audit_sections.environment(self.records),
            "settings": audit_sections.settings(self.records),
            **audit_sections.keys(self.records),
            "checkpoint": {
                "origin": checkpoint.origin,
                "size": checkpoint.size,
                "root": checkpoint.root.hex(),
                "note": self.records.note,
            },
        }


def audit_report(
    home: Home, trail: Trail, version: Registered, template: str, day: date
) -> AuditReport:
    """Return the report of a version.

    Raises IntegrityError for what does not verify, UnverifiableError where there is no log.
    """
    judged = trail.judged(version, day)
    found = version_records(trail.log, version)
    records = replace(found, counted=frozenset(_counted(trail, found, judged)))
    asked = read_template(template)
    return AuditReport(
        home=home,
        template=asked,
        records=records,
        verified=verify(home.folder, home.runs if home.runs.is_dir() else None),
        complete=completeness(home.folder, trail.log),
        judged=judged,
        lacking=trail.lacking(version, judged),
        champion=trail.standing.of(version.model).champion,
        controls=control_matrix(asked, records.kinds),
        day=day,
    )


def _counted(trail: Trail, records: VersionRecords, judged: Sequence[Judged]) -> Iterator[str]:
    """Yield the approvals that count, and those that did when a promotion named them.

    That their keys were trusted then is in the promotion's record; the rest is judged again here.
    """
    yield from (item.signed.record for item in judged if item.refused is None)
    for act in (one for one in records.acts if one.stage == PROMOTE):
        day = datetime.fromisoformat(act.audit["clocks"]["notary"]).date()
        for item in judged:
            is_named = item.signed.record in act.value("predicate.approvals")
            if is_named and trail.standing.why_not(item.signed, records.version, day) is None:
                yield item.signed.record


def _findings(report: AuditReport) -> list[dict[str, Any]]:
    """Return the findings, each with the entry that it is of and the digest that this has now."""
    log = Log.at(AuditFolder(report.home.folder))
    return [cited(finding, log) for finding in report.verified.findings]


def verdict(report: AuditReport) -> list[str]:
    """Return the verdict in sentences, the log's first."""
    version, records = report.version, report.records
    gates = audit_sections.gates(records)
    passed = sum(bool(gate["passed"]) for gate in gates)
    counting = sum(item.signed.record in records.counted for item in report.judged)
    made = tally(report.controls)
    registration = audit_sections.registration(records)
    return [
        _log_verdict(report.verified),
        f"Of what it speaks: {report.complete.to_text()}.",
        f"{version.model}@{version.version} ({version.framework}) was registered by run "
        f"{version.run} at {registration.audit['clocks']['notary']}, record {registration.index} "
        f"({registration.record}).",
        *unseen.sentences(records),
        f"{passed} of {len(gates)} recorded gates passed.",
        f"{counting} of {len(report.judged)} signed approvals count; {_asked_for(report)}.",
        "By the records it is the champion."
        if report.is_champion
        else "By the records it is not the champion.",
        f"Of {len(report.controls)} requirements the records answer {made[Status.ANSWERED]}, "
        f"{made[Status.IN_PART]} in part, and leave {made[Status.GAP]} open.",
    ]


def _asked_for(report: AuditReport) -> str:
    """Say what a promotion lacks; that nothing was asked for is not the same as nothing lacking."""
    if report.lacking:
        return f"lacking: {'; '.join(report.lacking)}"
    return "none is lacking" if any(report.version.required.values()) else "none was asked for"


def _log_verdict(verified: Verified) -> str:
    there = verified.runs - len(verified.runs_without_folder)
    looked = f"{verified.records} records, artifacts of {there} of {verified.runs} runs re-hashed"
    if verified.findings:
        return f"The log has findings ({len(verified.findings)}) in {looked}: do not rely on it."
    return f"The log verifies: no finding in {looked}."


def people(report: AuditReport) -> dict[str, Any]:
    """Return who submitted, who signed, what counts, and what was asked for."""
    registration = audit_sections.registration(report.records)
    return {
        "submitter": report.version.submitter,
        "assurance": registration.audit["actor"]["assurance"],
        "record": registration.index,
        "required": dict(report.version.required),
        "lacking": list(report.lacking),
        "approvals": [_approval(report, item) for item in report.judged],
    }


def _approval(report: AuditReport, item: Judged) -> dict[str, Any]:
    signed, said = item.signed, item.signed.approval
    return {
        "index": item.index,
        "record": signed.record,
        "name": said.name,
        "meaning": said.meaning,
        "signed": said.signed.isoformat(),
        "until": said.until.isoformat(),
        "reason": said.reason,
        "keyid": signed.keyid,
        "actor": signed.actor,
        "counts": signed.record in report.records.counted,
        "why_not": item.refused,
    }


def page(report: AuditReport, *, elsewhere: bool = False) -> str:
    """Return the report as a page; one that is read elsewhere names no place of this machine."""
    name = f"{report.version.model}@{report.version.version}"
    words = ("audit", "reproduce", name, "--run")
    again = shlex.join(("tandem", *words)) if elsewhere else commands.tandem(report.home, *words)
    verify_by = [VERIFY_ELSEWHERE] if elsewhere else _verify_here(report.home, name)
    reproduction = audit_sections.reproduction(report.records, again)
    return render_page(PAGE, {**_context(report), "verify": verify_by, "commands": reproduction})


def _verify_here(home: Home, name: str) -> list[str]:
    return [
        commands.tandem(home, "audit", "verify"),
        commands.tandem(home, "audit", "trace", name),
        commands.tandem(home, "audit", "approvals", name),
        commands.tandem(home, "audit", "export", name, "-o", "export.zip"),
    ]


def _context(report: AuditReport) -> Mapping[str, Any]:
    records = report.records
    name = f"{report.version.model}@{report.version.version}"
    return {
        **report.to_dict(),
        "name": name,
        "title": report.template.title,
        "source": report.template.source,
        "short": audit_sections.short,
        "picture": audit_sections.graph(records),
        "box": {"width": BOX_WIDTH, "height": BOX_HEIGHT},
        "decision": [one for one in records.kinds.get(DECIDING, ())],
        "repeats": audit_sections.repeats(records),
        "controls": report.controls,
    }
