"""MOVER's intervals of two proportions: textbook values, the papers' formulas, and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluate_models.intervals import wilson, z_quantile
from components.evaluate_models.pairs import difference, proportions, ratio

Z = z_quantile(0.95)
counts = st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def _of(*groups):
    parts, wholes = np.array(groups).T
    return parts / wholes, proportions(parts, wholes, Z)


@pytest.mark.parametrize(
    ("one", "other", "lower", "upper"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_differences_are_those_of_newcombes_table(one, other, lower, upper):
    rates, pairs = _of(one, other)
    found = difference(rates, pairs, 0, 1)
    assert found.method == "mover_wilson"
    assert (found.lower, found.upper) == (
        pytest.approx(lower, abs=5e-5),
        pytest.approx(upper, abs=5e-5),
    )


@given(counts.filter(lambda pair: pair[0] > 0), counts.filter(lambda pair: pair[0] > 0))
def test_ratios_are_those_of_donners_and_zous_formula(one, other):
    rates, pairs = _of(one, other)
    p, q = rates
    first, second = wilson(p, one[1], Z), wilson(q, other[1], Z)
    (lp, up), (lq, uq) = (first.lower, first.upper), (second.lower, second.upper)
    above = (p * q + math.sqrt((p * q) ** 2 - up * lq * (2 * p - up) * (2 * q - lq))) / (
        lq * (2 * q - lq)
    )
    lower, upper = pairs.by(0)
    assert upper[1] == pytest.approx(above)
    if abs(uq * (2 * q - uq)) > 1e-3:
        root = math.sqrt((p * q) ** 2 - lp * uq * (2 * p - lp) * (2 * q - uq))
        assert lower[1] == pytest.approx((p * q - root) / (uq * (2 * q - uq)), rel=1e-6, abs=1e-9)


@given(st.lists(counts, min_size=2, max_size=6))
def test_every_interval_holds_its_value_and_has_a_width(groups):
    rates, pairs = _of(*groups)
    high, low = int(np.argmax(rates)), len(rates) - 1 - int(np.argmin(rates[::-1]))
    apart, share = difference(rates, pairs, high, low), ratio(rates, pairs, high, low)
    assert -1.000001 < apart.lower <= apart.value <= apart.upper < 1.000001
    assert apart.lower < apart.upper
    if rates[high] == 0:
        assert share is None
        return
    assert 0 <= share.lower <= share.value <= share.upper < math.inf
    assert share.lower < share.upper


def test_a_group_without_any_may_still_be_the_one_that_has_most():
    """By point b lies lowest; with 3 rows its rate may be anything up to 0.56."""
    rates, pairs = _of((50, 100), (0, 3), (5, 100))
    assert ratio(rates, pairs, 0, 1).lower == 0
    lower, _ = pairs.by(2)
    assert 0 < lower[1] < 0.1


@pytest.mark.parametrize("sizes", [(400, 12), (60, 60)])
@pytest.mark.parametrize("truth", [(0.1, 0.05), (0.5, 0.5), (0.9, 0.98)])
def test_two_groups_are_covered_as_often_as_is_said(sizes, truth):
    generator = np.random.default_rng(2)
    covered = []
    for _ in range(400):
        _, pairs = _of(*zip(generator.binomial(sizes, truth), sizes, strict=True))
        minus, by = pairs.minus(0), pairs.by(0)
        covered.append(
            [
                minus[0][1] <= truth[0] - truth[1] <= minus[1][1],
                by[0][1] <= truth[0] / truth[1] <= by[1][1],
            ]
        )
    assert np.mean(covered, axis=0).min() > 0.92
