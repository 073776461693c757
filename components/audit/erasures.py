"""Artifacts that somebody erased on purpose: what the log says of that, and what it excuses.

Rules: an erasure is an attempt of `erase_artifacts` in the artifacts' own run: START, the removal,
COMPLETE. Its inputs are what is erased, each with the record that made it, and its facts which of
them were gone before, so that nobody knows what their bytes were; its output lies below `erasures/`
of the run's folder, and says the same for who has the folder alone. What the inputs of a recorded
erasure name may be missing, and nothing else may; bytes that are there are held to their record as
ever (artifacts.py). A model keeps its proofs: the log holds the digests of what was erased, and the
record of who erased it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.audit.answers import AUDIT, RecordView
from components.audit.plain_draft import plain_draft
from components.core.artifacts import ArtifactRef, write_json

STAGE, OUTPUT = "erase_artifacts", "erasure"
FOLDER, FILE = "erasures", "erasure.json"
_GONE_BEFORE = "gone_before"


@dataclass(frozen=True)
class Erased:
    """An artifact of a run, and the record by which it was erased; `was_gone` before that."""

    run: str
    artifact: ArtifactRef
    index: int
    record: str
    was_gone: bool

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object, with the record that made it and the one that erased it."""
        return {
            "run": self.run,
            **self.artifact.to_dict(),
            "was_gone": self.was_gone,
            "erasure": {"index": self.index, "record": self.record},
        }

    def to_text(self) -> str:
        """Return it for people, with the record that it cites."""
        before = ", which was gone before" if self.was_gone else ""
        said = f"erased on purpose: {self.run}/{self.artifact.name}{before}"
        return f"{said}\n    #{self.index} record  {self.record}"


def is_erasure(view: RecordView) -> bool:
    """Say whether a record says that artifacts were erased."""
    return view.stage == STAGE and view.event == "COMPLETE"


def folder_of(run: Path, attempt: int) -> Path:
    """Return where the output of a run's erasure lies."""
    return run / FOLDER / str(attempt)


def write_erasure(folder: Path, erased: Sequence[ArtifactRef]) -> None:
    """Write the output of an erasure."""
    write_json(folder / FILE, {"erased": [item.to_dict() for item in erased]})


def erased_by(view: RecordView, statement: Mapping[str, Any]) -> list[Erased]:
    """Return what a record of an erasure says was erased, by its inputs."""
    gone = view.facts.get(_GONE_BEFORE)
    before = gone if isinstance(gone, list) else []
    items = [ArtifactRef(**item) for item in statement["predicate"][AUDIT]["inputs"]]
    return [Erased(view.run, i, view.index, view.record, i.name in before) for i in items]


def erasure_draft(
    event: str,
    run: Mapping[str, Any],
    attempt: int,
    erased: Sequence[ArtifactRef],
    reason: str,
    gone_before: Sequence[str],
    *,
    now: str,
    **parts: Any,
) -> dict[str, Any]:
    """Return the draft of an erasure's START or COMPLETE; `run` has id, name, actor, trigger."""
    return plain_draft(
        event,
        STAGE,
        run,
        now=now,
        settings={"reason": reason},
        attempt=attempt,
        inputs=[item.to_dict() for item in erased],
        facts={_GONE_BEFORE: list(gone_before)},
        **parts,
    )
