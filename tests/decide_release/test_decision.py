"""The gates, the table of decisions, and what is said about them."""

from __future__ import annotations

import pytest
from made_evaluations import around, model

from components.core.canonical import canonical_json
from components.core.errors import SettingsError
from components.core.policy import Policy
from components.decide_release.choice import Evidence
from components.decide_release.decision import decide, refusal
from components.decide_release.gates import judge, worst

AUC_070 = {"metric": "auc", "operator": ">=", "threshold": 0.70}
ERROR_005 = {"metric": "calibration_error", "operator": "<=", "threshold": 0.05}
MEASURED = {"models": {"pytorch": {"forms": {}}, "tensorflow": {"forms": {}}}}


def _policy(*gates, **more):
    return Policy.model_validate({"gates": gates or (AUC_070, ERROR_005), **more})


def test_more_is_better_compares_the_lower_bound(evaluation):
    evaluation["models"]["pytorch"] = model(auc=0.705)
    gate = judge(_policy(AUC_070), evaluation, MEASURED)["pytorch"][0]
    assert gate.value == pytest.approx(0.695)
    assert gate.interval == (pytest.approx(0.695), pytest.approx(0.715))
    assert not gate.passed


def test_less_is_better_compares_the_upper_bound(evaluation):
    evaluation["models"]["pytorch"] = model(error=0.045)
    gate = judge(_policy(ERROR_005), evaluation, MEASURED)["pytorch"][0]
    assert gate.value == pytest.approx(0.055)
    assert not gate.passed


def test_a_gate_on_a_slice_counts_the_slices_rows(evaluation):
    gate = judge(_policy({**AUC_070, "slice": "origin=JFK"}), evaluation, MEASURED)["tensorflow"][0]
    assert (gate.value, gate.n, gate.slice) == (pytest.approx(0.72), 200, "origin=JFK")


def test_a_gate_on_a_slice_that_was_not_measured_is_the_policys_error(evaluation):
    with pytest.raises(SettingsError, match="origin=XYZ, which was not measured"):
        judge(_policy({**AUC_070, "slice": "origin=XYZ"}), evaluation, MEASURED)


def test_a_gate_on_a_metric_that_is_not_defined_is_the_policys_error(evaluation):
    evaluation["models"]["pytorch"]["slices"]["origin=JFK"]["auc"] = None
    with pytest.raises(SettingsError, match="not defined"):
        judge(_policy({**AUC_070, "slice": "origin=JFK"}), evaluation, MEASURED)


def _with_champion(evaluation, pytorch, tensorflow):
    evaluation["models"]["champion"] = model(auc=0.74)
    evaluation["comparison"]["champion"] = {
        "pytorch": {"auc_difference": around(pytorch, 0.002)},
        "tensorflow": {"auc_difference": around(tensorflow, 0.002)},
    }


@pytest.mark.parametrize(
    ("difference", "margin", "passed"),
    [(0.003, 0.0, True), (0.001, 0.0, False), (-0.001, -0.005, True), (0.01, 0.02, False)],
)
def test_the_margin_over_the_champion_is_on_the_lower_bound(evaluation, difference, margin, passed):
    _with_champion(evaluation, difference, difference)
    gates = judge(_policy(AUC_070, champion_gates=[{"margin": margin}]), evaluation, MEASURED)[
        "pytorch"
    ]
    assert gates[0].baseline == 0.74
    assert gates[-1].metric == "auc_over_champion"
    assert gates[-1].value == pytest.approx(difference - 0.002)
    assert gates[-1].baseline == 0.74
    assert gates[-1].passed is passed


def test_without_a_champion_there_is_no_margin_gate(evaluation):
    assert (
        len(
            judge(_policy(AUC_070, champion_gates=[{"margin": 0.5}]), evaluation, MEASURED)[
                "pytorch"
            ]
        )
        == 1
    )


def test_a_model_that_loses_to_the_champion_is_not_released(evaluation, measurements):
    _with_champion(evaluation, 0.01, -0.01)
    decided, _ = decide(_policy(), Evidence(evaluation, measurements))
    assert (decided["winner"], decided["challenger"]) == ("pytorch", None)


