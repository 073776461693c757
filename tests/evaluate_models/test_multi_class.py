"""The metrics of several classes: what each is, where it is not defined, and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from components.core.canonical import canonical_json
from components.core.measures import MEASURES
from components.evaluate_models.evaluation import Rows, evaluate
from components.evaluate_models.multi_class import confusion, row_log_loss
from components.evaluate_models.one_versus_rest import auc_difference, macro_auc, weighted_auc
from components.evaluate_models.ranking import auc
from components.evaluate_models.ranking import auc_difference as difference_of_two
from components.evaluate_models.slices import Partition

Z = 1.959964
CLASSES = ("low", "middle", "high")
SHARES = np.array([0.2, 0.5, 0.3])


def _rows(n=1000, seed=5, champion=False):
    """Return rows of three classes; the second model is the noisier one."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(3, n, p=SHARES)
    names = ["pytorch", "tensorflow"] + ["champion"] * champion
    scores = {}
    for number, name in enumerate(names):
        logit = np.eye(3)[labels] * 1.5 + generator.normal(0, 1 + 0.2 * number, (n, 3))
        odds = np.exp(logit)
        scores[name] = odds / odds.sum(axis=1, keepdims=True)
    return Rows(labels.astype(float), scores, "multi_class", CLASSES)


def _whole(n):
    return Partition((), ((),), np.zeros(n, dtype=np.intp))


def _overall(rows, top_k=(2,)):
    return evaluate(rows, [_whole(len(rows.labels))], 0.95, (), top_k)[0]["pytorch"]["overall"]


def test_every_metric_is_what_its_name_says_and_lies_in_its_interval():
    rows = _rows()
    labels, scores = rows.numbers, rows.scores["pytorch"]
    found = _overall(rows, (2, 3, 9))
    of_label = scores[np.arange(1000), labels]
    expected = {
        "accuracy": (scores.argmax(axis=1) == labels).mean(),
        "log_loss": -np.log(of_label).mean(),
        "brier": ((scores - np.eye(3)[labels]) ** 2).sum(axis=1).mean(),
        "auc_macro": np.mean([auc(labels == k, scores[:, k], Z).value for k in range(3)]),
    }
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value, abs=1e-8)
        assert found[name]["lower"] < value < found[name]["upper"]
    assert found["n"] == 1000
    among = (scores > np.sort(scores, axis=1)[:, :1])[np.arange(1000), labels]
    assert [(at["k"], at["accuracy"]["value"]) for at in found["top_k"]] == [(2, among.mean())]
    named = {"accuracy", "log_loss", "brier", "auc_macro", "auc_weighted", "calibration_error"}
    assert set(MEASURES["multi_class"].metrics) - {
        "top_k_accuracy",
        "precision",
        "recall",
        "f1",
    } == (named)
    assert named <= set(found)


def test_a_class_has_its_rows_what_was_said_and_the_three_ratios():
    rows = _rows()
    found = _overall(rows)
    counts = np.array(found["confusion"])
    assert counts.sum() == 1000
    for number, name in enumerate(CLASSES):
        of_class, hit = found["classes"][name], counts[number, number]
        assert (of_class["n"], of_class["said"]) == (counts[number].sum(), counts[:, number].sum())
        precision, recall = hit / of_class["said"], hit / of_class["n"]
        assert of_class["precision"]["value"] == pytest.approx(precision, abs=1e-8)
        assert of_class["recall"]["value"] == pytest.approx(recall, abs=1e-8)
        f1 = of_class["f1"]
        assert f1["value"] == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-8)
        assert f1["lower"] < f1["value"] < f1["upper"] <= 1


def test_of_classes_that_are_equally_probable_the_first_counts():
    counts = confusion(np.array([0, 1]), np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2]]))
    assert counts.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_a_certain_mistake_costs_much_but_not_infinity():
    assert row_log_loss(np.array([0]), np.array([[0.0, 1.0]]))[0] == pytest.approx(16.118, abs=1e-3)


