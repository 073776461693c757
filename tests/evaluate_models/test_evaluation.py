"""evaluation.json's numbers, without files or models."""

from __future__ import annotations

import numpy as np
import pytest

from components.core.candidates import CHAMPION, OVER_CHAMPION
from components.core.canonical import canonical_json
from components.core.measures import MEASURES
from components.evaluate_models.evaluation import Rows, evaluate
from components.evaluate_models.intervals import Measured
from components.evaluate_models.metrics import at_threshold, confusion, measure, row_log_loss
from components.evaluate_models.slices import Partition


def _rows(n=1000, champion=False):
    generator = np.random.default_rng(11)
    truth = generator.random(n)
    labels = (generator.random(n) < truth).astype(float)
    names = ["pytorch", "tensorflow"] + ["champion"] * champion
    noise = {name: 0.1 * number for number, name in enumerate(names)}
    scores = {
        name: np.clip(truth + generator.normal(scale=by + 1e-9, size=n), 0.01, 0.99)
        for name, by in noise.items()
    }
    return Rows(labels, scores)


def _whole(n):
    return Partition((), ((),), np.zeros(n, dtype=np.intp))


def test_every_metric_is_what_its_name_says():
    rows = _rows()
    labels, scores = rows.labels, rows.scores["pytorch"]
    found = evaluate(rows, [_whole(1000)], 0.95)[0]["pytorch"]["overall"]
    said = scores > 0.5
    assert found["n"] == 1000
    assert found["positives"] == labels.sum()
    assert found["accuracy"]["value"] == pytest.approx((said == (labels == 1)).mean())
    assert found["brier"]["value"] == pytest.approx(((scores - labels) ** 2).mean())
    assert found["calibration"]["value"] == pytest.approx(scores.mean() / labels.mean())
    loss = -(labels * np.log(scores) + (1 - labels) * np.log(1 - scores)).mean()
    assert found["log_loss"]["value"] == pytest.approx(loss)
    assert found["confusion"] == {
        "threshold": 0.5,
        "tp": int((said & (labels == 1)).sum()),
        "fp": int((said & (labels == 0)).sum()),
        "tn": int((~said & (labels == 0)).sum()),
        "fn": int((~said & (labels == 1)).sum()),
    }
    for name in ("auc", "pr_auc", "log_loss", "brier", "calibration", "calibration_error"):
        assert found[name]["lower"] <= found[name]["value"] <= found[name]["upper"]


def test_a_prediction_of_exactly_one_half_says_negative():
    counts = confusion(np.array([True, False]), np.array([0.5, 0.5]))
    assert counts == {"tp": 0, "fn": 1, "fp": 0, "tn": 1}


def test_precision_and_recall_are_given_at_each_threshold():
    positive = np.array([True, True, False, True, False])
    scores = np.array([0.9, 0.3, 0.8, 0.7, 0.1])
    found = at_threshold(positive, scores, 0.7, 1.96)
    assert found["confusion"] == {"tp": 1, "fp": 1, "fn": 2, "tn": 1}
    assert found["precision"]["value"] == 0.5
    assert found["recall"]["value"] == pytest.approx(1 / 3)
    assert found["recall"]["method"] == "wilson"
    assert found["recall"]["lower"] < 1 / 3 < found["recall"]["upper"]


def test_precision_of_no_prediction_and_recall_of_no_positive_are_null():
    found = at_threshold(np.array([False, False]), np.array([0.5, 0.2]), 0.5, 1.96)
    assert (found["precision"], found["recall"]) == (None, None)


def test_a_certain_mistake_costs_much_but_not_infinity():
    loss = row_log_loss(np.array([1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]))
    assert np.all(np.isfinite(loss))
    assert loss[0] == pytest.approx(16.118, abs=1e-3)
    assert loss[2] == pytest.approx(0, abs=1e-6)