@pytest.mark.parametrize(
    ("prefer", "auc", "log_loss", "latencies", "winner"),
    [
        ("auc", 0.01, 0.0, (0.10, 0.05), "pytorch"),
        ("auc", -0.01, 0.0, (0.05, 0.10), "tensorflow"),
        ("auc", 0.001, 0.0, (0.10, 0.05), "tensorflow"),
        ("auc", -0.001, 0.0, (0.05, 0.10), "pytorch"),
        ("log_loss", 0.0, 0.01, (0.05, 0.10), "tensorflow"),
        ("log_loss", 0.0, -0.01, (0.10, 0.05), "pytorch"),
        ("log_loss", 0.01, 0.001, (0.10, 0.05), "tensorflow"),
        ("latency", 0.01, 0.0, (0.10, 0.05), "tensorflow"),
        ("latency", -0.01, 0.0, (0.100, 0.097), "tensorflow"),
        ("latency", 0.01, 0.0, (0.100, 0.097), "pytorch"),
        ("auc", 0.0, 0.0, (0.100, 0.100), "pytorch"),
    ],
)
def test_the_winner_follows_the_preference_and_ties_go_to_latency(
    evaluation, measurements, prefer, auc, log_loss, latencies, winner
):
    evaluation["comparison"]["auc_difference"] = around(auc, 0.002)
    evaluation["comparison"]["log_loss_difference"] = around(log_loss, 0.002)
    for name, latency in zip(("pytorch", "tensorflow"), latencies, strict=True):
        measurements["models"][name]["forms"]["onnx"]["one_row_ms"]["p50"] = latency
    decided, _ = decide(_policy(prefer=prefer), Evidence(evaluation, measurements))
    other = {"pytorch": "tensorflow", "tensorflow": "pytorch"}[winner]
    assert (decided["winner"], decided["challenger"]) == (winner, other)
    assert decided["go"] is True


def test_where_all_is_equal_the_larger_auc_decides(evaluation, measurements):
    evaluation["models"]["tensorflow"] = model(auc=0.7501)
    for model_measured in measurements["models"].values():
        model_measured["forms"]["onnx"]["one_row_ms"]["p50"] = 0.1
    decided, _ = decide(_policy(), Evidence(evaluation, measurements))
    assert decided["winner"] == "tensorflow"
    assert "larger AUC decides" in decided["reasons"][-2]


def test_the_only_model_that_passes_wins_whatever_is_preferred(evaluation, measurements):
    evaluation["models"]["tensorflow"] = model(error=0.2)
    decided, gates = decide(_policy(prefer="latency"), Evidence(evaluation, measurements))
    assert (decided["winner"], decided["challenger"]) == ("pytorch", None)
    assert decided["reasons"] == [
        "pytorch passes all of its 2 gates.",
        "tensorflow fails 1 of 2 gates: tensorflow calibration_error (overall) is 0.21 at worst, "
        "must be <= 0.05.",
        "Only pytorch passes, so it is the candidate.",
    ]
    assert any(
        line.startswith("tensorflow could be released if") for line in decided["would_change"]
    )
    assert sum(gate.passed for gate in gates["tensorflow"]) == 1


def test_one_gate_is_called_one(evaluation, measurements):
    evaluation["models"]["tensorflow"] = model(error=0.2)
    decided, _ = decide(_policy(ERROR_005), Evidence(evaluation, measurements))
    assert decided["reasons"][:2] == [
        "pytorch passes its one gate.",
        "tensorflow fails its one gate: tensorflow calibration_error (overall) is 0.21 at worst, "
        "must be <= 0.05.",
    ]


def test_where_no_model_passes_the_worst_gate_is_named_and_all_are_kept(evaluation, measurements):
    evaluation["models"]["pytorch"] = model(error=0.06)
    evaluation["models"]["tensorflow"] = model(auc=0.60, error=0.2)
    decided, gates = decide(_policy(), Evidence(evaluation, measurements))
    error = refusal(gates, {})
    assert error.message == (
        "no model passes: tensorflow calibration_error (overall) is 0.21 at worst, "
        "must be <= 0.05 (the worst of 3 failed gates)"
    )
    assert [gate["passed"] for gate in error.gates] == [True, False, False, False]
    canonical_json(list(error.gates))
    assert (decided["go"], decided["winner"], decided["challenger"]) == (False, None, None)
    assert decided["reasons"][-1] == "No model passes, so nothing is released."
    assert decided["would_change"] == [
        "pytorch could be released if pytorch calibration_error (overall) were <= 0.05 at worst; "
        "it is 0.07.",
        "tensorflow could be released if tensorflow auc (overall) were >= 0.7 at worst; it is "
        "0.59, and tensorflow calibration_error (overall) were <= 0.05 at worst; it is 0.21.",
    ]


