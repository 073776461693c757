"""Gates and the choice for a number and for one of several classes."""

from __future__ import annotations

from typing import Any

import pytest
from made_evaluations import around
from pydantic import ValidationError

from components.core.errors import SettingsError
from components.core.policy import Policy
from components.decide_release.choice import Evidence
from components.decide_release.decision import decide
from components.decide_release.gates import judge
from components.decide_release.tfma_validation import validation_result

MEASURED = {"models": {"pytorch": {"forms": {}}, "tensorflow": {"forms": {}}}}
MSE_20 = {"metric": "mean_squared_error", "operator": "<=", "threshold": 20}
LOSS_1 = {"metric": "log_loss", "operator": "<=", "threshold": 1.0}


def _number(mse: float = 10.0) -> dict[str, Any]:
    overall = {
        "n": 1000,
        "mean_squared_error": around(mse, 1),
        "root_mean_squared_error": around(3.0, 0.2),
        "mean_absolute_error": around(2.0, 0.2),
        "mean_absolute_percentage_error": None,
        "mean_error": around(0.1, 0.2),
        "r2": around(0.8),
        "calibration": around(1.0),
    }
    return {"bundle_sha256": "b" * 64, "slices": {"overall": overall}}


def _several(log_loss: float = 0.8) -> dict[str, Any]:
    of_class = {"n": 400, "said": 380, **{m: around(0.7) for m in ("precision", "recall", "f1")}}
    overall = {
        "n": 1000,
        "log_loss": around(log_loss),
        "accuracy": around(0.7),
        "brier": around(0.4),
        "auc_macro": None,
        "auc_weighted": around(0.9),
        "calibration_error": around(0.03),
        "classes": {"near": of_class, "far": {**of_class, "precision": None}},
        "top_k": [{"k": 2, "accuracy": around(0.9)}],
    }
    return {"bundle_sha256": "b" * 64, "slices": {"overall": overall}}


def _of_number(pytorch: float = 10.0, tensorflow: float = 10.0) -> dict[str, Any]:
    return {
        "task": "regression",
        "models": {"pytorch": _number(pytorch), "tensorflow": _number(tensorflow)},
        "comparison": {
            "mean_squared_error_difference": around(pytorch - tensorflow, 0.5),
            "mean_absolute_error_difference": around(0.0, 0.1),
        },
    }


def _of_several(pytorch: float = 0.8, tensorflow: float = 0.8) -> dict[str, Any]:
    return {
        "task": "multi_class",
        "classes": ["near", "far"],
        "models": {"pytorch": _several(pytorch), "tensorflow": _several(tensorflow)},
        "comparison": {
            "log_loss_difference": around(pytorch - tensorflow, 0.01),
            "accuracy_difference": around(0.05, 0.01),
            "auc_macro_difference": None,
        },
    }


def _policy(*gates: Any, **more: Any) -> Policy:
    return Policy.model_validate({"gates": gates, **more})


@pytest.mark.parametrize(
    ("evaluation", "gate", "value", "name"),
    [
        (_of_number(), MSE_20, 11.0, "mean_squared_error"),
        (_of_number(), {"metric": "r2", "operator": ">=", "threshold": 0.5}, 0.79, "r2"),
        (_of_number(), {"metric": "mean_error", "operator": ">=", "threshold": -1}, -0.1,
         "mean_error"),
        (_of_several(), {"metric": "recall", "of_class": "near", "operator": ">=",
                         "threshold": 0.5}, 0.69, "recall of near"),
        (_of_several(), {"metric": "f1", "of_class": "far", "operator": ">=", "threshold": 0.5},
         0.69, "f1 of far"),
        (_of_several(), {"metric": "top_k_accuracy", "k": 2, "operator": ">=", "threshold": 0.5},
         0.89, "top_k_accuracy@2"),
        (_of_several(), LOSS_1, 0.81, "log_loss"),
    ],
)  # fmt: skip
def test_a_gate_compares_the_worse_bound_of_the_tasks_metric(evaluation, gate, value, name):
    found = judge(_policy(gate), evaluation, MEASURED)["pytorch"][0]
    assert (found.name, found.value) == (f"pytorch {name}", pytest.approx(value))
    assert found.passed


