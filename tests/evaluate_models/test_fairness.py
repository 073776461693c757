"""Differences and ratios between groups: a table computed by hand, and a naive bootstrap."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

from components.core.canonical import canonical_json
from components.evaluate_models.bootstrap import resamples
from components.evaluate_models.fairness import METRICS, fairness
from components.evaluate_models.slices import NO_SLICE, Partition

Z = 1.959964


def _column(codes, values, left_out=0):
    return Partition(("group",), tuple((v,) for v in values), np.asarray(codes), left_out)


def _found(column, labels, scores, z=Z):
    labels, scores = np.asarray(labels, dtype=float), np.asarray(scores, dtype=float)
    return fairness([column], labels, [scores], z)[0]["group"]


# group a: 4 rows, 2 positive, 3 said, 2 of them right; group b: 5 rows, 2 positive, 1 said, right;
# the last row is in no group.
CODES = [0, 0, 0, 0, 1, 1, 1, 1, 1, NO_SLICE]
LABELS = [1, 1, 0, 0, 1, 1, 0, 0, 0, 1]
SCORES = [0.9, 0.8, 0.6, 0.1, 0.7, 0.4, 0.3, 0.2, 0.4, 0.99]
TABLE = {
    "selection_rate": (3 / 4, 1 / 5),
    "true_positive_rate": (2 / 2, 1 / 2),
    "false_positive_rate": (1 / 2, 0 / 3),
    "calibration": (2.4 / 2, 2.0 / 2),
}


METHODS = dict.fromkeys(METRICS, ("mover_wilson", "mover_ratio_wilson"))
METHODS["calibration"] = ("poisson_bootstrap",)


def test_groups_differences_and_ratios_are_those_of_a_table_computed_by_hand():
    found = _found(_column(CODES, "ab", left_out=3), LABELS, SCORES)
    assert found["left_out"] == 3
    assert [group["n"] for group in found["groups"].values()] == [4, 5]
    for metric, (a, b) in TABLE.items():
        for name, value in (("a", a), ("b", b)):
            assert found["groups"][name][metric]["value"] == pytest.approx(value, abs=1e-9)
        assert found["differences"][metric]["value"] == pytest.approx(a - b, abs=1e-9)
        assert found["ratios"][metric]["value"] == pytest.approx(b / a, abs=1e-9)
        for part in (found["differences"][metric], found["ratios"][metric]):
            assert (part["highest"], part["lowest"]) == ("a", "b")
            assert part["method"] in METHODS[metric]
            assert part["lower"] <= part["value"] <= part["upper"]


def _calibration(labels, scores, weights):
    """Return mean prediction by share of positives, row by row; NaN where nothing defines it."""
    part = whole = 0.0
    for label, score, weight in zip(labels, scores, weights, strict=True):
        part, whole = part + weight * score, whole + weight * label
    return part / whole if whole else math.nan


def _naive(rows, labels, scores):
    """Return difference and ratio with their bounds at one error, by loops over rows and pairs."""
    everything = np.ones(len(labels))

    def rates(weights):
        return [_calibration(labels[r], scores[r], weights[r]) for r in rows]

    values = rates(everything)
    samples = [rates(weights) for weights in resamples(len(labels))]
    high, low = int(np.nanargmax(values)), int(np.nanargmin(values))

    def minus(i, j):
        error = np.nanstd([sample[i] - sample[j] for sample in samples], ddof=1)
        return values[i] - values[j], error

    def by(i, j):
        error = np.nanstd([s[i] / s[j] if s[j] else math.nan for s in samples], ddof=1)
        return values[i] / values[j], error

    ordered = list(permutations(range(len(rows)), 2))
    (apart, error), (share, error_of_share) = minus(high, low), by(low, high)
    return (
        (apart, apart - error, max(sum(minus(*pair)) for pair in ordered)),
        (
            share,
            min(value - error for value, error in (by(*pair) for pair in ordered)),
            share + error_of_share,
        ),
    )


def _drawn(rows=150, groups=3, seed=3):
    generator = np.random.default_rng(seed)
    codes = generator.integers(-1, groups, rows)
    scores = np.clip(generator.random(rows) + 0.1 * codes, 0, 1)
    return codes, (generator.random(rows) < scores).astype(float), scores


def test_the_intervals_of_calibration_are_those_of_a_naive_loop():
    codes, labels, scores = _drawn()
    found = _found(_column(codes, "abc"), labels, scores, z=1.0)
    rows = [np.flatnonzero(codes == code) for code in range(3)]
    for part, (value, lower, upper) in zip(
        (found["differences"]["calibration"], found["ratios"]["calibration"]),
        _naive(rows, labels, scores),
        strict=True,
    ):
        assert part["value"] == pytest.approx(value, abs=2e-9)
        assert part["lower"] == pytest.approx(lower, abs=2e-9)
        assert part["upper"] == pytest.approx(upper, abs=2e-9)


def test_the_interval_of_a_difference_is_about_that_of_two_proportions():
    codes, labels, scores = _drawn(20_000, 2)
    found = _found(_column(codes, "ab"), labels, scores, z=1.0)
    part = found["differences"]["selection_rate"]
    rates = [(scores[codes == code] > 0.5).mean() for code in (0, 1)]
    sizes = [(codes == code).sum() for code in (0, 1)]
    error = math.sqrt(sum(p * (1 - p) / n for p, n in zip(rates, sizes, strict=True)))
    assert part["upper"] - part["value"] == pytest.approx(error, rel=0.15)


@pytest.mark.parametrize("metric", ["selection_rate", "calibration"])
def test_a_small_group_that_may_lie_further_off_sets_the_bound(metric):
    """Two large groups lie furthest apart by point, 0.6 and 0.4; a third, of 20 rows, is at 0.5."""
    sizes = (4000, 4000, 20)
    said = np.concatenate(
        [np.arange(n) < n * rate for n, rate in zip(sizes, (0.6, 0.4, 0.5), strict=True)]
    )
    codes = np.repeat([0, 1, 2], sizes)
    labels = np.arange(len(codes)) % 2
    scores = np.where(said, 0.6, 0.4)
    everyone = _found(_column(codes, "abc"), labels, scores)
    large = _found(_column(codes[:8000], "ab"), labels[:8000], scores[:8000])
    for kind, bound, further in (("differences", "upper", 0.05), ("ratios", "lower", -0.05)):
        part, of_large = everyone[kind][metric], large[kind][metric]
        assert (part["highest"], part["lowest"]) == (of_large["highest"], of_large["lowest"])
        assert part["value"] == of_large["value"]
        assert (part[bound] - of_large[bound]) / further > 1


def test_three_negatives_of_whom_none_is_said_to_be_positive_leave_a_wide_interval():
    """Nine negatives of ten in the other group, and none is said to be positive either."""
    labels = [1, 0, 0, 0] + [1] + [0] * 9
    found = _found(_column([0] * 4 + [1] * 10, "ab"), labels, [0.2] * 14)
    part = found["differences"]["false_positive_rate"]
    assert part["value"] == 0
    assert part["lower"] < -0.25
    assert part["upper"] > 0.5


def test_what_no_two_groups_define_is_null_and_so_is_a_ratio_of_nothing():
    labels = [1, 1, 1, 0, 0, 0]
    found = _found(_column([0, 0, 0, 1, 1, 1], "ab"), labels, [0.2] * 6)
    assert found["groups"]["b"]["true_positive_rate"] is None
    assert found["groups"]["b"]["calibration"] is None
    assert found["differences"]["true_positive_rate"] is None
    assert found["ratios"]["calibration"] is None
    assert found["differences"]["selection_rate"]["value"] == 0
    assert found["ratios"]["selection_rate"] is None
    canonical_json(found)


def test_one_group_is_compared_with_nothing():
    found = _found(_column([0] * 4, "a"), [1, 0, 1, 0], [0.9, 0.2, 0.4, 0.6])
    assert set(found["differences"].values()) == {None}


def test_of_equal_groups_two_are_compared_so_that_chance_shows():
    column = _column([0] * 4 + [1] * 4, "ab")
    found = _found(column, [1, 0, 1, 0] * 2, [0.9, 0.2, 0.4, 0.6] * 2)["differences"]
    part = found["selection_rate"]
    assert (part["highest"], part["lowest"]) == ("a", "b")
    assert part["lower"] < part["value"] == 0 < part["upper"]


def test_models_are_measured_each_by_its_own_predictions():
    codes, labels, scores = _drawn()
    column = _column(codes, "abc")
    both = fairness([column], labels, [scores, 1 - scores], Z)
    assert both[0]["group"] == _found(column, labels, scores)
    assert both[1]["group"] == _found(column, labels, 1 - scores)
