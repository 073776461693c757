"""Resamples are Poisson."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
import pytest

from components.evaluate_models.bootstrap import RESAMPLES, resamples


def test_weights_have_the_probabilities_of_poisson_with_mean_one():
    weights = np.concatenate(list(islice(resamples(40_000), 25)))
    for k in range(7):
        share = math.exp(-1) / math.factorial(k)
        assert (weights == k).mean() == pytest.approx(share, abs=4 * math.sqrt(share / 1e6))
    assert weights.mean() == pytest.approx(1, abs=0.004)
    assert weights.var() == pytest.approx(1, abs=0.008)


def test_resamples_are_so_many_and_differ_and_come_again():
    first, again = list(resamples(50)), list(resamples(50))
    assert len({weights.tobytes() for weights in first}) == RESAMPLES
    assert np.array_equal(first, again)