def test_the_worst_gate_is_the_one_that_misses_by_the_largest_share(evaluation):
    evaluation["models"]["pytorch"] = model(auc=0.5, error=0.045)
    gates = judge(_policy(), evaluation, MEASURED)["pytorch"]
    assert worst(gates).metric == "auc"


def test_criteria_hold_both_models_and_mark_ties(evaluation, measurements):
    evaluation["comparison"]["auc_difference"] = around(0.01, 0.002)
    evaluation["models"]["pytorch"] = model(accuracy=around(0.9))
    decided, _ = decide(_policy(), Evidence(evaluation, measurements))
    better = {row["name"]: row["better"] for row in decided["criteria"]}
    assert better == {
        "auc": "pytorch",
        "log_loss": None,
        "calibration_error": None,
        "accuracy": "pytorch",
        "one_row_ms": "tensorflow",
        "rows_per_second": "tensorflow",
        "size_bytes": None,
        "forms": "tensorflow",
    }
    assert decided["criteria"][4] == {
        "name": "one_row_ms",
        "pytorch": 0.1,
        "tensorflow": 0.05,
        "better": "tensorflow",
        "source": {
            "artifact": "measurements",
            "file": "measurements.json",
            "path": "models/{model}/forms/onnx/one_row_ms/p50",
        },
    }


def test_what_would_change_the_decision_is_said(evaluation, measurements):
    evaluation["comparison"]["auc_difference"] = around(0.01, 0.002)
    decided, _ = decide(_policy(), Evidence(evaluation, measurements))
    assert decided["winner"] == "pytorch"
    nearest, *others = decided["would_change"]
    assert nearest.startswith("pytorch would not be released if pytorch auc (overall) were worse")
    assert others == [
        "With policy.prefer = log_loss the candidate would be tensorflow.",
        "With policy.prefer = latency the candidate would be tensorflow.",
    ]


def _on(form, metric, operator, threshold):
    return {"form": form, "metric": metric, "operator": operator, "threshold": threshold}


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("p50_ms", 0.125),
        ("p95_ms", 0.25),
        ("p99_ms", 0.375),
        ("rows_per_second", 8_000),
        ("size_bytes", 100),
        ("load_ms", 4.0),
    ],
)
def test_a_gate_on_a_form_is_on_the_worse_bound_of_what_was_timed(
    evaluation, measurements, metric, value
):
    operator = ">=" if metric == "rows_per_second" else "<="
    for factor in (0.5, 2):
        threshold, passed = value * factor, (factor < 1) is (operator == ">=")
        policy = _policy(form_gates=[_on("onnx", metric, operator, threshold)])
        gate = judge(policy, evaluation, measurements)["pytorch"][-1]
        assert (gate.name, gate.value) == (f"pytorch onnx {metric}", pytest.approx(value))
        assert gate.passed is passed
        assert (gate.interval is None) is (metric in ("size_bytes", "load_ms"))


def test_too_few_calls_for_a_bound_are_the_settings_error(evaluation, measurements):
    measurements["models"]["pytorch"]["forms"]["onnx"]["intervals"]["p99_ms"] = [0.3, None]
    policy = _policy(form_gates=[_on("onnx", "p99_ms", "<=", 9)])
    with pytest.raises(SettingsError, match="pytorch onnx p99_ms, whose interval has no bound"):
        judge(policy, evaluation, measurements)