@pytest.mark.parametrize(
    ("evaluation", "gate", "said"),
    [
        (_of_several(), {"metric": "f1", "of_class": "fur"}, "class fur, which the evaluation "
         "does not have; did you mean far?"),
        (_of_several(), {"metric": "precision", "of_class": "far"}, "where it is not defined"),
        (_of_several(), {"metric": "top_k_accuracy", "k": 3}, "top_k_accuracy at 3, which"),
        (_of_number(), {"metric": "mean_absolute_percentage_error"}, "where it is not defined"),
        (_of_number(), {"metric": "auc"}, "metric auc, which the evaluation does not have"),
    ],
)  # fmt: skip
def test_a_gate_on_what_was_not_measured_is_the_policys_error(evaluation, gate, said):
    with pytest.raises(SettingsError, match=said):
        judge(_policy({"operator": ">=", "threshold": 0.1, **gate}), evaluation, MEASURED)


def test_the_model_of_the_smaller_squared_error_is_preferred_by_default(measurements):
    decided, _ = decide(_policy(MSE_20), Evidence(_of_number(9.0, 10.0), measurements))
    assert (decided["winner"], decided["prefer"]) == ("pytorch", "mean_squared_error")
    assert "mean squared error of pytorch minus tensorflow is -1.0000" in " ".join(
        decided["reasons"]
    )
    better = {row["name"]: row["better"] for row in decided["criteria"]}
    assert list(better)[:4] == [
        "mean_squared_error",
        "mean_absolute_error",
        "root_mean_squared_error",
        "r2",
    ]
    assert better["mean_squared_error"] == "pytorch"
    other = "With policy.prefer = mean_absolute_error the candidate would be tensorflow."
    assert other in decided["would_change"]


def test_the_model_of_the_smaller_log_loss_is_preferred_by_default(measurements):
    evidence = Evidence(_of_several(0.9, 0.8), measurements)
    decided, _ = decide(_policy(LOSS_1), evidence)
    assert (decided["winner"], decided["prefer"]) == ("tensorflow", "log_loss")
    assert decide(_policy(LOSS_1, prefer="accuracy"), evidence)[0]["winner"] == "pytorch"
    # What is not defined on these rows is no criterion.
    assert [row["name"] for row in decided["criteria"]][:3] == [
        "log_loss",
        "accuracy",
        "calibration_error",
    ]


def test_where_all_is_equal_the_smaller_error_decides(measurements):
    for of_model in measurements["models"].values():
        of_model["forms"]["onnx"]["one_row_ms"]["p50"] = 0.1
    decided, _ = decide(_policy(MSE_20), Evidence(_of_number(10.0, 9.9), measurements))
    assert decided["winner"] == "tensorflow"
    assert "smaller mean squared error decides, 9.900000" in decided["reasons"][-2]


def test_a_weight_of_quality_is_of_the_preferred_metric_of_the_task(measurements):
    evidence = Evidence(_of_number(8.0, 10.0), measurements)
    decided, _ = decide(_policy(MSE_20, weights={"quality": 1}), evidence)
    assert decided["scores"] == {"pytorch": 1.0, "tensorflow": pytest.approx(0.8)}
    (weighed,) = [row for row in decided["criteria"] if row.get("weight")]
    assert (weighed["name"], weighed["criterion"]) == ("mean_squared_error", "quality")


@pytest.mark.parametrize("difference", [-3.0, 3.0])
def test_the_champion_is_beaten_by_the_tasks_metric(difference):
    evaluation = _of_number()
    evaluation["models"]["champion"] = _number(12.0)
    of_one = {"mean_squared_error_difference": around(difference, 1)}
    evaluation["comparison"]["champion"] = {"pytorch": of_one, "tensorflow": of_one}
    gate = judge(_policy(MSE_20), evaluation, MEASURED)["pytorch"][-1]
    assert gate.metric == "mean_squared_error_over_champion"
    assert (gate.operator, gate.value, gate.baseline) == ("<", difference + 1, 12.0)
    assert gate.passed is (difference < 0)


def test_tfmas_validation_has_the_names_of_tfmas_results():
    strict = {**LOSS_1, "threshold": 0.5}
    gates = judge(_policy(strict), _of_several(), MEASURED)["pytorch"]
    result = validation_result("pytorch", gates, "multi_class")
    (failure,) = result.metric_validations_per_slice[0].failures
    assert failure.metric_key.name == "sparse_categorical_crossentropy"


