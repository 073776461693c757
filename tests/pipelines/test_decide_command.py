"""`tandem decide`: another policy on what a finished run measured."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.audit.notary import open_notary
from components.audit.plain_draft import plain_draft
from components.core.artifacts import manifest, read_json, tree_digest, write_json
from components.core.canonical import sha256_value
from components.core.errors import GateError
from components.core.policy import Policy
from components.decide_release.step import DecideSettings, decide_release
from pipelines.cli import main
from pipelines.runners.results import OutputRef, TaskResult, TaskState

Record = Callable[..., Path]
OWN = {"gates": [{"metric": "auc", "operator": ">=", "threshold": 0.6}]}
EVALUATED, MEASURED, DECIDED = "evaluate-models", "measure-models", "decide-release"
TASKS = {"evaluation": EVALUATED, "measurements": MEASURED, "decision": DECIDED}


def around(value: float) -> dict[str, Any]:
    return {"value": value, "lower": value - 0.01, "upper": value + 0.01, "method": "made"}


def of_model(auc: float) -> dict[str, Any]:
    names = ("log_loss", "accuracy", "calibration_error")
    overall = {"n": 500, "auc": around(auc), **{name: around(0.4) for name in names}}
    slices = {"overall": overall, "origin=JFK": {**overall, "n": 90}}
    return {"bundle_sha256": "b" * 64, "slices": slices}


EVALUATION = {
    "models": {"pytorch": of_model(0.75), "tensorflow": of_model(0.70)},
    "comparison": {"auc_difference": around(0.05), "log_loss_difference": around(0.0)},
}


def _speed(p50: float) -> dict[str, Any]:
    return {"one_row_ms": {"p50": p50}, "rows_per_second": 1 / p50, "size_bytes": 100}


MEASUREMENTS = {
    "models": {
        "pytorch": {"forms": {"onnx": _speed(0.2)}},
        "tensorflow": {"forms": {"onnx": _speed(0.1), "litert": _speed(0.1)}},
    }
}


OVER_CHAMPION = {"auc_difference": around(0.05)}
WITH_CHAMPION = {
    "models": {**EVALUATION["models"], "champion": of_model(0.70)},
    "comparison": {
        **EVALUATION["comparison"],
        "champion": {"pytorch": OVER_CHAMPION, "tensorflow": OVER_CHAMPION},
    },
}


IMPORTED = {
    "models": {"imported": of_model(0.75)},
    "comparison": {"auc_difference": None, "log_loss_difference": None},
}
IMPORTED_SPEED = {"models": {"imported": {"forms": {"onnx": _speed(0.2)}}}}


@pytest.fixture
def evaluation() -> Mapping[str, Any]:
    return EVALUATION


@pytest.fixture
def measurements() -> Mapping[str, Any]:
    return MEASUREMENTS


@pytest.fixture
def run(record_run: Record, evaluation: Mapping[str, Any], measurements: Mapping[str, Any]) -> Path:
    """A recorded run that decided by OWN, its artifacts as their digests say."""

    def measured(documents: dict[tuple[str, str, str], Any]) -> None:
        documents[EVALUATED, "evaluation", "evaluation.json"] = evaluation
        documents[MEASURED, "measurements", "measurements.json"] = measurements

    folder: Path = record_run(measured)
    places = {name: folder / "artifacts" / task / name for name, task in TASKS.items()}
    decide_release(settings=DecideSettings.model_validate({"policy": OWN}), **places)
    _record(record_run, measured, folder, places)
    write_json(
        folder / "settings.json",
        {"evaluate": {"slices": [["origin"]]}, "train": {"forms": ["litert"]}, "policy": OWN},
    )
    log(folder, "COMPLETE", EVALUATED, places["evaluation"])
    log(folder, "COMPLETE", MEASURED, places["measurements"])
    log(folder, "COMPLETE", DECIDED, places["decision"])
    return folder


def log(run: Path, event: str, task: str, *outputs: Path, **parts: Any) -> None:
    """Have a real notary record in the run's home what a stage wrote."""
    stage = task.replace("-", "_")
    claims = [{"name": p.name, "sha256": tree_digest(p), "path": str(p)} for p in outputs]
    with open_notary(run.parents[1]) as notary:
        notary.submit(_draft(run.name, "START", stage))
        notary.submit(_draft(run.name, event, stage) | {"outputs": claims} | parts)


def _draft(run: str, event: str, stage: str) -> dict[str, Any]:
    identity = {"id": run, "name": "flights", "trigger": "manual", "actor": "a", "cache": True}
    now = "2026-05-04T03:02:01.000+00:00"
    return plain_draft(event, stage, identity, now=now, code_sha256="56" * 32)


