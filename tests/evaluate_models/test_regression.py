"""The metrics of a number: what each is, where it is not defined, and what its interval covers."""

from __future__ import annotations

import numpy as np
import pytest

from components.core.canonical import canonical_json
from components.core.measures import MEASURES
from components.evaluate_models.evaluation import Rows, evaluate
from components.evaluate_models.regression import differences, measure
from components.evaluate_models.robustness import by_task
from components.evaluate_models.slices import Partition

Z = 1.959964


def _rows(n=1000, bias=2.0, seed=3):
    generator = np.random.default_rng(seed)
    labels = generator.normal(50, 10, n)
    names = ("pytorch", "tensorflow", "champion")
    scores = {name: labels + bias + generator.normal(0, 3 + by, n) for by, name in enumerate(names)}
    return Rows(labels, scores, "regression")


def _whole(n):
    return Partition((), ((),), np.zeros(n, dtype=np.intp))


def test_every_metric_is_what_its_name_says_and_lies_in_its_interval():
    rows = _rows()
    found = measure(rows.labels, rows.scores["pytorch"], Z)
    errors = rows.scores["pytorch"] - rows.labels
    expected = {
        "mean_squared_error": (errors**2).mean(),
        "root_mean_squared_error": np.sqrt((errors**2).mean()),
        "mean_absolute_error": abs(errors).mean(),
        "mean_absolute_percentage_error": 100 * abs(errors / rows.labels).mean(),
        "mean_error": errors.mean(),
        "r2": 1 - (errors**2).sum() / ((rows.labels - rows.labels.mean()) ** 2).sum(),
        "calibration": rows.scores["pytorch"].sum() / rows.labels.sum(),
    }
    assert set(expected) == set(MEASURES["regression"].metrics)
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value, abs=1e-8)
        assert found[name]["lower"] < value < found[name]["upper"]
    assert found["n"] == 1000


def test_errors_of_small_labels_keep_their_digits():
    """Labels of a millionth: nine decimals would leave nothing of a squared error."""
    rows = _rows()
    small = {name: scores * 1e-6 for name, scores in rows.scores.items()}
    labels, names = rows.labels * 1e-6, ("pytorch", "tensorflow")
    whole, found = (
        measure(y, s["pytorch"], Z) for y, s in ((rows.labels, rows.scores), (labels, small))
    )
    for name, unit in (
        ("mean_squared_error", 1e-12), ("root_mean_squared_error", 1e-6),
        ("mean_absolute_error", 1e-6), ("mean_error", 1e-6),
    ):  # fmt: skip
        for part in ("value", "lower", "upper"):
            assert found[name][part] == pytest.approx(whole[name][part] * unit, rel=1e-6, abs=0)
    assert found["mean_label"] == pytest.approx(whole["mean_label"] * 1e-6, rel=1e-6, abs=0)
    apart = differences(labels, *(small[name] for name in names), Z)
    expected = differences(rows.labels, *(rows.scores[name] for name in names), Z)
    for name, unit in (("mean_squared_error", 1e-12), ("mean_absolute_error", 1e-6)):
        value = expected[f"{name}_difference"]["upper"] * unit
        assert apart[f"{name}_difference"]["upper"] == pytest.approx(value, rel=1e-6, abs=0)
    lost = by_task("regression", labels, Z).of(small["pytorch"]).to_dict()
    assert lost == found["mean_squared_error"]


@pytest.mark.parametrize(
    ("metric", "truth"),
    [("mean_error", 2.0), ("mean_squared_error", 13.0), ("root_mean_squared_error", 13**0.5),
     ("r2", 0.87), ("calibration", 1.04)],
)  # fmt: skip
def test_an_interval_holds_the_truth_about_as_often_as_it_says(metric, truth):
    held = 0
    for seed in range(300):
        rows = _rows(400, seed=seed)
        found = measure(rows.labels, rows.scores["pytorch"], Z)[metric]
        held += found["lower"] <= truth <= found["upper"]
    assert 0.92 <= held / 300 <= 0.98


def test_what_a_slice_does_not_define_is_null_and_never_nan():
    zero = np.zeros(5)
    found = measure(zero, zero + 1.0, Z)
    for name in ("mean_absolute_percentage_error", "calibration", "r2"):
        assert found[name] is None
    assert found["mean_error"]["value"] == 1
    canonical_json(found)
    one = measure(np.ones(1), np.zeros(1), Z)
    assert {one[name] for name in MEASURES["regression"].metrics} == {None}


def test_the_calibration_of_negative_labels_is_defined_and_in_its_interval():
    labels = np.array([-4.0, -2.0, 1.0, -3.0])
    found = measure(labels, labels * np.array([-1.0, -1.1, -0.9, -1.0]), Z)["calibration"]
    assert found["value"] < 0
    assert found["lower"] < found["value"] < found["upper"]


def test_differences_are_first_minus_second_and_paired():
    rows = _rows()
    models, comparison = evaluate(rows, [_whole(1000)], 0.95)
    for metric in MEASURES["regression"].compared:
        first, second = (models[m]["overall"][metric] for m in ("pytorch", "tensorflow"))
        found = comparison[f"{metric}_difference"]
        assert found["value"] == pytest.approx(first["value"] - second["value"], abs=1e-8)
        assert found["method"] == "normal_paired"
        against = comparison["champion"]["pytorch"][f"{metric}_difference"]
        assert against["upper"] < 0
    same = Rows(rows.labels, dict.fromkeys(rows.scores, rows.scores["pytorch"]), "regression")
    equal = evaluate(same, [_whole(1000)], 0.95)[1]["mean_squared_error_difference"]
    assert (equal["lower"], equal["upper"]) == (0, 0)


def test_each_slice_is_measured_by_its_own_rows():
    rows = _rows()
    parts = Partition(("kind",), (("a",), ("b",)), np.arange(1000) % 2)
    found = evaluate(rows, [_whole(1000), parts], 0.95)[0]["pytorch"]
    chosen = slice(1, None, 2)
    alone = measure(rows.labels[chosen], rows.scores["pytorch"][chosen], Z)
    assert found["kind=b"]["mean_error"]["value"] == alone["mean_error"]["value"]
    assert list(found) == ["overall", "kind=a", "kind=b"]
