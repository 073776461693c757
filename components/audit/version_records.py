"""One registered version's records, each verified: what a report on it may be made from.

Rules: every record here was verified by signature and by its proof to one checkpoint; a stage whose
result came from the cache is led back to the record of the work; what people did to the version is
beside it. A kind of records is named by its stage; besides there are `training` (what made the
bundle, whichever stage that was), `registration`, `log` (the checkpoint that covers all of them),
and of the approvals that count or counted `signature` (all), `counted_review` and
`counted_approval`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from components.audit.acts import REGISTRATION, Registered
from components.audit.answers import ACT, AUDIT, IMPORTED, KEY, RecordView
from components.audit.approval import MEANINGS, open_approval
from components.audit.checkpoint import Checkpoint
from components.audit.erasures import is_erasure
from components.audit.imported import makers_of_given
from components.audit.key_history import KeyHistory
from components.audit.predicates import APPROVE
from components.audit.verified_log import VerifiedLog
from components.core.errors import IntegrityError
from components.core.stage_names import REGISTERING

LOG, TRAINING, SIGNATURE = "log", "training", "signature"
Kinds = Mapping[str, Sequence["CitedRecord"]]


@dataclass(frozen=True)
class CitedRecord:
    """A verified record; `said` is what a field's path begins in, by the path's first name.

    Of the log itself there is no record: it has the checkpoint's size as index, and no digest.
    """

    index: int
    record: str
    said: Mapping[str, Any]

    @property
    def audit(self) -> Mapping[str, Any]:
        """The record's block of ours; none of the log."""
        block: Mapping[str, Any] = self.said.get("audit", {})
        return block

    @property
    def stage(self) -> str:
        """The stage or act that the record is of."""
        return str(self.audit.get("stage", LOG))

    def value(self, path: str) -> Any:
        """Return what stands at a path such as audit.facts.seed; None where nothing does."""
        found: Any = self.said
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        return found


@dataclass(frozen=True)
class VersionRecords:
    """All verified records about a version.

    `chain` leads from the data to the registration, by index; `acts` are what people did to it;
    `counted` are the approvals among them that count, which is not for this module to judge.
    `erasures` say that artifacts of the chain were erased; `imported` is what another system claims
    of the model that the chain was given.
    """

    version: Registered
    chain: tuple[CitedRecord, ...]
    acts: tuple[CitedRecord, ...]
    note: str
    checkpoint: Checkpoint
    keys: KeyHistory
    erasures: tuple[CitedRecord, ...] = ()
    imported: tuple[CitedRecord, ...] = ()
    counted: frozenset[str] = frozenset()

    @property
    def works(self) -> list[CitedRecord]:
        """The records of work on the way: what was only taken from the cache is left out."""
        return [cited for cited in self.chain if cited.audit["event"] != "CACHED"]

    @cached_property
    def kinds(self) -> Kinds:
        """The records by kind."""
        found: dict[str, list[CitedRecord]] = {LOG: [self._log()]}
        for cited in (*self.works, *self.acts):
            found.setdefault(cited.stage, []).append(cited)
        found[TRAINING] = [self._work(self.version.trained, "bundle")]
        found[REGISTRATION] = found[REGISTERING]
        found[SIGNATURE] = [c for c in found.get(APPROVE, ()) if c.record in self.counted]
        for meaning in MEANINGS:
            signed = (c for c in found[SIGNATURE] if c.value("approval.meaning") == meaning)
            found[f"counted_{meaning}"] = list(signed)
        return found

    def find(self, record: str) -> CitedRecord:
        """Return a record by its digest; IntegrityError where it is not about the version."""
        for cited in (*self.chain, *self.acts):
            if cited.record == record:
                return cited
        raise IntegrityError(
            f"record {record[:12]} is not behind the version", remedy="run `tandem audit verify`"
        )

    def _work(self, record: str, what: str) -> CitedRecord:
        """Return the record of the work that a record stands for, through every cache."""
        cited = self.find(record)
        while cited.audit["event"] == "CACHED":
            origins = set(cited.audit["facts"]["origin"].values())
            if len(origins) != 1:
                raise IntegrityError(
                    f"record {cited.index} does not say which work made the {what}",
                    remedy="run `tandem audit verify`",
                )
            cited = self.find(origins.pop())
        return cited

    def _log(self) -> CitedRecord:
        said = {"origin": self.checkpoint.origin, "size": self.checkpoint.size}
        root = self.checkpoint.root.hex()
        return CitedRecord(self.checkpoint.size, "", said | {"root": root, "checkpoint": self.note})


def version_records(log: VerifiedLog, version: Registered) -> VersionRecords:
    """Return a version's records; none of its approvals counts yet.

    Raises IntegrityError for one that does not verify.
    """
    family = log.ledger.with_ancestors([version.inputs[REGISTRATION].record])
    chain = [view for view in family if view.event != KEY]
    acts = [view for view in map(log.ledger.find, log.ledger.acts()) if _is_about(view, version)]
    behind = {view.record for view in chain}
    erasures = [v for v in log.views if is_erasure(v) and not behind.isdisjoint(v.parents)]
    told = log.ledger.with_ancestors(makers_of_given(chain, log.views))
    log.require_signed([*family, *acts, *erasures, *told])

    def cited(views: Iterable[RecordView]) -> tuple[CitedRecord, ...]:
        return tuple(_cited(log.statement(view.record), view) for view in views)

    return VersionRecords(
        version=version,
        chain=cited(chain),
        acts=cited(acts),
        erasures=cited(erasures),
        imported=cited(view for view in told if view.event == IMPORTED),
        note=log.checkpoint,
        checkpoint=log.opened,
        keys=log.snapshot.keys,
    )


def _is_about(view: RecordView, version: Registered) -> bool:
    facts = view.facts
    return (facts.get("model"), facts.get("version")) == (version.model, version.version)


def _cited(statement: Mapping[str, Any], view: RecordView) -> CitedRecord:
    predicate = statement["predicate"]
    said: dict[str, Any] = {
        "record": view.record,
        "subject": dict(view.subjects),
        "predicate": predicate,
        "audit": predicate[AUDIT],
    }
    if view.event == ACT and view.stage == APPROVE:
        approval, key = open_approval(predicate)
        signed = {
            "name": approval.name,
            "meaning": approval.meaning,
            "signed": approval.signed.isoformat(),
            "until": approval.until.isoformat(),
            "reason": approval.reason,
            "evaluation_sha256": approval.evaluation_sha256,
            "bundle_sha256": approval.bundle_sha256,
            "keyid": key.keyid,
        }
        said["approval"] = signed
    return CitedRecord(view.index, view.record, said)
