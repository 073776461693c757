"""The decision matrix: scores, ties, sums, and what would flip the winner."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from made_evaluations import around, model

from components.core.policy import Policy
from components.decide_release.choice import Evidence
from components.decide_release.decision import decide


@pytest.fixture
def evidence(evaluation, measurements) -> Evidence:
    """PyTorch is better by an AUC of 0.1; TensorFlow is twice as fast and has twice the forms."""
    evaluation["models"]["pytorch"] = model(auc=0.80)
    evaluation["models"]["tensorflow"] = model(auc=0.70)
    evaluation["comparison"]["auc_difference"] = around(0.1, 0.002)
    return Evidence(evaluation, measurements)


def _decide(evidence: Evidence, weights: dict[str, float] | None = None, **more: Any) -> Any:
    gates = [{"metric": "auc", "operator": ">=", "threshold": 0.6}]
    given = {} if weights is None else {"weights": weights}
    return decide(Policy.model_validate({"gates": gates, **given, **more}), evidence)[0]


def _row(decided: Any, name: str) -> Any:
    return next(row for row in decided["criteria"] if row["name"] == name)


def test_without_weights_there_are_no_scores(evidence):
    decided = _decide(evidence)
    assert "scores" not in decided
    assert not any("weight" in row for row in decided["criteria"])


def test_the_larger_weighted_sum_wins(evidence):
    quality, latency = (
        _decide(evidence, {"quality": 3, "latency": 1}),
        _decide(evidence, {"quality": 1, "latency": 3}),
    )
    assert quality["winner"] == "pytorch"
    assert quality["scores"] == {
        "pytorch": pytest.approx(0.75 + 0.25 * 0.5),
        "tensorflow": pytest.approx(0.75 * 2 / 3 + 0.25),
    }
    assert latency["winner"] == "tensorflow"


def test_each_weighted_criterion_has_its_weight_its_scores_and_its_source(evidence):
    decided = _decide(evidence, {"quality": 3, "portability": 1})
    area, forms = _row(decided, "auc"), _row(decided, "forms")
    assert (area["criterion"], area["weight"]) == ("quality", 0.75)
    assert area["scores"] == {"pytorch": 1.0, "tensorflow": pytest.approx(2 / 3)}
    assert (forms["pytorch"], forms["tensorflow"]) == (1, 2)
    assert (forms["weight"], forms["scores"]["pytorch"]) == (0.25, 0.5)
    assert "weight" not in _row(decided, "accuracy")


def test_a_source_leads_to_the_value(evidence):
    artifacts = {"evaluation": evidence.evaluation, "measurements": evidence.measurements}
    for row in _decide(evidence, {"size": 1})["criteria"]:
        for name in ("pytorch", "tensorflow"):
            found = artifacts[row["source"]["artifact"]]
            for part in row["source"]["path"].format(model=name).split("/"):
                found = found[part]
            assert row[name] == (len(found) if row["name"] == "forms" else found)


def test_a_difference_of_quality_that_may_be_luck_moves_no_sum(evidence):
    evidence.evaluation["comparison"]["auc_difference"] = around(0.001, 0.002)
    decided = _decide(evidence, {"quality": 100, "latency": 1})
    assert _row(decided, "auc")["scores"] == {"pytorch": 1.0, "tensorflow": 1.0}
    assert decided["winner"] == "tensorflow"


def test_latencies_within_the_tie_move_no_sum(evidence):
    for name, p50 in (("pytorch", 0.100), ("tensorflow", 0.097)):
        evidence.measurements["models"][name]["forms"]["onnx"]["one_row_ms"]["p50"] = p50
    decided = _decide(evidence, {"quality": 1, "latency": 100})
    assert decided["winner"] == "pytorch"


def _trained(evidence, pytorch: dict[str, Any], tensorflow: dict[str, Any]) -> Evidence:
    """Return the evidence with what the trainings took: CPU seconds 8 and 16 unless said."""
    whole = {"device": "cpu", "wall_seconds": 9.0, "resumed_from_step": None}
    trainings = {
        "pytorch": {**whole, "cpu_seconds": 8.0, **pytorch},
        "tensorflow": {**whole, "cpu_seconds": 16.0, **tensorflow},
    }
    return replace(evidence, trainings=trainings)


def test_what_a_training_cost_may_decide(evidence):
    evidence.evaluation["comparison"]["auc_difference"] = around(0.001, 0.002)
    decided = _decide(_trained(evidence, {}, {}), {"quality": 1, "training_cost": 1})
    assert decided["winner"] == "pytorch"
    row = _row(decided, "training_seconds")
    assert (row["pytorch"], row["tensorflow"], row["better"]) == (8.0, 16.0, "pytorch")
    assert row["scores"] == {"pytorch": 1.0, "tensorflow": 0.5}
    assert row["source"] == {
        "artifact": "{model}_training",
        "file": "training.json",
        "path": "cpu_seconds",
    }


def test_where_an_accelerator_trained_the_walls_seconds_count(evidence):
    gpu = {"device": "cuda: H100", "wall_seconds": 3.0}
    row = _row(_decide(_trained(evidence, {}, gpu)), "training_seconds")
    assert (row["pytorch"], row["tensorflow"]) == (9.0, 3.0)
    assert row["source"]["path"] == "wall_seconds"


def test_trainings_that_took_about_the_same_move_no_sum(evidence):
    close = _trained(evidence, {}, {"cpu_seconds": 8.8})
    decided = _decide(close, {"latency": 1, "training_cost": 100})
    assert _row(decided, "training_seconds")["scores"] == {"pytorch": 1.0, "tensorflow": 1.0}
    assert decided["winner"] == "tensorflow"


def test_a_training_of_which_only_the_last_part_is_known_moves_no_sum(evidence):
    resumed = _trained(evidence, {"resumed_from_step": 40, "cpu_seconds": 1.0}, {})
    decided = _decide(resumed, {"latency": 1, "training_cost": 100})
    assert decided["winner"] == "tensorflow"
    assert "training_seconds" not in {row["name"] for row in decided["criteria"]}


def test_equal_sums_go_to_what_is_preferred(evidence):
    latency = _decide(evidence, {"size": 1}, prefer="latency")
    assert latency["scores"] == {"pytorch": 1.0, "tensorflow": 1.0}
    assert (latency["winner"], _decide(evidence, {"size": 1})["winner"]) == (
        "tensorflow",
        "pytorch",
    )
    assert "a tie." in latency["reasons"][2]


def test_where_the_log_loss_is_preferred_it_is_the_quality(evidence):
    evidence.evaluation["comparison"]["log_loss_difference"] = around(0.1, 0.002)
    evidence.evaluation["models"]["pytorch"] = model(auc=0.8, log_loss=around(0.5))
    decided = _decide(evidence, {"quality": 1}, prefer="log_loss")
    assert decided["winner"] == "tensorflow"
    assert _row(decided, "log_loss")["scores"] == {"pytorch": 0.9, "tensorflow": 1.0}


def test_weights_decide_only_between_models_that_pass(evidence):
    evidence.evaluation["models"]["pytorch"] = model(auc=0.5)
    decided = _decide(evidence, {"quality": 1})
    assert decided["winner"] == "tensorflow"
    assert not any("weights" in line for line in decided["would_change"])


@pytest.mark.parametrize(
    "weights",
    [{"quality": 3, "latency": 1}, {"quality": 1, "latency": 3}, {"quality": 2, "portability": 1}],
)
def test_the_weight_that_is_said_to_flip_the_winner_flips_it(evidence, weights):
    decided = _decide(evidence, weights)
    said = [
        found
        for line in decided["would_change"]
        if (found := re.match(r"With policy\.weights\.(\w+) (over|under) (\S+) \(now", line))
    ]
    assert said
    for found in said:
        name, word, needed = found[1], found[2], float(found[3])
        step = 1.001 if word == "over" else 0.999
        beyond = _decide(evidence, {**weights, name: needed * step})
        before = _decide(evidence, {**weights, name: needed / step})
        assert beyond["winner"] == decided["challenger"]
        assert before["winner"] == decided["winner"]


def test_where_no_weight_flips_the_winner_it_is_said(evidence):
    evidence.measurements["models"]["pytorch"] = evidence.measurements["models"]["tensorflow"]
    decided = _decide(evidence, {"quality": 1})
    assert decided["would_change"][1:] == [
        "No change of one weight would make tensorflow the candidate."
    ]


@pytest.mark.parametrize(
    ("weights", "said"),
    [({}, "one weight at least"), ({"size": -1}, "greater"), ({"price": 1}, "not permit")],
)
def test_weights_that_weigh_nothing_or_what_cannot_be_known_are_refused(weights, said):
    with pytest.raises(ValueError, match=said):
        Policy.model_validate({"gates": [], "weights": weights})
