"""What stands behind a model: its data, code, gates and people, by the records back to ingestion.

Rules: the answer is read from the log on disk, offline; each step's envelope and its place under
the newest checkpoint are verified before it is shown; each step is cited by index and digest, and
the checkpoint that covers all of them is part of the answer. MLflow is not asked: which bundle a
version is stands in the record of its registration. The records are found through the index, and
proven without it (index.py), so that none behind the model can be missing. What people did to a
version afterwards stands behind nothing: it is asked of the whole log (trace_people.py). What was
imported (imported.py) is told as what it is, a claim; a model from elsewhere is led back to it by
the digest of what was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from components.audit.acts import Reader, Statement
from components.audit.answers import AUDIT, IMPORTED, RecordView
from components.audit.completeness import Completeness, no_version_omitted, refusing_with_citation
from components.audit.findings import Finding
from components.audit.imported import given_to
from components.audit.index import origin_of
from components.audit.predicates import released_versions
from components.audit.proof import Proof
from components.audit.trace_people import People, acts_on, people_of
from components.audit.trace_sections import Section, actor_of, code_of, data_of, gates_of
from components.audit.trace_text import text_of
from components.audit.verified_log import VerifiedLog
from components.audit.version_findings import version_findings, wrong_gates
from components.core.artifacts import require_content
from components.core.errors import IntegrityError, SettingsError
from components.core.stage_names import REGISTERING

SCHEMA = "https://tandem.invalid/trace/v1"


@dataclass(frozen=True)
class TraceStep:
    """One record on the way: what it made of what, who handed it in, and the code it was made by.

    `outputs` are the subjects that the notary re-hashed; `facts` are what the stage stated;
    `given_by` is the imported record of a model that a stage was given from elsewhere.
    """

    index: int
    record: str
    stage: str
    event: str
    run: str
    attempt: int
    time: str
    subjects: Mapping[str, str]
    outputs: Mapping[str, str]
    parents: tuple[int, ...]
    actor: Mapping[str, Any]
    code: Mapping[str, Any]
    facts: Mapping[str, Any]
    given_by: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the step as a JSON object."""
        mappings = ("subjects", "outputs", "actor", "code")
        plain = {name: dict(getattr(self, name)) for name in mappings}
        return {**vars(self), **plain, "parents": list(self.parents)}


@dataclass(frozen=True)
class Trace:
    """What stands behind one bundle, from its data on, and the checkpoint that covers it.

    `versions` are those that the bundle was registered as, of those asked for; `wrong` is what is
    wrong with the records behind one that was registered as none: of versions `with_acts` says it,
    by the whole log. `complete` is of how much that and the acts of people speak, None before.
    """

    bundle_sha256: str
    versions: tuple[Section, ...]
    steps: tuple[TraceStep, ...]
    data: tuple[Section, ...]
    gates: tuple[Section, ...]
    people: People
    wrong: tuple[Finding, ...]
    checkpoint: str
    complete: Completeness | None = None

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with the records behind the bundle, of versions `with_acts`."""
        return self.complete.findings if self.complete else list(self.wrong)

    def to_dict(self) -> dict[str, Any]:
        """Return the trace as a JSON object."""
        return {
            "schema": SCHEMA,
            "bundle_sha256": self.bundle_sha256,
            "versions": list(self.versions),
            "steps": [step.to_dict() for step in self.steps],
            "data": list(self.data),
            "gates": list(self.gates),
            "people": self.people.to_dict(),
            "findings": [finding.to_dict() for finding in self.findings],
            "completeness": self.complete.to_dict() if self.complete else None,
            "checkpoint": self.checkpoint,
        }

    def to_text(self) -> str:
        """Return the trace for people, on one screen."""
        return text_of(self)


def trace(home: Path, what: str) -> Trace:
    """Return what stands behind `MODEL@VERSION`, or behind the bundle of that digest.

    Raises NotRecordedError for a model, version or bundle that no record names, SettingsError for
    the digest of an empty artifact, IntegrityError where the log does not verify, UnverifiableError
    where there is none.
    """
    require_content(what)
    with refusing_with_citation(home):
        found = origin_of(home, what)
    if found is None:
        with no_version_omitted(home, VerifiedLog.of(home)):
            raise SettingsError(
                f"no record in the log names {what}",
                remedy="give MODEL@VERSION as registered, or a bundle's sha256",
            )
    return _traced(what, *found)


def with_acts(home: Path, found: Trace) -> Trace:
    """Return a trace with the acts on its versions, what is wrong there, and of how much it speaks.

    Raises IntegrityError where the log does not verify.
    """
    if not found.versions:
        return found
    log = VerifiedLog.of(home)
    named = {(item["model"], item["version"]) for item in found.versions}
    about = version_findings(log, [item["record"] for item in found.versions])
    acts, complete = acts_on(home, log, named, about)
    return replace(found, people=replace(found.people, acts=acts), complete=complete)


def _traced(what: str, bundle: str, proof: Proof) -> Trace:
    told = [(view, proof.statements[view.record]["predicate"][AUDIT]) for view in proof.records]
    works = [(view, audit) for view, audit in told if view.event != IMPORTED]
    versions = tuple(_versions(proof, what, bundle))
    wrong = () if versions else wrong_gates(proof.records, _reader(proof))
    return Trace(
        bundle_sha256=bundle,
        versions=versions,
        steps=tuple(_steps(proof)),
        data=tuple(data_of(works)),
        gates=tuple(gates_of(works)),
        people=people_of(works),
        wrong=tuple(item.finding for item in wrong),
        checkpoint=proof.checkpoint,
    )


def _reader(proof: Proof) -> Reader:
    def read(record: str) -> Statement:
        if record not in proof.statements:
            raise IntegrityError(
                f"record {record[:12]} is not behind the model", remedy="run `tandem audit verify`"
            )
        return proof.statements[record]

    return read


def _versions(proof: Proof, what: str, bundle: str) -> list[Section]:
    """Return the versions of a bundle that its registration names, the one asked for alone."""
    found = []
    for view in (view for view in proof.records if view.stage == REGISTERING):
        for role, said in released_versions(view.facts).items():
            name = f"{view.facts.get('model_name')}@{said.get('version')}"
            if said.get("bundle_sha256") == bundle and ("@" not in what or name == what):
                version = {"model": view.facts.get("model_name"), "version": said.get("version")}
                parts = {"role": role, "framework": said.get("framework")}
                found.append({**version, **parts, "index": view.index, "record": view.record})
    return found


def _steps(proof: Proof) -> list[TraceStep]:
    views = proof.records
    index = {view.record: view.index for view in views}
    told = [view for view in views if view.event == IMPORTED]
    made = {sha: view.index for view in reversed(told) for sha in view.subjects.values()}
    return [_step(view, proof.statements[view.record], index, made) for view in views]


def _step(
    view: RecordView, statement: Statement, index: Mapping[str, int], made: Mapping[str, int]
) -> TraceStep:
    audit = statement["predicate"][AUDIT]
    return TraceStep(
        index=view.index,
        record=view.record,
        stage=view.stage,
        event=view.event,
        run=view.run,
        attempt=view.attempt,
        time=view.time,
        subjects=view.subjects,
        outputs=view.outputs,
        parents=tuple(index[parent] for parent in view.parents),
        actor=actor_of(audit),
        code=code_of(audit),
        facts=view.facts,
        given_by=min((made[sha] for sha in given_to(view) if sha in made), default=None),
    )