def test_with_two_classes_area_and_difference_are_delongs():
    rows = _rows()
    positive = rows.numbers == 1
    one, two = rows.scores["pytorch"][:, 1], rows.scores["tensorflow"][:, 1]
    both = [np.stack([1 - s, s], axis=1) for s in (one, two)]
    labels = positive.astype(np.intp)
    expected = auc(positive, one, Z)
    for found in (macro_auc(labels, both[0], Z), weighted_auc(labels, both[0], Z)):
        for part in ("value", "lower", "upper"):
            assert getattr(found, part) == pytest.approx(getattr(expected, part), abs=1e-9)
    apart, wanted = auc_difference(labels, *both, Z), difference_of_two(positive, one, two, Z)
    assert (apart.value, apart.lower) == (
        pytest.approx(wanted.value, abs=1e-9),
        pytest.approx(wanted.lower, abs=1e-9),
    )


def test_the_interval_of_the_macro_area_holds_the_truth_about_as_often_as_it_says():
    truth = macro_auc(_rows(200_000).numbers, _rows(200_000).scores["pytorch"], Z).value
    held = 0
    for seed in range(300):
        rows = _rows(300, seed=seed)
        found = macro_auc(rows.numbers, rows.scores["pytorch"], Z)
        held += found.lower <= truth <= found.upper
    assert 0.92 <= held / 300 <= 0.98


def test_an_area_of_few_rows_without_a_mistake_has_a_width():
    labels = np.repeat([0, 1, 2], [5, 20, 20])
    found = macro_auc(labels, np.eye(3)[labels], Z)
    assert (found.value, found.upper, found.method) == (1, 1, "wilson_over_smaller_class")
    assert found.lower < 0.7


def test_a_class_that_a_slice_lacks_has_no_area_and_no_number_is_nan():
    rows = _rows()
    parts = Partition(("kind",), (("a",), ("b",)), (rows.numbers == 2).astype(np.intp))
    found = evaluate(rows, [_whole(1000), parts], 0.95)[0]["pytorch"]["kind=a"]
    assert found["auc_macro"] is found["auc_weighted"] is None
    assert found["classes"]["high"]["n"] == 0
    assert found["classes"]["high"]["recall"] is None
    assert found["accuracy"]["value"] > 0
    canonical_json(found)


def test_the_calibration_error_is_that_of_the_most_probable_class():
    generator = np.random.default_rng(2)
    sure = generator.uniform(0.5, 1.0, 4000)
    rest = (1 - sure) / 2
    scores = np.stack([sure, rest, rest], axis=1)
    labels = np.where(generator.random(4000) < sure, 0, 1).astype(float)
    right = Rows(labels, {"pytorch": scores, "tensorflow": scores}, "multi_class", CLASSES)
    assert _overall(right)["calibration_error"]["value"] < 0.04
    wrong = Rows(np.ones(4000), right.scores, "multi_class", CLASSES)
    found = _overall(wrong)["calibration_error"]
    assert found["value"] == pytest.approx(sure.mean(), abs=1e-6)
    assert found["method"] == "poisson_bootstrap"


def test_differences_are_first_minus_second_and_paired():
    models, comparison = evaluate(_rows(champion=True), [_whole(1000)], 0.95)
    for metric in MEASURES["multi_class"].compared:
        first, second = (models[m]["overall"][metric]["value"] for m in ("pytorch", "tensorflow"))
        found = comparison[f"{metric}_difference"]
        assert found["value"] == pytest.approx(first - second, abs=1e-8)
        assert found["lower"] < found["value"] < found["upper"]
        assert found["method"] in ("normal_paired", "delong_one_versus_rest_paired")
        assert f"{metric}_difference" in comparison["champion"]["tensorflow"]


def test_an_area_and_a_difference_of_few_rows_with_mistakes_are_as_wide_as_so_few_rows_allow():
    labels = np.repeat([0, 1, 2], [5, 20, 20])
    generator = np.random.default_rng(1)
    one, two = (np.eye(3)[labels] + generator.normal(0, 0.5, (45, 3)) for _ in range(2))
    assert macro_auc(labels, one, Z).method == "wilson_over_smaller_class"
    found = auc_difference(labels, one, two, Z)
    assert found.method == "mover_over_smaller_class"
    assert auc_difference(labels, one, one, Z).upper == 0