def test_differences_are_first_minus_second():
    rows = _rows()
    models, comparison = evaluate(rows, [_whole(1000)], 0.95)
    for metric in ("auc", "log_loss"):
        first, second = (models[name]["overall"][metric]["value"] for name in rows.scores)
        difference = comparison[f"{metric}_difference"]
        assert difference["value"] == pytest.approx(first - second, abs=1e-8)
        assert difference["lower"] < difference["value"] < difference["upper"]
    assert "champion" not in comparison


def test_each_candidate_is_compared_with_the_champion():
    models, comparison = evaluate(_rows(champion=True), [_whole(1000)], 0.95)
    for name in ("pytorch", "tensorflow"):
        areas = [models[m]["overall"]["auc"]["value"] for m in (name, "champion")]
        found = comparison["champion"][name]["auc_difference"]["value"]
        assert found == pytest.approx(areas[0] - areas[1], abs=1e-8)


def test_each_slice_of_a_candidate_is_compared_with_the_champion_there():
    rows = _rows(champion=True)
    parts = Partition(("kind",), (("a",), ("b",)), np.arange(1000) % 2)
    models, whole = evaluate(rows, [_whole(1000), parts], 0.95)
    for name in ("pytorch", "tensorflow"):
        for metric in ("auc", "log_loss"):
            of_model, of_champion = (models[m]["kind=b"][metric]["value"] for m in (name, CHAMPION))
            found = models[name]["kind=b"][OVER_CHAMPION][f"{metric}_difference"]
            assert found["value"] == pytest.approx(of_model - of_champion, abs=1e-8)
            assert found["lower"] < found["value"] < found["upper"]
            assert found["value"] != whole[CHAMPION][name][f"{metric}_difference"]["value"]
        assert OVER_CHAMPION not in models[name]["overall"]
    assert OVER_CHAMPION not in models[CHAMPION]["kind=b"]
    alone, _ = evaluate(_rows(), [_whole(1000), parts], 0.95)
    assert OVER_CHAMPION not in alone["pytorch"]["kind=b"]


@pytest.mark.parametrize("task", ["multi_class", "regression"])
def test_slices_of_other_tasks_are_compared_with_the_champion_too(task):
    generator = np.random.default_rng(5)
    labels = generator.integers(0, 3, 400).astype(float)
    shape = (400, 3) if task == "multi_class" else (400,)
    names = ("pytorch", "tensorflow", CHAMPION)
    scores = {name: generator.random(shape) for name in names}
    if task == "multi_class":
        scores = {name: s / s.sum(axis=1, keepdims=True) for name, s in scores.items()}
    rows = Rows(labels, scores, task, ("x", "y", "z") if task == "multi_class" else ())
    parts = Partition(("kind",), (("a",), ("b",)), np.arange(400) % 2)
    models, _ = evaluate(rows, [_whole(400), parts], 0.95)
    found = models["pytorch"]["kind=a"][OVER_CHAMPION]
    assert set(found) == {f"{name}_difference" for name in MEASURES[task].compared}


def test_what_a_slice_does_not_define_is_null_and_never_nan():
    rows = _rows()
    codes = (rows.labels == 0).astype(np.intp)
    partition = Partition(("late",), ((1,), (0,)), codes)
    found = evaluate(rows, [_whole(1000), partition], 0.95)[0]["pytorch"]
    assert found["late=1"]["auc"] is None
    assert found["late=0"]["calibration"] is None
    assert found["late=0"]["pr_auc"] is None
    assert found["late=0"]["accuracy"]["value"] > 0
    canonical_json(found)


def test_of_one_row_every_metric_is_a_number_or_null():
    one = np.ones(1)
    found = measure(one, one * 0.7, Measured(0.3, 0.3, 0.3, "made"), 1.96, [0.5])
    assert [found[name] for name in ("auc", "log_loss", "brier", "calibration")] == [None] * 4
    canonical_json(found)
