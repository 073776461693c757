"""AUC, DeLong and average precision against definitions written out."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluate_models.intervals import wilson, z_quantile
from components.evaluate_models.ranking import (
    auc,
    auc_difference,
    average_precision,
    midranks,
    placements,
)

Z = z_quantile(0.95)
scored = st.lists(
    st.tuples(st.booleans(), st.integers(0, 8).map(lambda n: n / 8)), min_size=4, max_size=40
).filter(lambda pairs: 2 <= sum(label for label, _ in pairs) <= len(pairs) - 2)


def _arrays(pairs):
    labels, scores = zip(*pairs, strict=True)
    return np.array(labels), np.array(scores, dtype=np.float64)


def _kernel(up, down):
    return 1.0 if up > down else 0.5 if up == down else 0.0


def _by_definition(positive, scores):
    """AUC and DeLong's variance, pair by pair as in the paper."""
    ups, downs = scores[positive], scores[~positive]
    v10 = [np.mean([_kernel(up, down) for down in downs]) for up in ups]
    v01 = [np.mean([_kernel(up, down) for up in ups]) for down in downs]
    variance = np.var(v10, ddof=1) / len(ups) + np.var(v01, ddof=1) / len(downs)
    return np.mean(v10), variance


@given(scored)
def test_auc_is_the_share_of_pairs_in_the_right_order(pairs):
    positive, scores = _arrays(pairs)
    expected, _ = _by_definition(positive, scores)
    assert auc(positive, scores, Z).value == pytest.approx(expected, abs=1e-12)


@given(scored)
def test_delongs_interval_is_the_papers_variance(pairs):
    positive, scores = _arrays(pairs)
    value, variance = _by_definition(positive, scores)
    found = placements(positive, scores)
    assert found.error == pytest.approx(math.sqrt(variance), abs=1e-9)
    bounds = auc(positive, scores, Z)
    assert bounds.lower <= bounds.value <= bounds.upper
    if bounds.method == "delong":
        assert bounds.lower == pytest.approx(max(0, value - Z * math.sqrt(variance)), abs=1e-9)
        assert bounds.upper == pytest.approx(min(1, value + Z * math.sqrt(variance)), abs=1e-9)


def _separated(positives, negatives, swapped=0):
    """Return labels, and scores that order them without a mistake but for some swapped ones."""
    positive = np.arange(positives + negatives) < positives
    scores = 1.0 * positive
    scores[positives - swapped : positives + swapped] = 0.5
    return positive, scores


@pytest.mark.parametrize(("positives", "negatives"), [(2, 100), (100, 2), (50, 60)])
def test_an_order_without_a_mistake_is_as_sure_as_its_smaller_class_is_large(positives, negatives):
    positive, scores = _separated(positives, negatives)
    found = auc(positive, scores, Z)
    expected = wilson(1.0, min(positives, negatives), Z)
    assert (found.value, found.upper) == (1.0, pytest.approx(1.0))
    assert found.lower == pytest.approx(expected.lower)
    assert found.method == "wilson_over_smaller_class"


@pytest.mark.parametrize(
    ("positives", "method"), [(9, "wilson_over_smaller_class"), (10, "delong")]
)
def test_delong_is_asked_from_ten_rows_of_each_class(positives, method):
    assert auc(*_separated(positives, 40, swapped=2), Z).method == method


def test_an_auc_of_few_positives_is_covered_as_often_as_is_said():
    generator, covered = np.random.default_rng(4), 0
    truth = NormalDist().cdf(2 / math.sqrt(2))
    positive = np.arange(105) < 5
    for _ in range(400):
        found = auc(positive, 2 * positive + generator.normal(size=105), Z)
        covered += found.lower <= truth <= found.upper
    assert covered / 400 >= 0.95


def test_two_models_without_a_mistake_are_not_the_same_for_sure():
    positive, scores = _separated(2, 100)
    found = auc_difference(positive, scores, scores + np.arange(102) / 1000, Z)
    assert (found.value, found.method) == (0.0, "mover_over_smaller_class")
    assert found.lower < -0.5
    assert found.upper > 0.5


def test_a_difference_is_delongs_where_one_model_makes_mistakes():
    positive, scores = _separated(20, 100)
    mistaken = np.where(np.arange(120) % 7 == 0, 0.5, scores)
    found = auc_difference(positive, scores, mistaken, Z)
    assert found.method == "delong_paired"
    assert found.lower < found.value < found.upper


@given(scored)
def test_both_classes_placements_average_to_the_auc(pairs):
    positive, scores = _arrays(pairs)
    found = placements(positive, scores)
    assert found.negatives.mean() == pytest.approx(found.auc)


@given(scored)
def test_turning_scores_round_turns_auc_round(pairs):
    positive, scores = _arrays(pairs)
    assert auc(positive, -scores, Z).value == pytest.approx(1 - auc(positive, scores, Z).value)


def _two_models(rows, seed=3):
    generator = np.random.default_rng(seed)
    positive = generator.random(rows) < 0.3
    first = positive + generator.normal(size=rows)
    return positive, first, first + generator.normal(scale=0.7, size=rows)


def test_delongs_error_agrees_with_resampling():
    positive, first, second = _two_models(400)
    generator = np.random.default_rng(5)
    draws = [generator.integers(0, 400, 400) for _ in range(800)]
    single = np.std([placements(positive[d], first[d]).auc for d in draws])
    paired = np.std(
        [
            placements(positive[d], first[d]).auc - placements(positive[d], second[d]).auc
            for d in draws
        ]
    )
    one, two = auc(positive, first, 1.0), auc_difference(positive, first, second, 1.0)
    assert one.upper - one.value == pytest.approx(single, rel=0.12)
    assert two.upper - two.value == pytest.approx(paired, rel=0.12)


def test_the_paired_interval_is_narrower_than_that_of_unpaired_models():
    positive, first, second = _two_models(2000)
    single = auc(positive, first, 1.0)
    paired = auc_difference(positive, first, second, 1.0)
    assert paired.upper - paired.value < 0.8 * math.sqrt(2) * (single.upper - single.value)
    assert paired.method == "delong_paired"


@pytest.mark.parametrize("rows", [12, 300])
def test_a_model_does_not_differ_from_itself(rows):
    positive, first, _ = _two_models(rows)
    found = auc_difference(positive, first, first, Z)
    assert (found.lower, found.value, found.upper) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("positives", [0, 1, 9, 10])
def test_auc_is_not_defined_with_fewer_than_two_rows_of_a_class(positives):
    positive = np.arange(10) < positives
    assert auc(positive, np.linspace(0, 1, 10), Z) is None


def test_equal_values_share_the_mean_of_their_ranks():
    assert midranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


@given(scored)
def test_average_precision_sums_precision_over_steps_of_recall(pairs):
    positive, scores = _arrays(pairs)
    expected, recall = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        said = scores >= threshold
        reached = positive[said].sum() / positive.sum()
        expected += (reached - recall) * positive[said].mean()
        recall = reached
    found = average_precision(positive, scores, Z)
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert 0 <= found.lower <= found.value <= found.upper <= 1


def test_average_precision_is_not_defined_without_positives():
    assert average_precision(np.zeros(5, dtype=bool), np.linspace(0, 1, 5), Z) is None