def test_a_gate_on_a_form_judges_the_models_that_have_it(evaluation, measurements):
    policy = _policy(form_gates=[_on("litert", "p99_ms", "<=", 0.02)])
    decided, gates = decide(policy, Evidence(evaluation, measurements))
    assert [gate.metric for gate in gates["pytorch"]] == ["auc", "calibration_error"]
    assert decided["winner"] == "pytorch"
    assert decided["reasons"][1] == (
        "tensorflow fails 1 of 3 gates: tensorflow litert p99_ms is 0.0375 at worst, "
        "must be <= 0.02."
    )
    assert (
        "tensorflow could be released if tensorflow litert p99_ms were <= 0.02 at worst; "
        "it is 0.0375." in (decided["would_change"])
    )


def test_a_gate_on_a_form_that_no_model_has_is_the_policys_error(evaluation, measurements):
    policy = _policy(form_gates=[_on("saved_model", "load_ms", "<=", 100)])
    with pytest.raises(SettingsError, match="form saved_model, which no model has"):
        judge(policy, evaluation, measurements)


def test_a_model_that_was_imported_is_judged_alone_and_beside_the_champion(measurements):
    overall = {"auc_difference": around(0.02, 0.01), "log_loss_difference": around(-0.02, 0.01)}
    evaluation = {
        "models": {"imported": model(), "champion": model(0.73)},
        "comparison": {
            "auc_difference": None,
            "log_loss_difference": None,
            "champion": {"imported": overall},
        },
    }
    forms = {"models": {"imported": measurements["models"]["pytorch"]}}
    policy = _policy(champion_gates=[{"metric": "auc"}], weights={"quality": 1, "latency": 1})
    decided, gates = decide(policy, Evidence(evaluation, forms))
    assert (decided["winner"], decided["challenger"]) == ("imported", None)
    assert [gate.name for gate in gates["imported"]][-1] == "imported auc_over_champion"
    assert decided["reasons"] == [
        "imported passes all of its 3 gates.",
        "imported is the only model, so it is the candidate.",
    ]
    assert "scores" not in decided  # there is nothing to weigh it against
    assert {row["better"] for row in decided["criteria"]} == {None}


def test_a_model_that_was_imported_and_fails_a_gate_is_not_released(measurements):
    evaluation = {
        "models": {"imported": model(0.6)},
        "comparison": {"auc_difference": None, "log_loss_difference": None},
    }
    forms = {"models": {"imported": measurements["models"]["pytorch"]}}
    decided, gates = decide(_policy(AUC_070), Evidence(evaluation, forms))
    assert not decided["go"]
    assert "no model passes: imported auc (overall)" in refusal(gates, {}).message


def test_a_form_that_an_imported_model_lacks_fails_the_policy_that_requires_it(measurements):
    evaluation = {"models": {"imported": model()}, "comparison": {}}
    forms = {"models": {"imported": measurements["models"]["pytorch"]}}
    slow = {"form": "litert", "metric": "p50_ms", "operator": "<=", "threshold": 1}
    gates = judge(_policy(AUC_070, form_gates=[slow], forms=["litert"]), evaluation, forms)
    assert [(gate.name, gate.passed) for gate in gates["imported"]] == [
        ("imported auc", True),
        ("imported litert", False),
    ]


def test_a_gate_on_a_form_that_an_imported_model_lacks_is_never_a_pass(measurements):
    evaluation = {"models": {"imported": model()}, "comparison": {}}
    forms = {"models": {"imported": measurements["models"]["pytorch"]}}
    small = {"form": "litert", "metric": "size_bytes", "operator": "<=", "threshold": 1e9}
    fast = {"form": "onnx", "metric": "p50_ms", "operator": "<=", "threshold": 9}
    gates = judge(_policy(AUC_070, form_gates=[small, fast]), evaluation, forms)["imported"]
    assert [(gate.name, gate.passed) for gate in gates] == [
        ("imported auc", True),
        ("imported onnx p50_ms", True),
        ("imported litert", False),
    ]


def test_a_difference_that_decides_never_reads_as_zero(evaluation, measurements):
    tiny = {"value": 2.4e-06, "lower": 3.1e-07, "upper": 4.5e-06, "method": "delong_paired"}
    evaluation["comparison"]["auc_difference"] = tiny
    decided, _ = decide(_policy(), Evidence(evaluation, measurements))
    assert decided["winner"] == "pytorch"
    assert "is +0.0000024 (+0.0000003 to +0.0000045): better for pytorch." in decided["reasons"][2]