def _problems(task: Any, gate: Any = None, **more: Any) -> list[str]:
    first = MSE_20 if task == "regression" else LOSS_1
    policy = _policy({"operator": ">=", "threshold": 0.5, **gate} if gate else first, **more)
    return list(policy.problems({"top_k": [2], "thresholds": [0.5]}, [], task))


@pytest.mark.parametrize(
    ("task", "gate", "said"),
    [
        ("regression", {"metric": "auc"}, "gates.0: auc is not measured: the target is a number; "
         "there are mean_squared_error, "),
        ("multi_class", {"metric": "auc"}, "gates.0: auc is not measured: the target is one of "
         "several classes; "),
        ("binary", {"metric": "auc_macro"}, "gates.0: auc_macro is not measured: the target is a "
         "class of two; "),
        ("multi_class", {"metric": "recall", "at": 0.5}, "gates.0: the target is one of several "
         "classes: recall needs of_class, not at"),
        ("binary", {"metric": "recall", "of_class": "a"}, "gates.0: the target is a class of two: "
         "recall needs at, not of_class"),
        ("multi_class", {"metric": "top_k_accuracy", "k": 3}, "gates.0: 3 is not among "
         "evaluate.top_k"),
    ],
)  # fmt: skip
def test_a_gate_on_a_metric_that_the_task_does_not_have_is_found_before_the_run(task, gate, said):
    (problem,) = _problems(task, gate)
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("task", "more", "said"),
    [
        ("regression", {"prefer": "log_loss"}, "prefer: log_loss is not measured: the target is a"),
        ("binary", {"prefer": "accuracy"}, "prefer: accuracy is not measured"),
        ("multi_class", {"champion_gates": [{"metric": "auc"}]}, "champion_gates.0: auc is not "
         "measured: the target is one of several classes; there are log_loss"),
        ("regression", {"fairness_gates": [{"column": "a", "metric": "calibration", "operator":
         ">=", "threshold": 0, "compare": "ratio"}]}, "fairness_gates: the target is a number"),
    ],
)  # fmt: skip
def test_what_else_the_task_does_not_have_is_found_before_the_run(task, more, said):
    (problem,) = _problems(task, **more)
    assert problem.startswith(said)


def test_a_gate_on_a_class_that_the_target_does_not_have_is_found_before_the_run():
    gate = {"metric": "f1", "of_class": "fur", "operator": ">=", "threshold": 0.5}
    (problem,) = _policy(gate).problems({}, [], "multi_class", ["near", "far"])
    assert problem == "gates.0: fur is none of the target's classes; did you mean far?"
    assert list(_policy(gate).problems({}, [], "multi_class")) == []


@pytest.mark.parametrize("task", ["binary", "multi_class", "regression"])
def test_a_policy_that_names_no_metric_beside_its_gates_suits_every_task(task):
    assert _problems(task) == []
    assert _problems(task, prefer="latency", champion_gates=[{"margin": 0.1}]) == []


@pytest.mark.parametrize(
    "metric", ["squared_pearson_correlation", "MatthewsCorrelationCoefficient"]
)
def test_a_gate_on_what_stock_tfma_computes_is_refused_because_it_has_no_interval(metric):
    with pytest.raises(ValidationError, match=f"{metric} has no interval, because stock TFMA"):
        _policy({"metric": metric, "operator": ">=", "threshold": 0.5})


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ({"metric": "precision"}, "precision needs at, such as at: 0.5 or of_class"),
        ({"metric": "precision", "at": 0.5, "of_class": "a"}, "or of_class, a class's name, not b"),
        ({"metric": "f1"}, "f1 needs of_class, a class's name"),
        ({"metric": "top_k_accuracy"}, "top_k_accuracy needs k"),
        ({"metric": "r2", "k": 2}, "r2 has no use for k"),
    ],
)
def test_a_metric_of_a_class_or_of_some_classes_is_told_which(gate, said):
    with pytest.raises(ValidationError, match=said):
        _policy({"operator": ">=", "threshold": 0.5, **gate})
