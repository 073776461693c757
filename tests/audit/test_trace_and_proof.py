"""Where a model comes from, and the proof that registration asks for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.audit.answers import InclusionProof, ProofBundle
from components.audit.checkpoint import open_checkpoint
from components.audit.keys import SigningKey
from components.audit.notary import LocalNotary, open_notary
from components.audit.proof import Proof, require_proof, verify_bundle
from components.audit.trace import trace
from components.core.errors import IntegrityError, SettingsError, UnverifiableError

BEFORE_REGISTRATION = [
    "ingest_examples",
    "validate_examples",
    "transform_features",
    "train_pytorch",
    "train_tensorflow",
    "evaluate_models",
    "decide_release",
]


def bundle_of(told: Path, model: str) -> str:
    stored = json.loads((told / "runs/run-1/run.json").read_text())["tasks"]
    return str(stored[f"train_{model}"]["outputs"][f"{model}_model"]["sha256"])


@pytest.mark.parametrize(("version", "model"), [("3", "pytorch"), ("4", "tensorflow")])
def test_a_model_version_is_traced_to_its_data(told: Path, version: str, model: str) -> None:
    answer = trace(told / "home", f"flight-delay@{version}")
    assert answer.bundle_sha256 == bundle_of(told, model)
    assert [step.stage for step in answer.steps] == [*BEFORE_REGISTRATION, "register_models"]
    first, last = answer.steps[0], answer.steps[-1]
    assert (first.index, first.parents, first.facts["rows"]) == (1, (), 327346)
    assert last.subjects["model/candidate"] == bundle_of(told, "pytorch")
    assert set(last.parents) <= {step.index for step in answer.steps}


def test_a_bundles_digest_leads_to_the_same_answer(told: Path) -> None:
    by_digest = trace(told / "home", bundle_of(told, "pytorch"))
    assert by_digest == trace(told / "home", "flight-delay@3")


def test_an_answer_cites_index_digest_and_a_checkpoint_that_verifies(
    told: Path, key: SigningKey
) -> None:
    answer = trace(told / "home", "flight-delay@3")
    assert open_checkpoint(answer.checkpoint, key.public).size == 18
    text = answer.to_text()
    for step in answer.steps:
        assert f"#{step.index} {step.stage}" in text
        assert step.record in text
    assert "flights: 327,346 rows (#1, run run-1)" in text
    assert json.loads(json.dumps(answer.to_dict()))["steps"][0]["stage"] == "ingest_examples"


@pytest.mark.parametrize("what", ["flight-delay@9", "other@3", "0" * 64, "flight-delay"])
def test_what_no_record_names_has_no_trace(told: Path, what: str) -> None:
    with pytest.raises(SettingsError, match="no record in the log names"):
        trace(told / "home", what)


def test_a_changed_log_gives_no_trace(told: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(told / "home", tmp_path / "home"))
    leaf = home / "audit/log/entries/000000/000000001.json"
    leaf.write_bytes(leaf.read_bytes().replace(b"A", b"B", 1))
    with pytest.raises(IntegrityError):
        trace(home, "flight-delay@3")
    cut = Path(shutil.copytree(told / "home", tmp_path / "cut"))
    (cut / "audit/index.sqlite").unlink(missing_ok=True)
    (cut / "audit/log/entries/000000/000000017.json").unlink()
    with pytest.raises(IntegrityError, match="entry 17 is missing"):
        trace(cut, "flight-delay@3")
    with pytest.raises(UnverifiableError):
        trace(tmp_path / "nothing", "flight-delay@3")


def test_a_stage_from_the_cache_is_traced_to_the_run_that_did_the_work(
    story: Any, notary: LocalNotary, home: Path, draft: Callable[..., dict[str, Any]]
) -> None:
    for stage, outputs, inputs in (
        ("ingest_examples", ("examples",), ()),
        ("train_pytorch", ("pytorch_model",), ("examples",)),
    ):
        story.stage(stage, outputs, inputs)
    folder = story.folder / "artifacts/train_pytorch/pytorch_model"
    model = story.refs["pytorch_model"]
    claim = {"name": "pytorch_model", "sha256": model["sha256"], "path": str(folder)}
    run = draft("START")["run"] | {"id": "run-2"}
    origin = {"origin": {"pytorch_model": model["record"]}}
    notary.submit(draft("CACHED", "train_pytorch", run=run, outputs=[claim], facts=origin))
    steps = trace(home, model["sha256"]).steps
    assert [(step.run, step.stage, step.event) for step in steps] == [
        ("run-1", "ingest_examples", "COMPLETE"),
        ("run-1", "train_pytorch", "COMPLETE"),
        ("run-2", "train_pytorch", "CACHED"),
    ]


@pytest.fixture
def proven(told: Path, tmp_path: Path) -> tuple[ProofBundle, str]:
    """The proofs behind the told run's decision, and the decision's record."""
    home = Path(shutil.copytree(told / "home", tmp_path / "copy"))
    stored = json.loads((told / "runs/run-1/run.json").read_text())["tasks"]
    record = stored["decide_release"]["outputs"]["decision"]["metadata"]["record"]
    with open_notary(home) as notary:
        return notary.prove([record]), record


def test_a_proof_covers_a_record_and_all_its_ancestors(
    proven: tuple[ProofBundle, str], key: SigningKey
) -> None:
    bundle, record = proven
    again = ProofBundle.from_dict(json.loads(json.dumps(bundle.to_dict())))
    proof: Proof = verify_bundle(again, [record], key.public)
    assert [view.stage for view in proof.records] == BEFORE_REGISTRATION
    assert proof.stages == set(BEFORE_REGISTRATION)


def changed(proof: InclusionProof) -> list[InclusionProof]:
    hashes = proof.hashes
    return [
        replace(proof, index=proof.index + 1),
        replace(proof, envelope=proof.envelope.replace(b"A", b"B", 1)),
        replace(proof, hashes=hashes[1:]),
        replace(proof, hashes=(*hashes, bytes(32))),
        replace(proof, hashes=(bytes(32), *hashes[1:])),
        replace(proof, record="0" * 64),
    ]


@pytest.mark.parametrize("position", range(len(BEFORE_REGISTRATION)))
def test_a_proof_that_is_changed_or_missing_proves_nothing(
    proven: tuple[ProofBundle, str], key: SigningKey, position: int
) -> None:
    bundle, record = proven
    proofs = bundle.proofs
    others: list[tuple[InclusionProof, ...]] = [
        (*proofs[:position], other, *proofs[position + 1 :]) for other in changed(proofs[position])
    ]
    for neighbour in proofs[:position] + proofs[position + 1 :]:
        # A true proof of another record, under this one's name.
        posing = replace(neighbour, record=proofs[position].record)
        others.append((*proofs[:position], posing, *proofs[position + 1 :]))
    for other in [*others, proofs[:position] + proofs[position + 1 :], ()]:
        with pytest.raises(IntegrityError):
            verify_bundle(replace(bundle, proofs=other), [record], key.public)


def test_a_proof_under_a_changed_checkpoint_proves_nothing(
    proven: tuple[ProofBundle, str], key: SigningKey
) -> None:
    bundle, record = proven
    note = bundle.checkpoint.replace("\n18\n", "\n19\n")
    assert note != bundle.checkpoint
    with pytest.raises(IntegrityError):
        verify_bundle(replace(bundle, checkpoint=note), [record], key.public)


def test_registration_is_refused_without_notary_record_or_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from components.audit.client import Notary

    unused = Notary("unix:/nowhere")
    with pytest.raises(UnverifiableError, match="no notary"):
        require_proof(None, ["0" * 64])
    for records in ([], ["0" * 64, ""]):
        with pytest.raises(IntegrityError, match="has no record"):
            require_proof(unused, records)
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    with pytest.raises(UnverifiableError, match="no usable public key"):
        require_proof(unused, ["0" * 64])


def test_a_record_that_says_failed_stands_behind_nothing(
    notary: LocalNotary, draft: Callable[..., dict[str, Any]], key: SigningKey
) -> None:
    cause = {"kind": "DataError", "message": "no rows", "remedy": "look"}
    record = notary.submit(draft("FAIL", cause=cause)).record
    with pytest.raises(IntegrityError, match="says FAIL"):
        verify_bundle(notary.prove([record]), [record], key.public)
