"""The draft of a record for each execution that a store tells of, and what each stands on.

Rules: an execution stands on the records of who first gave out its inputs, and, where what it gave
out was there before (a cached execution, a resolver), of who made that; only what came earlier in
the store counts, so no record stands on itself. An artifact has one digest in all drafts: that of
the record of its maker, or else of its bytes as they lie here now. What the store does not say is
null, and so is the digest of bytes that are not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.audit.answers import IMPORTED, RecordView
from components.audit.imported import (
    IMPORT,
    artifact_name,
    artifact_sha256,
    import_key,
    run_of,
)
from components.audit.plain_draft import plain_draft
from components.audit.records import accept
from components.core.artifacts import tree_digest
from components.core.errors import DataError, IntegrityError
from components.tfx_history.executions import Artifact, Execution, History

_NOT_YET = "0" * 64
"""The record of a maker that will be imported too, while drafts are only checked."""
Known = Callable[[str], list[RecordView]]
"""Gives a run's records, as the log has them."""


@dataclass(frozen=True)
class Hashed:
    """The digest of an artifact's bytes; None where they could not be hashed, and why not."""

    sha256: str | None
    why_not: str | None = None


@dataclass
class Drafts:
    """Makes drafts, one after the other in the order of the store; `records` grows with them."""

    history: History
    store: Mapping[str, Any]
    actor: str
    known: Known
    records: dict[int, str] = field(default_factory=dict)
    now: dict[int, Hashed] = field(default_factory=dict)
    before: dict[int, str | None] = field(default_factory=dict)
    """By artifact: the digest in the record of its maker, where it was imported before."""

    def recorded(self, execution: Execution) -> RecordView | None:
        """Return the record of an execution that was imported before, None where there is none.

        Raises IntegrityError where the store told something else then, or the bytes were others.
        """
        facts = self.facts(execution)
        key = import_key(facts)
        views = [v for v in self.known(run_of(execution.pipeline)["id"]) if v.event == IMPORTED]
        same = [v for v in views if v.facts["execution"]["id"] == execution.id]
        for view in same:
            if view.idempotency_key != key:
                raise IntegrityError(
                    f"the store says otherwise of execution {execution.id} than when it was "
                    f"imported as record {view.index}",
                    remedy="find out who changed the store; the record holds what it said before",
                )
            self._require_same_bytes(execution, view)
        return same[-1] if same else None

    def take(self, execution: Execution, record: str = _NOT_YET) -> None:
        """Go on with the record of an execution, or with one that is still to be made."""
        self.records[execution.id] = record

    def draft(self, execution: Execution) -> dict[str, Any]:
        """Return the draft of an execution whose makers were taken before."""
        facts = self.facts(execution)
        outputs = [
            {
                "name": artifact_name(item),
                "sha256": item["sha256"],
                "path": str(self.history.artifacts[item["id"]].folder),
            }
            for item in facts["outputs"]
            if item["sha256"] and self.hashed(item["id"]).sha256 == item["sha256"]
        ]
        return plain_draft(
            IMPORTED,
            IMPORT,
            {**run_of(execution.pipeline), "actor": self.actor, "trigger": "import"},
            now=execution.said["updated"],
            inputs=self._inputs(execution, facts),
            outputs=outputs,
            facts=facts,
        )

    def check(self, execution: Execution) -> None:
        """Raise DataError for an execution of which no record may be made."""
        try:
            accept(self.draft(execution))
        except DataError as error:
            raise DataError(
                f"execution {execution.id} of the store: {error.message}",
                remedy="leave its pipeline out: name another with --pipeline",
            ) from error

    def facts(self, execution: Execution) -> dict[str, Any]:
        """Return the fields of the record's predicate."""
        return {
            "store": dict(self.store),
            "pipeline": dict(execution.pipeline),
            "execution": dict(execution.said),
            "inputs": [self._item(slot, number) for slot, number in execution.inputs],
            "outputs": [self._item(slot, number) for slot, number in execution.outputs],
        }

    def _item(self, slot: str, number: int) -> dict[str, Any]:
        said = self.history.artifacts[number].said
        now = self.hashed(number).sha256
        return {"slot": slot, **said, "sha256": self.before.get(number, now)}

    def hashed(self, number: int) -> Hashed:
        """Return the digest of an artifact as it lies here now."""
        if number not in self.now:
            self.now[number] = hashed(self.history.artifacts[number])
        return self.now[number]

    def _inputs(self, execution: Execution, facts: Mapping[str, Any]) -> list[dict[str, str]]:
        """Return what has a record to stand on, each once."""
        found = {}
        for item in (*facts["inputs"], *facts["outputs"]):
            maker = self.history.makers.get(item["id"], execution.id)
            if maker < execution.id and maker in self.records:
                name = artifact_name(item)
                made = {"name": name, "sha256": artifact_sha256(item)}
                found[name] = made | {"record": self.records[maker]}
        return list(found.values())

    def _require_same_bytes(self, execution: Execution, view: RecordView) -> None:
        """Take over the digests of a record; IntegrityError where other bytes lie there now."""
        for item in view.facts["outputs"]:
            if self.history.makers.get(item["id"]) != execution.id:
                continue
            now = self.hashed(item["id"]).sha256
            if item["sha256"] and now and now != item["sha256"]:
                raise IntegrityError(
                    f"artifact {item['id']} of the store has other bytes than record {view.index} "
                    "was made of",
                    remedy="find out what wrote to it; the record holds the digest from before",
                    expected=item["sha256"],
                    actual=now,
                )
            self.before[item["id"]] = item["sha256"]


def hashed(artifact: Artifact) -> Hashed:
    """Return the digest of an artifact's folder, or why there is none."""
    folder = artifact.folder
    if folder is None:
        return Hashed(None, "it does not lie on this machine")
    if not folder.is_dir():
        return Hashed(None, "it is a file" if folder.is_file() else "it is not there any more")
    try:
        return Hashed(tree_digest(folder))
    except IntegrityError as error:
        return Hashed(None, error.message)
    except OSError as error:
        return Hashed(None, f"it cannot be read: {error.strerror}")
