"""Gates on the difference to the champion on a slice, and on every slice of a column."""

from __future__ import annotations

from typing import Any

import pytest
from made_evaluations import around, model

from components.core.candidates import OVER_CHAMPION
from components.core.errors import SettingsError
from components.core.outcome import Gate
from components.core.policy import Policy
from components.decide_release.choice import Evidence
from components.decide_release.decision import decide
from components.decide_release.gates import judge
from components.decide_release.tfma_validation import validation_result

AUC = {"metric": "auc", "operator": ">=", "threshold": 0.70}
ORIGINS = [["origin"], ["origin", "carrier"]]


def _policy(**gate: Any) -> Policy:
    return Policy.model_validate({"gates": [AUC], "champion_gates": [gate]})


@pytest.fixture
def against(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Return an evaluation whose candidates lie 0.01 above the champion, 0.02 below it at JFK."""
    models = evaluation["models"]
    models["champion"] = model(auc=0.74)
    overall = {"auc_difference": around(0.01, 0.005), "log_loss_difference": around(-0.01, 0.005)}
    evaluation["comparison"]["champion"] = {"pytorch": overall, "tensorflow": overall}
    for name in ("pytorch", "tensorflow"):
        slices = models[name]["slices"]
        slices["origin=LGA"] = {**slices["overall"], "n": 300}
        slices["origin=JFK"][OVER_CHAMPION] = {"auc_difference": around(-0.02, 0.005)}
        slices["origin=LGA"][OVER_CHAMPION] = {"auc_difference": around(0.02, 0.005)}
    models["champion"]["slices"]["origin=LGA"] = {**models["champion"]["slices"]["overall"]}
    return evaluation


def _of_champion(policy: Policy, evaluation: Any, measurements: Any) -> list[Gate]:
    return [g for g in judge(policy, evaluation, measurements)["pytorch"] if "over" in g.metric]


def test_a_gate_on_a_slice_compares_the_worse_bound_there(against, measurements) -> None:
    (gate,) = _of_champion(_policy(metric="auc", slice="origin=JFK"), against, measurements)
    assert (gate.name, gate.slice, gate.n) == ("pytorch auc_over_champion", "origin=JFK", 200)
    assert (gate.value, gate.operator, gate.passed) == (pytest.approx(-0.025), ">", False)
    assert gate.interval == (pytest.approx(-0.025), pytest.approx(-0.015))
    assert gate.baseline == pytest.approx(0.72)


def test_a_star_is_a_gate_for_each_slice_and_leaves_the_whole_out(against, measurements) -> None:
    gates = _of_champion(_policy(metric="auc", slice="origin=*"), against, measurements)
    assert {gate.slice: gate.passed for gate in gates} == {"origin=JFK": False, "origin=LGA": True}


@pytest.mark.parametrize(("margin", "passed"), [(-0.02, False), (-0.03, True)])
def test_a_slice_may_be_allowed_to_be_a_little_worse(against, measurements, margin, passed) -> None:
    policy = _policy(metric="auc", slice="origin=JFK", margin=margin)
    (gate,) = _of_champion(policy, against, measurements)
    assert gate.passed is passed


def test_better_on_the_whole_and_worse_on_a_slice_is_no_go_and_says_why(
    against, measurements
) -> None:
    evidence = Evidence(against, measurements)
    assert decide(_policy(metric="auc"), evidence)[0]["go"]
    decided, gates = decide(_policy(metric="auc", slice="origin=*"), evidence)
    assert not decided["go"]
    assert any(
        "auc_over_champion (origin=JFK) is -0.025 at worst, must be > 0" in reason
        for reason in decided["reasons"]
    )
    result = validation_result("pytorch", gates["pytorch"])
    (failed,) = result.metric_validations_per_slice
    (part,) = failed.slice_key.single_slice_keys
    assert (part.column, part.bytes_value) == ("origin", b"JFK")
    assert failed.failures[0].metric_threshold.HasField("change_threshold")


def test_a_difference_that_a_slice_does_not_define_is_never_a_pass(against, measurements) -> None:
    against["models"]["pytorch"]["slices"]["origin=JFK"][OVER_CHAMPION]["auc_difference"] = None
    said = "difference of auc to the champion on slice origin=JFK, where it is not defined"
    with pytest.raises(SettingsError, match=said):
        judge(_policy(metric="auc", slice="origin=*"), against, measurements)


def test_an_evaluation_that_did_not_compare_slices_is_never_a_pass(against, measurements) -> None:
    del against["models"]["tensorflow"]["slices"]["origin=JFK"][OVER_CHAMPION]
    with pytest.raises(SettingsError, match="which slice origin=JFK does not have") as caught:
        judge(_policy(metric="auc", slice="origin=JFK"), against, measurements)
    assert "evaluate again" in caught.value.remedy


def test_a_slice_too_small_to_be_measured_is_the_policys_error(against, measurements) -> None:
    with pytest.raises(SettingsError, match="slice origin=EWR, which was not measured"):
        judge(_policy(metric="auc", slice="origin=EWR"), against, measurements)


def test_without_a_champion_there_is_no_gate(evaluation, measurements) -> None:
    policy = _policy(metric="auc", slice="origin=*")
    assert _of_champion(policy, evaluation, measurements) == []


def test_a_slice_that_was_not_measured_is_told_before_there_is_a_champion(
    evaluation, measurements
) -> None:
    with pytest.raises(SettingsError, match="slice origin=EWR, which was not measured"):
        judge(_policy(metric="auc", slice="origin=EWR"), evaluation, measurements)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("origin=JFK", None),
        ("origin=*,carrier=UA", None),
        ("overall", None),
        ("season=*", "season=* is not among evaluate.slices"),
        ("orign=*", "orign=* is not among evaluate.slices; did you mean origin?"),
        ("all", "all is not among evaluate.slices"),
        ("origin", "origin names no value of origin: origin=* is each of them"),
        ("origin=JFK,carrier=", "origin=JFK,carrier= names no value of carrier: carrier=* is each"),
    ],
)
def test_a_slice_that_is_not_evaluated_is_found_before_the_run(key, said) -> None:
    found = list(_policy(metric="auc", slice=key).problems({"slices": ORIGINS}, []))
    assert len(found) == (said is not None)
    assert all(problem.startswith(f"champion_gates.0: slice {said}") for problem in found)
