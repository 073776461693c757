"""`tandem audit reproduce` on a real small run: what is recorded, and what comes out again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from prepared_run import PreparedRun, run_tandem

from components.audit.verified_log import VerifiedLog
from components.core.artifacts import read_json, write_json
from components.core.bundle import Bundle
from components.core.canonical import sha256_file
from components.core.contract import CONTRACT_NAME
from components.register_models.logbook import Logbook
from pipelines.cli.recorded_here import Recorded, checks
from pipelines.cli.repetition import DIFFERS, MISSING, WITHIN, compared_bundles, verdicts
from pipelines.home import Home
from pipelines.recorded import RecordedArtifacts
from pipelines.runs import read_run

pytestmark = pytest.mark.slow
REPEATS = {"examples", "validation", "transform_graph", "features", "pytorch_model"}


@pytest.fixture(scope="module")
def mortgage(tmp_path_factory) -> PreparedRun:
    home = tmp_path_factory.mktemp("home")
    code, stdout = run_tandem("run", "mortgage", "--home", str(home), "--json")
    assert code == 0, stdout
    (folder,) = (home / "runs").iterdir()
    return PreparedRun(home, folder, stdout)


def reproduce(run: PreparedRun, *words: str):
    name = ("audit", "reproduce", "mortgage-denied@1")
    code, stdout = run_tandem(*name, *words, "--home", str(run.home), "--json")
    return code, json.loads(stdout)


def test_what_a_version_was_made_from_is_here_as_recorded(mortgage):
    code, answer = reproduce(mortgage)
    assert code == 0
    assert all(check["same"] for check in answer["here"])
    assert {"code of train_pytorch", "data", "lock_sha256 of the environment"} <= {
        check["what"] for check in answer["here"]
    }
    assert answer["run"]["id"] == mortgage.folder.name
    log = VerifiedLog.of(mortgage.home)
    for stage in answer["stages"]:
        assert log.ledger.find(stage["record"]).index == stage["index"]
    assert answer["checkpoint"] == log.checkpoint


def test_the_run_made_again_gives_what_must_repeat_and_leaves_the_home_alone(mortgage, tmp_path):
    before = VerifiedLog.of(mortgage.home).checkpoint
    into = tmp_path / "again"
    code, answer = reproduce(mortgage, "--run", "--into", str(into))
    assert code == 0, answer
    found = {item["artifact"]: item["verdict"] for item in answer["artifacts"]}
    assert {name for name in REPEATS if found[name] != "identical"} == set()
    assert found["tensorflow_model"] in ("identical", "within tolerance")
    assert found["measurements"] == "differs"
    assert len(found) == 14
    assert VerifiedLog.of(mortgage.home).checkpoint == before
    assert [path.name for path in (mortgage.home / "runs").iterdir()] == [mortgage.folder.name]
    assert run_tandem("audit", "verify", "--home", str(into))[0] == 0


def test_nothing_is_run_where_the_folder_keeps_other_arguments(mortgage, tmp_path):
    home = Path(shutil.copytree(mortgage.home, tmp_path / "home"))
    run = replace(mortgage, home=home, folder=home / "runs" / mortgage.folder.name)
    path = run.folder / "arguments.json"
    arguments = read_json(path)
    arguments["train"]["epochs"] += 1
    write_json(path, arguments)
    code, answer = reproduce(run)
    assert code == 5
    (other,) = [check for check in answer["here"] if not check["same"]]
    assert "train_pytorch, train_tensorflow" in other["why"]
    code, answer = reproduce(run, "--run")
    assert code == 5
    assert "not those of the log" in answer["error"]["message"]
    shutil.rmtree(run.folder)
    assert reproduce(run)[0] == 5


def test_other_code_data_and_locks_are_named(mortgage):
    book = Logbook.read(mortgage.home)
    recorded = Recorded.of(book, book.releases["mortgage-denied", "1"])

    def changed(stage: str, **audit: object) -> set[str]:
        work = recorded.work[stage]
        other = {**recorded.work, stage: replace(work, audit={**work.audit, **audit})}
        found = checks(replace(recorded, work=other), Home(mortgage.home))
        return {check.what for check in found if not check.same}

    assert changed("train_pytorch") == set()
    assert changed("train_pytorch", code_sha256="0" * 64) == {"code of train_pytorch"}
    lock = recorded.work["train_pytorch"].audit["environment"] | {"lock_sha256": "0" * 64}
    assert changed("train_pytorch", environment=lock) == {"lock_sha256 of the environment"}
    settings = json.loads(json.dumps(recorded.work["ingest_examples"].audit["settings"]))
    settings["source"]["table"]["sha256"] = "0" * 64
    assert changed("ingest_examples", settings=settings) == {"data"}


def perturbed(run: PreparedRun, folder: Path, by: float) -> Path:
    """Return a copy of the PyTorch bundle whose ONNX form has one weight moved."""
    import onnx
    from onnx import numpy_helper

    copy = Path(shutil.copytree(run.output("train_pytorch", "pytorch_model"), folder))
    path = Bundle.open(copy).path("onnx")
    model = onnx.load(path)
    bias = min(
        (item for item in model.graph.initializer if numpy_helper.to_array(item).dtype == "f4"),
        key=lambda item: numpy_helper.to_array(item).size,
    )
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + bias_type(by), bias.name))
    onnx.save(model, path)
    contract = read_json(copy / CONTRACT_NAME)
    contract["files"][path.relative_to(copy).as_posix()] = sha256_file(path)
    write_json(copy / CONTRACT_NAME, contract)
    return copy


def bias_type(value: float):
    import numpy as np

    return np.float32(value)


@pytest.mark.parametrize(("by", "verdict"), [(1e-6, WITHIN), (0.5, DIFFERS)])
def test_a_bundle_of_other_bytes_is_judged_by_what_it_predicts(mortgage, tmp_path, by, verdict):
    recorded = mortgage.output("train_pytorch", "pytorch_model")
    examples = mortgage.output("ingest_examples", "examples")
    other = perturbed(mortgage, tmp_path / "other", by)
    found, why = compared_bundles(recorded, other, examples)
    assert (found, "onnx" in why) == (verdict, True)


def test_what_was_not_made_again_is_a_finding_only_where_it_must_repeat(mortgage):
    recorded = RecordedArtifacts.of(read_run(mortgage.folder), Home(mortgage.home))
    found = {v.artifact: v for v in verdicts(recorded, replace(recorded, records={}))}
    assert {v.verdict for v in found.values()} == {MISSING}
    assert {name for name, v in found.items() if v.is_finding} == REPEATS | {
        "statistics",
        "tensorflow_model",
    }
    same = list(verdicts(recorded, recorded))
    assert not any(v.is_finding for v in same)


@pytest.mark.parametrize("words", [("--into", "x"), ("--run", "--into", ".")])
def test_into_names_a_new_folder_for_a_run(mortgage, words):
    assert reproduce(mortgage, *words)[0] == 2
