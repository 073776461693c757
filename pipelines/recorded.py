"""A run's artifacts as the audit log has them: read only where its bytes are those of a record.

Rules: digests come from the log, whose checkpoint is verified first, and never from run.json, which
anybody may rewrite; of a stage that was tried more than once the last record counts. What a stage
that a gate stopped left behind is no output, and its digest stands in the facts of the failure. An
output that is gone is told as erased where a record says so, and as damage where none does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.audit.answers import DONE_EVENTS, RecordView
from components.audit.erasures import Erased, erased_by, is_erasure
from components.audit.verified_log import VerifiedLog
from components.core.artifacts import ArtifactRef, read_json, tree_digest
from components.core.errors import IntegrityError, SettingsError
from pipelines.home import Home
from pipelines.runs import RecordedRun, required_output

DECIDED = "decide-release"


@dataclass(frozen=True)
class RecordedArtifacts:
    """A run's artifacts; `records` are the run's, verified, by stage, the last of each.

    `erased` are those that a record of the run says were erased.
    """

    run: RecordedRun
    home: Home
    records: Mapping[str, RecordView]
    erased: Mapping[ArtifactRef, Erased]

    @classmethod
    def of(cls, run: RecordedRun, home: Home) -> RecordedArtifacts:
        """Read the log of a home.

        Raises UnverifiableError where there is none, IntegrityError where it does not verify.
        """
        log = VerifiedLog.of(home.folder)
        views = log.ledger.of_run(run.id)
        mine = {view.stage: view for view in views if view.event != "START"}
        gone = [
            item
            for view in filter(is_erasure, views)
            for item in erased_by(view, log.statement(view.record))
        ]
        return cls(run, home, mine, {item.artifact: item for item in gone})

    def output(self, task: str, name: str) -> Path:
        """Return the folder of a task's output.

        Raises SettingsError where the run has none, or somebody erased it, IntegrityError where it
        is not as recorded.
        """
        folder = self.run.folder / required_output(self.run, self.home, task, name).path
        record = self._record(task)
        done = record is not None and record.event in DONE_EVENTS
        recorded = record.outputs.get(name) if record and done else None
        if record and recorded and not folder.exists():
            self._require_kept(ArtifactRef(name, recorded, record.record))
        return self._checked(folder, name, recorded)

    def digest(self, task: str, name: str) -> str:
        """Return what the log has recorded as the digest of an output, "" where it has none.

        Of a task that a gate stopped that is the digest of what it left.
        """
        record = self._record(task)
        if record is None:
            return ""
        return str(record.outputs.get(name) or record.facts.get(f"{name}_sha256", ""))

    def document(self, task: str, name: str, file: str | None = None) -> Mapping[str, Any]:
        """Return an output's JSON file, NAME.json unless said; raises what `output` raises."""
        found: Mapping[str, Any] = read_json(self.output(task, name) / (file or f"{name}.json"))
        return found

    def refused(self, task: str, name: str) -> Mapping[str, Any] | None:
        """Return NAME.json as a task left it that a gate stopped, None where it left none.

        Raises IntegrityError where it is not what the record of the failure names.
        """
        record, folder = self._record(task), self.run.left(task, name)
        if record is None or record.event != "FAIL" or folder is None:
            return None
        self._checked(folder, name, record.facts.get(f"{name}_sha256"))
        found: Mapping[str, Any] = read_json(folder / f"{name}.json")
        return found

    def decision(self) -> Mapping[str, Any] | None:
        """Return what the run decided, a no-go too; None where it did not get that far."""
        result = self.run.tasks.get(DECIDED)
        if result is None or "decision" not in result.outputs:
            return self.refused(DECIDED, "decision")
        return self.document(DECIDED, "decision")

    def _require_kept(self, artifact: ArtifactRef) -> None:
        """Raise SettingsError for an artifact that a record says was erased."""
        if artifact in self.erased:
            item = self.erased[artifact]
            raise SettingsError(
                f"{artifact.name} of run {self.run.id}: erased on purpose, as record {item.index} "
                f"says ({item.record})",
                remedy=f"name a run that still has its {artifact.name}",
            )

    def _record(self, task: str) -> RecordView | None:
        return self.records.get(task.replace("-", "_"))

    def _checked(self, folder: Path, name: str, recorded: str | None) -> Path:
        if (actual := tree_digest(folder)) != recorded:
            raise IntegrityError(
                f"the {name} of run {self.run.id} is not what the log has recorded",
                remedy="find out who changed it, then start a new run",
                expected=recorded or "a record of it",
                actual=actual,
            )
        return folder
