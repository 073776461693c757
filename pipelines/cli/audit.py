"""`tandem audit verify` and `tandem audit trace`: the log on the disk, without a notary."""

from __future__ import annotations

import re
from argparse import Namespace
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.cli.output import print_json
from pipelines.cli.remedies import REMEDIES, ways_on
from pipelines.home import Home

if TYPE_CHECKING:
    from pathlib import Path

    from components.audit.findings import Finding
    from components.audit.log import Log
    from components.audit.verify import Verified

_DIGEST = re.compile(r"[0-9a-f]{64}")


def verify(arguments: Namespace) -> int:
    """Say everything that is wrong with the log and with the runs' artifacts; 4 if anything is."""
    from dataclasses import asdict

    from components.audit.findings import exit_code
    from components.audit.unrecorded import drafts
    from components.audit.verify import verify as verify_home

    home = Home.at(arguments.home)
    verified = verify_home(home.folder, home.runs if home.runs.is_dir() else None)
    covered = _Covered.of(home.folder)
    findings = [covered.cited(finding) for finding in verified.findings]
    unrecorded = drafts(home.folder)
    if arguments.json:
        gone = [item.to_dict() for item in verified.erased]
        said = {**asdict(verified), "findings": findings, "erased": gone}
        said["drafts"] = unrecorded.to_dict()
        print_json({"home": str(home.folder), **said, **covered.to_dict()})
        return exit_code(verified.findings)
    for item in findings:
        print(f"{item['check']}: {item['where']}: {item['message']}")
        if "record" in item:
            print(f"    record  {item['record'] or 'missing'}")
    for line in ways_on(item["check"] for item in findings):
        print(line)
    for artifact in verified.erased:
        print(artifact.to_text())
    for line in unrecorded.lines():
        print(line)
    print(f"{_verdict(verified, covered)}{unrecorded.counted.to_text()}")
    print(f"\ncovered by checkpoint:\n{covered.note or 'none that can be read'}")
    return exit_code(verified.findings)


def _verdict(verified: Verified, covered: _Covered) -> str:
    """Say the result, and of how much it speaks."""
    from components.audit.completeness import unsigned_text

    found = len(verified.findings)
    result = f"findings: {found}" if found else "the log verifies: no finding"
    there = verified.runs - len(verified.runs_without_folder)
    spoken = "log with checkpoints" if found else "log consistent"
    behind = unsigned_text(verified.unsigned)
    return (
        f"{result} in {verified.records} records of {verified.runs} runs, {spoken} from "
        f"{covered.first} to {covered.last} entries{behind}; artifacts of {there} of "
        f"{verified.runs} runs re-hashed, the registry's copies are not part of this check"
    )


@dataclass(frozen=True)
class _Covered:
    """The oldest and the newest size that have a checkpoint, and the newest note as it lies there.

    Nothing is verified here: what is wrong with either is among the findings.
    """

    log: Log
    first: int
    last: int
    note: str | None

    @classmethod
    def of(cls, home: Path) -> _Covered:
        """Look at a home's log, which was just verified."""
        from components.audit.folder import AuditFolder
        from components.audit.log import Log
        from components.core.errors import IntegrityError

        log = Log.at(AuditFolder(home))
        try:
            sizes = [size for size in log.sizes() if size] or [0]
            return cls(log, sizes[0], sizes[-1], log.note(sizes[-1]))
        except IntegrityError:
            return cls(log, 0, 0, None)

    def to_dict(self) -> dict[str, Any]:
        """Return it as parts of a JSON object."""
        sizes = {"first": self.first, "last": self.last}
        return {"checkpoints": sizes, "checkpoint": self.note}

    def cited(self, finding: Finding) -> dict[str, Any]:
        """Return a finding with its remedy, and of an entry the digest that its bytes have now."""
        from components.audit.findings import cited

        return cited(finding, self.log) | {"remedy": REMEDIES[finding.check]}


def trace(arguments: Namespace) -> int:
    """Show which data, code, gates and people stand behind a model; 4 where something is wrong."""
    from components.audit.completeness import refusing_with_citation
    from components.audit.findings import exit_code
    from components.audit.trace import trace as trace_model
    from components.audit.trace import with_acts

    home = Home.at(arguments.home).folder
    found = trace_model(home, _named(home, arguments.model))
    with refusing_with_citation(home):
        found = with_acts(home, found)
    if arguments.json:
        print_json(found.to_dict())
    else:
        print(found.to_text())
    return exit_code(found.findings)


def _named(home: Path, what: str) -> str:
    """Return MODEL@VERSION for an alias, or for a number of the only model; a digest as it is."""
    from components.audit.completeness import no_version_omitted
    from components.audit.verified_log import VerifiedLog
    from components.register_models.logbook import Logbook
    from pipelines.cli.audit_answers import release_named

    model, _, version = what.rpartition("@")
    if _DIGEST.fullmatch(what) or (model and version.isdigit()):
        return what
    log = VerifiedLog.of(home)
    with no_version_omitted(home, log):
        release = release_named(Logbook.of(log), what)
    return f"{release.model}@{release.version}"
