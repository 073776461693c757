"""Where a model comes from: its records back to the ingestion of its data.

Rules: the answer is read from the log on disk, offline; each step's envelope and its place under
the newest checkpoint are verified before it is shown; each step is cited by index and digest, and
the checkpoint that covers all of them is part of the answer. MLflow is not asked: which bundle a
version is stands in the record of its registration. The records are found through the index, and
proven without it (index.py). What was imported (imported.py) is told as what it is, a claim; a
model from elsewhere is led back to it by the digest of what was given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.audit.answers import IMPORTED, RecordView
from components.audit.completeness import no_version_omitted, refusing_with_citation
from components.audit.imported import artifact_name, given_to
from components.audit.index import origin_of
from components.audit.verified_log import VerifiedLog
from components.core.errors import SettingsError

SCHEMA = "https://tandem.invalid/trace/v1"


@dataclass(frozen=True)
class TraceStep:
    """One record on the way: what it made of what, and the facts that its stage stated.

    `given_by` is the imported record of a model that a stage was given from elsewhere.
    """

    index: int
    record: str
    stage: str
    event: str
    run: str
    time: str
    subjects: Mapping[str, str]
    parents: tuple[int, ...]
    facts: Mapping[str, Any]
    given_by: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the step as a JSON object."""
        return {**vars(self), "subjects": dict(self.subjects), "parents": list(self.parents)}


@dataclass(frozen=True)
class Trace:
    """The steps behind one bundle, from its data on, and the checkpoint that covers them."""

    bundle_sha256: str
    steps: tuple[TraceStep, ...]
    checkpoint: str

    def to_dict(self) -> dict[str, Any]:
        """Return the trace as a JSON object."""
        return {
            "schema": SCHEMA,
            "bundle_sha256": self.bundle_sha256,
            "steps": [step.to_dict() for step in self.steps],
            "checkpoint": self.checkpoint,
        }

    def to_text(self) -> str:
        """Return the trace for people."""
        lines = [f"bundle {self.bundle_sha256}", ""]
        for step in self.steps:
            lines += _step_lines(step)
        return "\n".join([*lines, "", "covered by checkpoint:", self.checkpoint])


def trace(home: Path, what: str) -> Trace:
    """Return where `MODEL@VERSION`, or the bundle of that digest, comes from.

    Raises NotRecordedError for a model, version or bundle that no record names, IntegrityError
    where the log does not verify, UnverifiableError where there is none.
    """
    with refusing_with_citation(home):
        found = origin_of(home, what)
    if found is None:
        with no_version_omitted(home, VerifiedLog.of(home)):
            raise SettingsError(
                f"no record in the log names {what}",
                remedy="give MODEL@VERSION as registered, or a bundle's sha256",
            )
    bundle, proof = found
    return Trace(bundle, tuple(_steps(proof.records)), proof.checkpoint)


def _steps(views: Sequence[RecordView]) -> list[TraceStep]:
    index = {view.record: view.index for view in views}
    told = [view for view in views if view.event == IMPORTED]
    made = {sha: view.index for view in reversed(told) for sha in view.subjects.values()}
    return [
        TraceStep(
            index=view.index,
            record=view.record,
            stage=view.stage,
            event=view.event,
            run=view.run,
            time=view.time,
            subjects=view.subjects,
            parents=tuple(index[parent] for parent in view.parents),
            facts=view.facts,
            given_by=made.get(given_to(view) or ""),
        )
        for view in views
    ]


def _step_lines(step: TraceStep) -> list[str]:
    source = "from " + ", ".join(f"#{i}" for i in step.parents) if step.parents else "from outside"
    lines = [f"#{step.index} {step.stage} {step.event} {step.time} ({source})"]
    lines.append(f"    record  {step.record}")
    lines += [f"    {name:<17} {sha256}" for name, sha256 in step.subjects.items()]
    if step.event == IMPORTED:
        return [*lines, *_claimed_lines(step.facts)]
    if step.given_by is not None:
        lines.append(f"    given what #{step.given_by} made, which was only imported")
    lines += [f"    {name}: {_short(value)}" for name, value in sorted(step.facts.items())]
    return lines


def _claimed_lines(facts: Mapping[str, Any]) -> list[str]:
    execution, pipeline, store = facts["execution"], facts["pipeline"], facts["store"]
    told = f"{execution['type']} {execution['state']} at {execution['updated']}"
    lines = [f"    claimed: {told}, execution {execution['id']} of {store['kind']}"]
    if pipeline["name"]:
        lines.append(f"    claimed: pipeline {pipeline['name']}, run {pipeline['run']}")
    for item in facts["outputs"]:
        if item["span"] is not None:
            lines.append(f"    claimed: {artifact_name(item)} is of span {item['span']}")
    return lines


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 160 else text[:157] + "..."
