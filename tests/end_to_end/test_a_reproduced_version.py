"""`tandem audit reproduce` on a real small run: what is recorded, and what comes out again.

The version that is made again was registered by a second run, measured against the champion that
the first one registered; its models came from the cache.
"""

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
from pipelines.cli.reproduce import exit_code
from pipelines.cli.verdicts import (
    DIFFERS,
    MISSING,
    NOT_COMPARED,
    WITHIN,
    compared_bundles,
    verdicts,
)
from pipelines.home import Home
from pipelines.recorded import RecordedArtifacts
from pipelines.runs import read_run

pytestmark = pytest.mark.slow
REPEATS = {"examples", "validation", "transform_graph", "features", "pytorch_model"}
JUDGEMENTS = {"evaluation", "decision"}
ALONE = ("--set", "registry.approvals={review: 0, approval: 0}")
# Chosen by size: latencies, measured anew, may choose otherwise (docs/reproducibility.md).
BY_SIZE = ("--set", "policy.weights={size: 1}")
NOT_WORSE = ("--set", "policy.champion_gates=[{margin: -0.5}]")


def made(home: Path, *words: str) -> PreparedRun:
    before = set((home / "runs").iterdir()) if (home / "runs").is_dir() else set()
    words = ("--home", str(home), "--json", *ALONE, *BY_SIZE, *words)
    code, stdout = run_tandem("run", "mortgage", *words)
    assert code == 0, stdout
    (folder,) = set((home / "runs").iterdir()) - before
    return PreparedRun(home, folder, stdout)


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> PreparedRun:
    """The run that registered the champion; it had none."""
    run = made(tmp_path_factory.mktemp("home"))
    promote = ("models", "promote", "mortgage-denied@1", "--reason", "first")
    assert run_tandem(*promote, "--home", str(run.home))[0] == 0
    return run


@pytest.fixture(scope="module")
def mortgage(first) -> PreparedRun:
    return made(first.home, *NOT_WORSE)


def reproduce(run: PreparedRun, *words: str):
    name = ("audit", "reproduce", "mortgage-denied@3")
    code, stdout = run_tandem(*name, *words, "--home", str(run.home), "--json")
    return code, json.loads(stdout)


def test_what_a_version_was_made_from_is_here_as_recorded(mortgage):
    code, answer = reproduce(mortgage)
    assert code == 0
    assert all(check["same"] for check in answer["here"])
    assert {"code of train_pytorch", "data", "champion", "lock_sha256 of the environment"} <= {
        check["what"] for check in answer["here"]
    }
    assert answer["run"]["id"] == mortgage.folder.name
    log = VerifiedLog.of(mortgage.home)
    for stage in answer["stages"]:
        assert log.ledger.find(stage["record"]).index == stage["index"]
    assert answer["checkpoint"] == log.checkpoint


def test_the_run_made_again_gives_what_must_repeat_and_leaves_the_home_alone(
    first, mortgage, tmp_path
):
    before = VerifiedLog.of(mortgage.home).checkpoint
    into = tmp_path / "again"
    code, answer = reproduce(mortgage, "--run", "--into", str(into))
    assert code == 0, answer
    found = {item["artifact"]: item["verdict"] for item in answer["artifacts"]}
    assert {name for name in REPEATS if found[name] != "identical"} == set()
    assert found["tensorflow_model"] in ("identical", "within tolerance")
    assert {found[name] for name in JUDGEMENTS} == {"identical"}, answer["artifacts"]
    assert found["measurements"] == "differs"
    assert len(found) == 14
    (evaluation,) = into.glob("runs/*/artifacts/evaluate-models/evaluation/evaluation.json")
    assert "champion" in read_json(evaluation)["models"]
    assert VerifiedLog.of(mortgage.home).checkpoint == before
    runs = {path.name for path in (mortgage.home / "runs").iterdir()}
    assert runs == {first.folder.name, mortgage.folder.name}
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


def test_a_champion_is_found_by_its_bytes_wherever_they_lie_and_missed_in_words(
    first, mortgage, tmp_path
):
    home = Path(shutil.copytree(mortgage.home, tmp_path / "home"))
    run = replace(mortgage, home=home, folder=home / "runs" / mortgage.folder.name)
    arguments = read_json(run.folder / "arguments.json")
    arguments["champion"]["path"] = str(tmp_path / "elsewhere")
    write_json(run.folder / "arguments.json", arguments)
    code, answer = reproduce(run)
    assert code == 0, "the run that made it has it too"
    for folder in (home / "runs").glob("*/artifacts/train-pytorch/pytorch_model"):
        write_json(folder / "more.json", {})
    code, answer = reproduce(run)
    assert code == 5
    (champion,) = [check for check in answer["here"] if not check["same"]]
    assert champion["recorded"] == first.digest("train_pytorch", "pytorch_model")
    assert "what was measured against it is not compared" in champion["why"]


def test_made_again_without_the_champion_its_part_is_not_compared_and_the_rest_is(first, mortgage):
    """The first run is the second without a champion: same models, same rows."""
    home = Home(mortgage.home)
    with_champion = RecordedArtifacts.of(read_run(mortgage.folder), home)
    without = RecordedArtifacts.of(read_run(first.folder), home)
    judged = {v.artifact: v for v in verdicts(with_champion, without, champion=False)}
    assert {judged[name].verdict for name in JUDGEMENTS} == {NOT_COMPARED}
    assert all("champion is not compared" in judged[name].why for name in JUDGEMENTS)
    assert exit_code(list(judged.values())) == 5

    taken_for_whole = {v.artifact: v for v in verdicts(with_champion, without)}
    assert {taken_for_whole[name].is_finding for name in JUDGEMENTS} == {True}
    assert "auc_over_champion (overall)" in taken_for_whole["decision"].why
    assert exit_code(list(taken_for_whole.values())) == 4


def test_other_code_data_and_locks_are_named(mortgage):
    book = Logbook.read(mortgage.home)
    recorded = Recorded.of(book, book.releases["mortgage-denied", "3"])

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
    others = {"statistics", "tensorflow_model"}
    assert {name for name, v in found.items() if v.is_finding} == REPEATS | JUDGEMENTS | others
    same = list(verdicts(recorded, recorded))
    assert not any(v.is_finding for v in same)


@pytest.mark.parametrize("words", [("--into", "x"), ("--run", "--into", ".")])
def test_into_names_a_new_folder_for_a_run(mortgage, words):
    assert reproduce(mortgage, *words)[0] == 2
