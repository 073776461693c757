"""Gates on every metric, on slices by the column, on the champion, on groups and on forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_evaluations import around, model

from components.core.errors import SettingsError
from components.core.outcome import OPERATORS
from components.core.policy import Policy
from components.core.policy_gates import MetricGate
from components.decide_release.choice import Evidence
from components.decide_release.decision import decide, refusal
from components.decide_release.gates import judge, sentence

AUC = {"metric": "auc", "operator": ">=", "threshold": 0.70}


def _policy(*gates: dict[str, Any], **more: Any) -> Policy:
    return Policy.model_validate({"gates": gates or (AUC,), **more})


@pytest.mark.parametrize("metric", ["pr_auc", "brier", "calibration"])
@pytest.mark.parametrize("operator", [">=", "<="])
def test_every_metric_of_the_evaluation_can_be_gated(evaluation, measurements, metric, operator):
    for name in ("pytorch", "tensorflow"):
        evaluation["models"][name] = model(**{metric: around(0.4)})
    gate = {"metric": metric, "operator": operator, "threshold": 0.4}
    judged = judge(_policy(gate), evaluation, measurements)["pytorch"][0]
    assert judged.value == pytest.approx(0.39 if operator == ">=" else 0.41)
    assert not judged.passed


def test_a_metric_that_an_old_evaluation_lacks_is_the_policys_error(evaluation, measurements):
    gate = {"metric": "brier", "operator": "<=", "threshold": 0.4}
    with pytest.raises(SettingsError, match="metric brier, which the evaluation does not have"):
        judge(_policy(gate), evaluation, measurements)


def _at(threshold: float) -> dict[str, Any]:
    return {"threshold": threshold, "precision": around(0.6), "recall": None, "confusion": {}}


def test_precision_is_gated_at_the_threshold_that_the_policy_names(evaluation, measurements):
    for name in ("pytorch", "tensorflow"):
        evaluation["models"][name] = model(thresholds=[_at(0.3), _at(0.5)])
    gate = {"metric": "precision", "operator": ">=", "threshold": 0.55, "at": 0.3}
    judged = judge(_policy(gate), evaluation, measurements)["tensorflow"][0]
    assert (judged.name, judged.value) == ("tensorflow precision@0.3", pytest.approx(0.59))
    assert judged.passed


@pytest.mark.parametrize(
    ("metric", "at", "said"),
    [("precision", 0.4, "at 0.4, which the evaluation did not"), ("recall", 0.5, "not defined")],
)
def test_a_threshold_that_was_not_evaluated_is_never_a_pass(
    evaluation, measurements, metric, at, said
):
    for name in ("pytorch", "tensorflow"):
        evaluation["models"][name] = model(thresholds=[_at(0.5)])
    gate = {"metric": metric, "operator": ">=", "threshold": 0.1, "at": at}
    with pytest.raises(SettingsError, match=said):
        judge(_policy(gate), evaluation, measurements)


def test_an_evaluation_without_thresholds_says_so(evaluation, measurements):
    gate = {"metric": "recall", "operator": ">=", "threshold": 0.1, "at": 0.5}
    with pytest.raises(SettingsError, match="which the evaluation did not compute"):
        judge(_policy(gate), evaluation, measurements)


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ({"metric": "recall"}, "recall needs at, such as at: 0.5"),
        ({"metric": "auc", "at": 0.5}, "auc has no use for at"),
    ],
)
def test_a_threshold_is_given_where_a_metric_needs_one_and_nowhere_else(gate, said):
    with pytest.raises(ValueError, match=said):
        _policy({"operator": ">=", "threshold": 0.5, **gate})


def test_a_gate_on_every_slice_of_a_column_is_a_gate_for_each(evaluation, measurements):
    for name in ("pytorch", "tensorflow"):
        slices = evaluation["models"][name]["slices"]
        slices["origin=LGA"] = {**slices["overall"], "n": 300, "auc": around(0.69)}
        slices["origin=LGA,carrier=UA"] = slices["overall"]
    gates = judge(_policy({**AUC, "slice": "origin=*"}), evaluation, measurements)["pytorch"]
    assert [(gate.slice, gate.n) for gate in gates] == [("origin=JFK", 200), ("origin=LGA", 300)]
    assert [gate.passed for gate in gates] == [True, False]


@pytest.mark.parametrize(
    ("pattern", "key", "judged"),
    [
        ("origin=*", "origin=JFK", True),
        ("origin=*", r"origin=Smith\, John", True),
        ("origin=*", "origin=a*b", True),
        ("origin=*", "overall", False),
        ("origin=*", "origin=JFK,carrier=UA", False),
        ("origin=JFK,carrier=*", "origin=JFK,carrier=UA", True),
        ("origin=*,carrier=UA", "origin=JFK,carrier=UA", True),
        ("origin=*,carrier=UA", "origin=JFK,carrier=AA", False),
        ("origin=J.K", "origin=JFK", False),
        ("origin=J*", "origin=JFK", False),
    ],
)
def test_a_star_stands_for_one_columns_value_and_takes_no_other_column_in(pattern, key, judged):
    assert MetricGate.model_validate({**AUC, "slice": pattern}).matches(key) is judged


def test_a_column_without_a_slice_large_enough_is_the_policys_error(evaluation, measurements):
    with pytest.raises(SettingsError, match=r"slice carrier=\*, which was not measured"):
        judge(_policy({**AUC, "slice": "carrier=*"}), evaluation, measurements)


def _with_champion(evaluation, **differences):
    evaluation["models"]["champion"] = model(auc=0.74)
    found = {f"{name}_difference": value for name, value in differences.items()}
    evaluation["comparison"]["champion"] = {"pytorch": found, "tensorflow": found}


@pytest.mark.parametrize(
    ("difference", "margin", "passed"),
    [(-0.003, 0.0, True), (-0.001, 0.0, False), (0.001, -0.005, True), (-0.01, 0.02, False)],
)
def test_of_the_log_loss_a_margin_is_how_much_less_it_must_be(
    evaluation, measurements, difference, margin, passed
):
    _with_champion(evaluation, log_loss=around(difference, 0.002))
    policy = _policy(champion_gates=[{"metric": "log_loss", "margin": margin}])
    gate = judge(policy, evaluation, measurements)["pytorch"][-1]
    assert (gate.metric, gate.value) == ("log_loss_over_champion", pytest.approx(difference + 2e-3))
    assert (gate.operator, gate.threshold) == ("<=" if margin < 0 else "<", -margin)
    assert gate.passed is passed


@pytest.mark.parametrize("metric", ["auc", "log_loss"])
@pytest.mark.parametrize(("margin", "passed"), [(0.0, False), (-0.001, True)])
def test_a_model_that_equals_the_champion_does_not_beat_it(
    evaluation, measurements, metric, margin, passed
):
    _with_champion(evaluation, **{metric: around(0.0, 0.0)})
    policy = _policy(champion_gates=[{"metric": metric, "margin": margin}])
    gate = judge(policy, evaluation, measurements)["pytorch"][-1]
    direction = ">" if metric == "auc" else "<"
    assert (gate.value, gate.passed) == (0.0, passed)
    assert gate.operator == (direction if margin == 0 else f"{direction}=")


def test_records_know_every_operator_of_a_gate():
    common = Path(__file__).parents[2] / "schemas" / "audit" / "common.json"
    properties = json.loads(common.read_text())["$defs"]["gate"]["properties"]
    assert set(properties["operator"]["enum"]) == set(OPERATORS)


def test_without_gates_on_the_champion_nothing_is_compared_with_it(evaluation, measurements):
    _with_champion(evaluation, auc=around(-0.5, 0.002))
    gates = judge(_policy(champion_gates=[]), evaluation, measurements)["pytorch"]
    assert [gate.metric for gate in gates] == ["auc"]


def test_a_difference_to_the_champion_that_is_not_defined_is_never_a_pass(evaluation, measurements):
    _with_champion(evaluation, auc=None)
    with pytest.raises(SettingsError, match="difference of auc to the champion"):
        judge(_policy(), evaluation, measurements)


def _fair(value: float) -> dict[str, Any]:
    extent = {**around(value, 0.05), "highest": "no", "lowest": "yes"}
    kinds = {"selection_rate": extent, "calibration": None}
    groups = {"no": {"n": 600}, "yes": {"n": 400}}
    return {"black": {"left_out": 0, "groups": groups, "differences": kinds, "ratios": kinds}}


def _fairness(**more: Any) -> dict[str, Any]:
    gate = {"column": "black", "metric": "selection_rate", "compare": "difference"}
    return {**gate, "operator": "<=", "threshold": 0.1, **more}


@pytest.mark.parametrize(
    ("compare", "operator", "threshold", "bound", "passed"),
    [
        ("difference", "<=", 0.1, 0.15, False),
        ("difference", "<=", 0.2, 0.15, True),
        ("ratio", ">=", 0.1, 0.05, False),
        ("ratio", ">=", 0.05, 0.05, True),
    ],
)
def test_groups_are_compared_by_the_worse_bound(
    evaluation, measurements, compare, operator, threshold, bound, passed
):
    for name in ("pytorch", "tensorflow"):
        evaluation["models"][name]["fairness"] = _fair(0.1)
    gate = _fairness(compare=compare, operator=operator, threshold=threshold)
    judged = judge(_policy(fairness_gates=[gate]), evaluation, measurements)["pytorch"][-1]
    assert judged.name == f"pytorch selection_rate {compare} by black"
    assert (judged.value, judged.n) == (pytest.approx(bound), 1000)
    assert judged.passed is passed


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"column": "blak"}, "the groups of blak, which the evaluation does not have; did you"),
        ({"metric": "true_positive_rate"}, "true_positive_rate, which column black does not have"),
        ({"metric": "calibration"}, "calibration difference of black, where it is not defined"),
    ],
)
def test_a_gate_on_groups_that_were_not_compared_is_the_policys_error(
    evaluation, measurements, more, said
):
    for name in ("pytorch", "tensorflow"):
        evaluation["models"][name]["fairness"] = _fair(0.1)
    with pytest.raises(SettingsError, match=said):
        judge(_policy(fairness_gates=[_fairness(**more)]), evaluation, measurements)


def test_an_evaluation_without_groups_says_so(evaluation, measurements):
    with pytest.raises(SettingsError, match="which the evaluation does not have"):
        judge(_policy(fairness_gates=[_fairness()]), evaluation, measurements)


def test_a_model_without_a_required_form_is_not_released(evaluation, measurements):
    decided, gates = decide(_policy(forms=["onnx", "litert"]), Evidence(evaluation, measurements))
    assert (decided["winner"], decided["challenger"]) == ("tensorflow", None)
    assert [gate.passed for gate in gates["pytorch"]] == [True, True, False]
    assert sentence(gates["pytorch"][-1]) == (
        "pytorch litert is missing, and the policy requires that form"
    )
    assert (
        "pytorch could be released if pytorch litert were exported and proven."
        in decided["would_change"]
    )


def test_a_required_form_that_no_model_has_is_the_policys_error(evaluation, measurements):
    with pytest.raises(SettingsError, match="form saved_model, which no model has"):
        judge(_policy(forms=["saved_model"]), evaluation, measurements)


def test_a_fairness_gate_that_no_model_passes_stops_the_run(evaluation, measurements):
    for name in ("pytorch", "tensorflow"):
        evaluation["models"][name]["fairness"] = _fair(0.3)
    policy = _policy(fairness_gates=[_fairness()])
    decided, gates = decide(policy, Evidence(evaluation, measurements))
    error = refusal(gates, {})
    assert not decided["go"]
    assert "selection_rate difference by black" in error.message
    assert error.gates[-1]["interval"] == [pytest.approx(0.25), pytest.approx(0.35)]


@pytest.mark.parametrize(
    ("evaluate", "said"),
    [
        ({"thresholds": [0.5], "sensitive": ["black"]}, []),
        ({}, []),
        ({"thresholds": [0.4]}, ["gates.0: 0.5 is not among evaluate.thresholds"]),
        (
            {"sensitive": ["blackk", "single"]},
            ["fairness_gates.0: black is not among evaluate.sensitive; did you mean blackk?"],
        ),
        ({"sensitive": []}, ["fairness_gates.0: black is not among evaluate.sensitive"]),
    ],
)
def test_what_the_settings_say_that_they_do_not_measure_is_known_before_the_run(evaluate, said):
    recall = {"metric": "recall", "operator": ">=", "threshold": 0.5, "at": 0.5}
    policy = _policy(recall, fairness_gates=[_fairness()])
    assert list(policy.problems(evaluate, [])) == said
