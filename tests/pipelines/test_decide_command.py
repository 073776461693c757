"""`tandem decide`: another policy on what a finished run measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core.artifacts import manifest, read_json, tree_digest, write_json
from components.core.canonical import sha256_value
from components.core.policy import Policy
from components.decide_release.step import DecideSettings, decide_release
from pipelines.cli import main
from pipelines.runners.results import OutputRef, TaskResult, TaskState

Record = Callable[..., Path]
OWN = {"gates": [{"metric": "auc", "operator": ">=", "threshold": 0.6}]}
EVALUATED, DECIDED = "evaluate-models", "decide-release"


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


@pytest.fixture
def evaluation() -> Mapping[str, Any]:
    return EVALUATION


@pytest.fixture
def run(tmp_path: Path, record_run: Record, evaluation: Mapping[str, Any]) -> Path:
    """A recorded run that decided by OWN, its artifacts as their digests say."""

    def measured(documents: dict[tuple[str, str, str], Any]) -> None:
        documents[EVALUATED, "evaluation", "evaluation.json"] = evaluation
        documents[EVALUATED, "measurements", "measurements.json"] = MEASUREMENTS

    folder: Path = record_run(measured)
    places = {
        name: folder / "artifacts" / task / name
        for name, task in (
            ("evaluation", EVALUATED), ("measurements", EVALUATED), ("decision", DECIDED)
        )
    }  # fmt: skip
    decide_release(settings=DecideSettings.model_validate({"policy": OWN}), **places)
    _record(record_run, measured, folder, places)
    write_json(
        folder / "settings.json",
        {"evaluate": {"slices": [["origin"]]}, "train": {"forms": ["litert"]}, "policy": OWN},
    )
    return folder


def _record(record_run: Record, measured: Any, folder: Path, places: Mapping[str, Path]) -> None:
    """Write run.json again with the digests of what is there."""
    refs = {
        name: OutputRef(str(path.relative_to(folder)), tree_digest(path))
        for name, path in places.items()
    }
    decided = read_json(places["decision"] / "decision.json")
    evaluated = {name: refs[name] for name in ("evaluation", "measurements")}

    def same(documents: dict[tuple[str, str, str], Any]) -> None:
        measured(documents)
        documents[DECIDED, "decision", "decision.json"] = decided

    record_run(
        same,
        results={
            EVALUATED: TaskResult(TaskState.SUCCEEDED, outputs=evaluated),
            DECIDED: TaskResult(TaskState.SUCCEEDED, outputs={"decision": refs["decision"]}),
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
    assert "no model passes" in said["decision"]["reasons"][0]
    assert tried(run, policy) == 3
    assert capsys.readouterr().out.startswith("decision: release nothing")


def test_nothing_is_written(run: Path) -> None:
    before = manifest(run)
    file = run.parents[1] / "other.yaml"
    file.write_text(yaml.safe_dump(OWN))
    assert tried(run, OWN) == 0
    assert manifest(run) == before
    assert {path.name for path in run.parents[1].iterdir()} == {"runs", "other.yaml"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prefers": "auc"}, "prefers: unknown; did you mean prefer?"),
        ({"gates": [{**OWN["gates"][0], "metric": "acu"}]}, "did you mean auc?"),
        ({"gates": [{**OWN["gates"][0], "slice": "orign=*"}]}, "did you mean origin?"),
        ({"gates": [{**OWN["gates"][0], "slice": "origin=XYZ"}]}, "which was not measured"),
        ({"forms": ["saved_model"]}, "forms: train.forms leaves saved_model out"),
    ],
)
def test_a_policy_that_cannot_be_applied_ends_with_2(
    run: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], said: str
) -> None:
    assert tried(run, {**OWN, **change}) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("output", ["evaluation", "measurements", "decision"])
def test_what_was_changed_since_the_run_is_not_decided_on(
    run: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    task = DECIDED if output == "decision" else EVALUATED
    file = run / "artifacts" / task / output / f"{output}.json"
    file.write_text(file.read_text() + "\n")
    assert tried(run, OWN) == 4
    assert (
        f"the artifact {output} of run {run.name} is not what the run recorded"
        in capsys.readouterr().err
    )


def test_a_run_that_a_gate_stopped_can_be_tried_with_another_policy(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run / "run.json"
    record = read_json(path)
    error = {"kind": "GateError", "message": "no model passes: made", "remedy": "improve it"}
    record["tasks"][DECIDED] |= {"state": "FAILED", "outputs": {}, "error": error}
    write_json(path, record)
    assert tried(run, OWN, "--json") == 0
    said = answer(capsys)
    assert said["run_decision"] is None
    assert said["changes"] == [
        "the candidate would be pytorch; the run released none: no model passes: made"
    ]


def test_a_run_without_an_evaluation_says_so(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run / "run.json"
    record = read_json(path)
    record["tasks"][EVALUATED] |= {"outputs": {}}
    write_json(path, record)
    assert tried(run, OWN) == 2
    assert "has no evaluation" in capsys.readouterr().err
