"""MLflow held against a home's log: in what they differ, and of how much that speaks.

Two commands say it: `tandem models reconcile`, and `tandem audit reconcile` after it has closed
what a crash left open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from components.audit.findings import Finding
from components.core.errors import PlatformError, UnverifiableError
from components.register_models.catalogue import opened_catalogue
from components.register_models.logbook import Logbook
from pipelines.home import Home


@dataclass(frozen=True)
class Comparison:
    """In what MLflow and the log differ, and of how much that speaks."""

    findings: list[Finding]
    counts: dict[str, int]
    book: Logbook

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        said = [finding.to_dict() for finding in self.findings]
        return {"findings": said, **self.counts, "checkpoint": self.book.checkpoint}

    def to_text(self) -> str:
        """Return it for people."""
        found, counts = len(self.findings), self.counts
        lines = [item.to_text() for item in self.findings]
        result = f"findings: {found}" if found else "MLflow agrees with the log: no finding"
        looked = f"{counts['versions']} versions and {counts['aliases']} aliases in MLflow"
        spoken = f"{counts['releases']} releases in {counts['records']} records"
        return "\n".join([*lines, f"{result}; {looked}, {spoken}"])


def compared(home: Home) -> Comparison:
    """Hold MLflow against a home's log; UnverifiableError where it does not answer."""
    from components.audit.folder import AuditFolder
    from components.audit.keys import read_public_key
    from components.register_models.reconcile import reconcile as compare

    book = Logbook.read(home.folder)
    try:
        with opened_catalogue(home.tracking_uri) as catalogue:
            findings = compare(book, catalogue, read_public_key(AuditFolder(home.folder)))
    except PlatformError as error:
        raise UnverifiableError(error.message, remedy=error.remedy) from error
    counts = {
        "versions": len(catalogue.versions),
        "aliases": len(catalogue.aliases),
        "releases": len(book.releases),
        "records": len(book.statements),
    }
    return Comparison(findings, counts, book)
