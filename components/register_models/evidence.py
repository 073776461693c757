"""What must hold before anything is registered: proven records, and a decision that says go.

Rules:
1. no notary, no registration;
2. every input's bytes are the output of a record of this run, and that record and all its ancestors
   are in the log, with verified signatures and inclusion proofs;
3. among them is a finished record of every stage up to the decision: of the trainers, or of the
   import of a model that was trained elsewhere;
4. the decision says go, was made from this evaluation, and that was made of these bundles;
5. no gate behind it failed unwaived, but those of a candidate that is not registered.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from components.audit.answers import RecordView
from components.audit.client import Notary
from components.audit.failed_gates import FailedGates
from components.audit.proof import Proof, require_proof
from components.core.artifacts import tree_digest
from components.core.candidates import IMPORTED
from components.core.errors import GateError, IntegrityError, UnverifiableError
from components.register_models.lineage import Work, lineage

_EVERY_RUN = (
    "ingest_examples",
    "validate_examples",
    "evaluate_models",
    "measure_models",
    "decide_release",
)
_TRAINING = ("transform_features", "train_pytorch", "train_tensorflow")


@dataclass(frozen=True)
class Proven:
    """The verified record of each input by its name, and the proof of all records behind them."""

    inputs: Mapping[str, RecordView]
    proof: Proof

    @cached_property
    def records(self) -> Mapping[str, RecordView]:
        """The verified records by digest."""
        return {view.record: view for view in self.proof.records}

    @cached_property
    def made(self) -> dict[str, Work]:
        """The work behind the inputs and behind what they were made of, by artifact."""
        ends = {name: view.record for name, view in self.inputs.items()}
        return lineage(self.proof.statements, ends)

    def work(self, name: str) -> RecordView:
        """Return the record of the work that made an input: of another run if it was cached."""
        view = self.inputs[name]
        while view.event == "CACHED":
            view = self.records[view.facts["origin"][name]]
        return view


def proven_records(notary: Notary | None, run_id: str, digests: Mapping[str, str]) -> Proven:
    """Return the verified records of inputs, given {input: sha256} (rules 1 to 3).

    Raises UnverifiableError without a notary or a record, IntegrityError for a proof that fails.
    """
    if notary is None:
        raise UnverifiableError(
            "nothing is registered without a notary: the inputs have no provable records",
            remedy="run with a notary: `tandem run` starts one, or set TANDEM_NOTARY",
        )
    views = notary.records(run_id)
    claimed = {name: _claim(views, run_id, name, sha256) for name, sha256 in digests.items()}
    proof = require_proof(notary, sorted({view.record for view in claimed.values()}))
    _require_stages(proof, digests)
    verified = {view.record: view for view in proof.records}
    for name, view in claimed.items():
        _require_same(verified[view.record], run_id, name, digests[name])
    return Proven({name: verified[view.record] for name, view in claimed.items()}, proof)


def require_passed(proven: Proven, frameworks: Iterable[str]) -> None:
    """Raise IntegrityError where a gate failed behind what is to be registered (rule 5)."""
    gates = FailedGates()
    for view in proven.proof.records:
        gates.take(view)
    records = [view.record for view in proven.inputs.values()]
    for problem in gates.problems_of(records, frameworks):
        raise IntegrityError(
            f"a gate that failed did not stop the run: {problem}",
            remedy="find out what ran in place of the stage that stops there",
        )


def _claim(views: list[RecordView], run_id: str, name: str, sha256: str) -> RecordView:
    """Return the run's newest record whose output of that name has that digest."""
    found = [view for view in views if view.outputs.get(name) == sha256]
    if not found:
        raise UnverifiableError(
            f"run {run_id} has no record of these bytes of {name}",
            remedy="start a new run; if it happens again, run `tandem audit verify`",
            expected=f"a record with output {name} {sha256}",
            actual=sorted({v.outputs[name] for v in views if name in v.outputs}),
        )
    return found[-1]


def _require_same(view: RecordView, run_id: str, name: str, sha256: str) -> None:
    """Hold the signed record against what the notary said of it."""
    if view.run != run_id or view.outputs.get(name) != sha256:
        raise IntegrityError(
            f"the signed record of {name} is not about this run and these bytes",
            remedy="run `tandem audit verify`",
            expected=[run_id, sha256],
            actual=[view.run, view.outputs.get(name)],
        )


def _require_stages(proof: Proof, inputs: Container[str]) -> None:
    made = ("import_model",) if f"{IMPORTED}_model" in inputs else _TRAINING
    missing = sorted({*_EVERY_RUN, *made} - proof.stages)
    if missing:
        raise IntegrityError(
            f"no proven record of {', '.join(missing)} stands behind the models",
            remedy="start a new run; a model that skipped a stage is not registered",
        )


def roles(
    decision: Mapping[str, Any], evaluation: Mapping[str, Any], digests: Mapping[str, str]
) -> dict[str, str]:
    """Return {"candidate": framework, "challenger": framework}, as decided (rule 4).

    Raises GateError where the decision does not say go, IntegrityError where it is about others.
    """
    if decision.get("go") is not True:
        raise GateError(
            "the decision does not release a model", remedy="read its reasons; run again after"
        )
    if decision.get("evaluation_sha256") != digests["evaluation"]:
        raise _foreign("the decision was made from another evaluation")
    named = {"candidate": decision.get("winner"), "challenger": decision.get("challenger")}
    found = {role: str(framework) for role, framework in named.items() if framework is not None}
    if "candidate" not in found or len(set(found.values())) != len(found):
        raise _foreign("the decision names no candidate, or names it twice")
    for framework in found.values():
        sha256 = digests.get(f"{framework}_model")
        measured = evaluation["models"].get(framework, {}).get("bundle_sha256")
        if sha256 is None or measured != sha256:
            raise _foreign(f"the evaluation measured another {framework} bundle")
    return found


def _foreign(message: str) -> IntegrityError:
    return IntegrityError(message, remedy="find out who exchanged artifacts; start a new run")


def input_digests(inputs: Mapping[str, Path]) -> dict[str, str]:
    """Return the digest of each input artifact."""
    return {name: tree_digest(folder) for name, folder in inputs.items()}
