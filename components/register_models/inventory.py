"""Which versions were in use at a moment, which aliases, and who had approved, by the log's clock.

Rules: the log's clock never runs backwards, so what was known at a moment is a beginning of the
log; a version is in use while it is the champion. An approval is shown as it was recorded: whether
its key is trusted today is `tandem audit approvals`. The promotion names those that counted. What a
key signed that was revoked since, at whatever moment, is shown too, and that it does not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from components.audit.acts import PROMOTE
from components.audit.answers import AUDIT, RecordView
from components.audit.completeness import Completeness, cited, completeness
from components.audit.records import timestamp
from components.audit.standing import Standing, standing_of
from components.audit.verified_log import VerifiedLog
from components.audit.version_findings import version_findings
from components.core.candidates import CHAMPION
from components.register_models.logbook import Logbook, Release

SCHEMA = "https://tandem.invalid/inventory/v1"


@dataclass(frozen=True)
class Held:
    """A version as it stood at the moment; `approvals` and `promotion` cite their records.

    `not_counting` are those of its records that a key signed which is revoked by now.
    """

    release: Release
    state: str
    aliases: tuple[str, ...]
    approvals: tuple[Mapping[str, Any], ...]
    promotion: Mapping[str, Any] | None
    not_counting: tuple[RecordView, ...] = ()

    @property
    def in_use(self) -> bool:
        """Say whether it was the champion."""
        return CHAMPION in self.aliases

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        release = self.release
        return {
            "model": release.model,
            "version": release.version,
            "in_use": self.in_use,
            "state": self.state,
            "aliases": list(self.aliases),
            "framework": release.framework,
            "run": release.run,
            "registered": release.time,
            "bundle_sha256": release.bundle_sha256,
            "index": release.index,
            "record": release.record,
            "approvals": [dict(item) for item in self.approvals],
            "promotion": dict(self.promotion) if self.promotion else None,
            "not_counting": [cited(view) for view in self.not_counting],
        }


@dataclass(frozen=True)
class Inventory:
    """The versions that were registered by a moment, in the order of their registration."""

    at: datetime
    versions: tuple[Held, ...]
    complete: Completeness
    checkpoint: str

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as a JSON object."""
        return {
            "schema": SCHEMA,
            "at": timestamp(self.at),
            "versions": [item.to_dict() for item in self.versions],
            "findings": [finding.to_dict() for finding in self.complete.findings],
            "completeness": self.complete.to_dict(),
            "checkpoint": self.checkpoint,
        }

    def to_text(self) -> str:
        """Return the answer for people."""
        in_use = sum(item.in_use for item in self.versions)
        lines = [f"at {timestamp(self.at)}: {len(self.versions)} versions, {in_use} in use"]
        for item in self.versions:
            lines += _version_lines(item)
        lines += [finding.to_text() for finding in self.complete.findings]
        lines.append(f"no version omitted: {self.complete.to_text()}")
        return "\n".join([*lines, "", "covered by checkpoint:", self.checkpoint])


def inventory(home: Path, at: datetime) -> Inventory:
    """Return what a home's log says of all versions at a moment.

    Raises IntegrityError where the log does not verify, UnverifiableError where there is none.
    """
    log = VerifiedLog.of(home)
    book = Logbook.of(log).until(at)
    acts = [record for record in log.ledger.acts() if record in book.statements]
    standing = standing_of(acts, log.statement, log.require_valid)
    versions = [
        Held(
            release=release,
            state=book.state(release),
            aliases=tuple(book.aliases_of(release)),
            approvals=tuple(_approvals(log, standing, release)),
            promotion=_promotion(book, acts, release),
        )
        for release in book.releases.values()
    ]
    held = tuple(replace(item, not_counting=_not_counting(log, item)) for item in versions)
    about = version_findings(log, [item.release.record for item in held])
    return Inventory(at, held, completeness(home, log, about), log.checkpoint)


def _not_counting(log: VerifiedLog, item: Held) -> tuple[RecordView, ...]:
    """Return the records of a version that do not count; IntegrityError for one that is wrong."""
    promoted = [item.promotion] if item.promotion else []
    records = [item.release.record, *(said["record"] for said in (*item.approvals, *promoted))]
    views = {view.index: view for view in map(log.ledger.find, records)}
    log.require_included(views.values())
    return tuple(view for view in views.values() if log.snapshot.keys.is_revoked(view.index))


def _approvals(log: VerifiedLog, standing: Standing, release: Release) -> Iterator[dict[str, Any]]:
    for signed in standing.approvals(*release.key):
        said = signed.approval
        yield {
            "index": log.ledger.find(signed.record).index,
            "record": signed.record,
            "name": said.name,
            "meaning": said.meaning,
            "signed_at": timestamp(said.signed),
            "until": said.until.isoformat(),
            "keyid": signed.keyid,
        }


def _promotion(book: Logbook, acts: list[str], release: Release) -> dict[str, Any] | None:
    """Return the last promotion of a version: who, when, why, and the approvals that counted."""
    places = {record: index for index, record in enumerate(book.statements)}
    for record in reversed(acts):
        predicate = book.statements[record]["predicate"]
        audit = predicate[AUDIT]
        named = (predicate.get("model"), predicate.get("version"))
        if audit["stage"] == PROMOTE and named == release.key:
            return {
                "index": places[record],
                "record": record,
                "time": audit["clocks"]["notary"],
                "actor": audit["actor"]["id"],
                "reason": predicate["reason"],
                "approvals": list(predicate["approvals"]),
            }
    return None


def _version_lines(item: Held) -> list[str]:
    release = item.release
    also = f", {', '.join(item.aliases)}" if item.aliases else ""
    use = "in use" if item.in_use else "not in use"
    lines = [
        f"{release.model}@{release.version} {use}: {item.state}{also}",
        f"    #{release.index} registered {release.time} by run {release.run}, "
        f"record {release.record}",
    ]
    for said in item.approvals:
        lines.append(
            f"    #{said['index']} {said['meaning']} by {said['name']} at {said['signed_at']} "
            f"until {said['until']}, record {said['record']}"
        )
    if item.promotion:
        said = item.promotion
        lines.append(
            f"    #{said['index']} promoted {said['time']} by {said['actor']}: {said['reason']}, "
            f"record {said['record']}"
        )
    lines += [f"    #{view.index} does not count: its key is revoked" for view in item.not_counting]
    return lines
