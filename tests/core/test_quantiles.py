"""Ranks that bound a quantile, against the binomial distribution itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.core.quantiles import least_count, ranks


@settings(deadline=None)
@given(
    count=st.integers(1, 600),
    quantile=st.sampled_from([0.5, 0.95, 0.99]),
    confidence=st.sampled_from([0.8, 0.9, 0.95, 0.99]),
)
def test_each_tail_is_as_small_as_asked_and_no_rank_nearer_is(count, quantile, confidence):
    from scipy.stats import binom

    tail, (lower, upper) = (1 - confidence) / 2, ranks(count, quantile, confidence)
    below = binom(count, quantile).cdf
    if lower is not None:
        assert below(lower - 1) <= tail + 1e-9
    assert below(lower or 0) > tail - 1e-9
    if upper is not None:
        assert 1 - below(upper - 1) <= tail + 1e-9
    nearer = count if upper is None else upper - 1
    assert 1 - below(nearer - 1) > tail - 1e-9


@pytest.mark.parametrize("quantile", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_the_least_count_is_the_first_with_both_bounds(quantile, confidence):
    least = least_count(quantile, confidence)
    assert None not in ranks(least, quantile, confidence)
    assert None in ranks(least - 1, quantile, confidence)


def test_the_quantile_lies_between_as_often_as_said():
    random = np.random.default_rng(3)
    lower, upper = ranks(200, 0.95, 0.9)
    drawn = np.sort(random.lognormal(size=(4000, 200)), axis=1)
    true = np.exp(1.6448536269514722)
    covered = (drawn[:, lower - 1] <= true) & (true <= drawn[:, upper - 1])
    assert 0.89 <= covered.mean() <= 0.96