def _record(record_run: Record, measured: Any, folder: Path, places: Mapping[str, Path]) -> None:
    """Write run.json again with the digests of what is there."""
    refs = {
        name: OutputRef(str(path.relative_to(folder)), tree_digest(path))
        for name, path in places.items()
    }
    decided = read_json(places["decision"] / "decision.json")

    def same(documents: dict[tuple[str, str, str], Any]) -> None:
        measured(documents)
        documents[DECIDED, "decision", "decision.json"] = decided

    record_run(
        same,
        results={
            task: TaskResult(TaskState.SUCCEEDED, outputs={name: refs[name]})
            for name, task in TASKS.items()
        },
    )


def tried(run: Path, policy: Mapping[str, Any], *words: str) -> int:
    file = run.parents[1] / "other.yaml"
    file.write_text(yaml.safe_dump(dict(policy)))
    home = str(run.parents[1])
    return main(["decide", *words, "--policy", str(file), "--home", home])


def answer(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_the_runs_own_policy_comes_to_the_runs_own_decision(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tried(run, OWN, "latest", "--json") == 0
    said = answer(capsys)
    assert said["run"] == run.name
    assert said["changes"] == []
    assert said["decision"].items() <= said["run_decision"].items()
    assert said["policy"]["sha256"] == sha256_value(
        Policy.model_validate(OWN).model_dump(mode="json")
    )


def test_another_preference_may_name_another_candidate(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tried(run, {**OWN, "prefer": "latency"}, "--json") == 0
    said = answer(capsys)
    assert said["decision"]["winner"] == "tensorflow"
    assert said["run_decision"]["winner"] == "pytorch"
    assert said["changes"] == [
        "the candidate would be tensorflow; the run's is pytorch",
        "the challenger would be pytorch; the run's is tensorflow",
    ]


def test_what_changed_of_the_gates_is_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gates = [{**OWN["gates"][0], "threshold": 0.7}]
    assert tried(run, {"gates": gates, "forms": ["onnx"]}) == 0
    said = capsys.readouterr().out
    assert "tensorflow auc (overall): >= 0.6 passes in the run, >= 0.7 does not pass now" in said
    assert "new gate: pytorch onnx (a required form) >= 1 passes" in said
    assert "pass  pytorch onnx is there and proven" in said
    assert "FAIL  tensorflow auc (overall) is 0.69 at worst, must be >= 0.7" in said
    assert "the challenger would be none; the run's is tensorflow" in said


@pytest.mark.parametrize("evaluation", [WITH_CHAMPION])
def test_a_margin_that_falls_below_zero_is_still_the_same_gate(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tried(run, {**OWN, "champion_gates": [{"margin": -0.01}]}) == 0
    said = capsys.readouterr().out
    for model in ("pytorch", "tensorflow"):
        changed = f"{model} auc_over_champion (overall): > 0 passes in the run, >= -0.01 passes now"
        assert changed in said


def test_a_policy_that_no_model_passes_ends_with_3(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = {"gates": [{**OWN["gates"][0], "threshold": 0.9}]}
    assert tried(run, policy, "--json") == 3
    said = answer(capsys)
    assert (said["decision"]["go"], said["decision"]["winner"]) == (False, None)
    assert [gate["passed"] for gate in said["decision"]["gates"]["pytorch"]] == [False]
    assert said["decision"]["reasons"][-1] == "No model passes, so nothing is released."
    assert tried(run, policy) == 3
    assert capsys.readouterr().out.startswith("decision: release nothing")


def test_nothing_is_written(run: Path) -> None:
    before = manifest(run)
    file = run.parents[1] / "other.yaml"
    file.write_text(yaml.safe_dump(OWN))
    assert tried(run, OWN) == 0
    assert manifest(run) == before
    assert {path.name for path in run.parents[1].iterdir()} == {
        "audit",
        "other.yaml",
        "runs",
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prefers": "auc"}, "prefers: unknown; did you mean prefer?"),
        ({"gates": [{**OWN["gates"][0], "metric": "acu"}]}, "did you mean auc?"),
        ({"gates": [{**OWN["gates"][0], "slice": "orign=*"}]}, "did you mean origin?"),
        ({"gates": [{**OWN["gates"][0], "slice": "origin=XYZ"}]}, "which was not measured"),
        ({"forms": ["saved_model"]}, "forms: train.forms leaves saved_model out"),
        ({"prefer": "accuracy"}, "prefer: accuracy is not measured: the target is a class of two"),
    ],
)
def test_a_policy_that_cannot_be_applied_ends_with_2(
    run: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], said: str
) -> None:
    assert tried(run, {**OWN, **change}) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("evaluation", "measurements"), [(IMPORTED, IMPORTED_SPEED)], ids=["imported"]
)
def test_a_form_that_an_imported_model_lacks_is_a_gate_that_fails_as_in_its_run(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(run / "settings.json", {"evaluate": {}, "policy": OWN})
    assert tried(run, OWN | {"forms": ["litert"]}) == 3
    said = capsys.readouterr().out
    assert "FAIL  imported litert is missing, and the policy requires that form" in said


@pytest.mark.parametrize("output", ["evaluation", "measurements", "decision"])
def test_what_was_changed_since_the_run_is_not_decided_on(
    run: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    file = run / "artifacts" / TASKS[output] / output / f"{output}.json"
    file.write_text(file.read_text() + "\n")
    assert tried(run, OWN) == 4
    said = f"the {output} of run {run.name} is not what the log has recorded"
    assert said in capsys.readouterr().err


def test_a_digest_changed_with_the_bytes_does_not_pass_for_the_logs(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run / "artifacts" / EVALUATED / "evaluation"
    changed = read_json(folder / "evaluation.json")
    changed["models"]["tensorflow"] = of_model(0.99)
    write_json(folder / "evaluation.json", changed)
    record = read_json(run / "run.json")
    record["tasks"][EVALUATED]["outputs"]["evaluation"]["sha256"] = tree_digest(folder)
    write_json(run / "run.json", record)
    assert tried(run, OWN) == 4
    assert "the evaluation of run" in capsys.readouterr().err


def test_without_a_log_nothing_can_be_verified(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(run.parents[1] / "audit")
    assert tried(run, OWN) == 5


STRICT = {"gates": [{"metric": "auc", "operator": ">=", "threshold": 0.9}]}


@pytest.fixture
def refused(run: Path) -> Path:
    """The same run, had its own policy been STRICT: the decision says no, the stage failed."""
    left = run / "artifacts" / DECIDED / "decision"
    shutil.rmtree(left)
    left.mkdir()
    names = ("evaluation", "measurements")
    measured = {name: left.parents[1] / TASKS[name] / name for name in names}
    settings = DecideSettings.model_validate({"policy": STRICT})
    with pytest.raises(GateError) as caught:
        decide_release(settings=settings, **measured, decision=left)
    error = caught.value
    said = {"cause": error.to_dict(), "gates": list(error.gates), "facts": error.facts}
    log(run, "FAIL", DECIDED, **said)
    record = read_json(run / "run.json")
    record["tasks"][DECIDED] |= {"state": "FAILED", "outputs": {}, "error": error.to_dict()}
    write_json(run / "run.json", record)
    return run


def test_a_run_that_a_gate_stopped_can_be_tried_with_another_policy(
    refused: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tried(refused, OWN, "--json") == 0
    said = answer(capsys)
    assert (said["run_decision"]["go"], said["run_decision"]["winner"]) == (False, None)
    assert said["changes"] == [
        "the candidate would be pytorch; the run's is none",
        "the challenger would be tensorflow; the run's is none",
        "pytorch auc (overall): >= 0.9 does not pass in the run, >= 0.6 passes now",
        "tensorflow auc (overall): >= 0.9 does not pass in the run, >= 0.6 passes now",
    ]


def test_its_own_policy_refuses_again(refused: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tried(refused, STRICT, "--json") == 3
    said = answer(capsys)
    assert said["changes"] == []
    assert said["decision"].items() <= said["run_decision"].items()


def test_a_refusal_that_was_changed_since_is_found(
    refused: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = refused / "artifacts" / DECIDED / "decision" / "decision.json"
    write_json(file, read_json(file) | {"winner": "pytorch"})
    assert tried(refused, OWN) == 4
    assert "the decision of run" in capsys.readouterr().err


def test_what_a_gate_stopped_is_told_of_the_run(
    refused: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = str(refused.parents[1])
    assert main(["runs", "show", refused.name, "--home", home]) == 0
    said = capsys.readouterr().out
    assert "decision: release nothing" in said
    assert "No model passes" in said


def test_a_run_without_an_evaluation_says_so(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run / "run.json"
    record = read_json(path)
    record["tasks"][EVALUATED] |= {"outputs": {}}
    write_json(path, record)
    assert tried(run, OWN) == 2
    assert "has no evaluation" in capsys.readouterr().err
