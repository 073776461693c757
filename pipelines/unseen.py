"""What of a registered version nobody can look at again: what was imported, and what is gone.

Rules: both are told from records that were verified, and apart from what a notary saw; what an
erasure takes away leaves its digest, and what was imported stands behind nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from components.audit.version_records import VersionRecords
from pipelines.audit_sections import done


def erased(records: VersionRecords) -> list[dict[str, Any]]:
    """Return each artifact behind the version that was erased, by the record that says so."""
    index = {cited.record: cited.index for cited in records.chain}
    return [
        {
            "artifact": item["name"],
            "sha256": item["sha256"],
            "made_by": index[item["record"]],
            "run": cited.audit["run"]["id"],
            "was_gone": item["name"] in (cited.value("audit.facts.gone_before") or ()),
            **done(cited, cited.value("audit.settings.reason")),
        }
        for cited in records.erasures
        for item in cited.audit["inputs"]
        if item["record"] in index
    ]


def imported(records: VersionRecords) -> list[dict[str, Any]]:
    """Return what another system's store claims of the model that was given, by record."""
    return [
        {
            "index": cited.index,
            "claims": f"{cited.value('predicate.execution.type')} "
            f"{cited.value('predicate.execution.state')}",
            "time": cited.value("predicate.execution.updated"),
            "pipeline": cited.value("predicate.pipeline.name"),
            "run": cited.value("predicate.pipeline.run"),
            "made": dict(cited.value("subject")),
            "imported_by": cited.audit["actor"]["id"],
            "record": cited.record,
        }
        for cited in records.imported
    ]


def sentences(records: VersionRecords) -> Iterator[str]:
    """Yield what is only claimed, and what is gone, of what stands behind the version."""
    told, gone = len(records.imported), len(erased(records))
    if told:
        yield f"Its model came from another system, of which {told} imported records tell: claims."
    else:
        yield "No imported record tells of what stands behind it."
    if gone:
        yield f"{gone} artifacts behind it were erased on purpose: their digests are left."
    else:
        yield "No record says that an artifact behind it was erased."
