"""The closed-form intervals against textbook values and simulation."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluate_models.intervals import Measured, mean, ratio, wilson, z_quantile


def test_the_quantile_of_95_percent_is_1_96():
    assert z_quantile(0.95) == pytest.approx(1.959964, abs=1e-6)


def test_wilsons_interval_for_8_of_10_is_the_textbooks():
    found = wilson(0.8, 10, z_quantile(0.95))
    assert (found.lower, found.upper) == (
        pytest.approx(0.4902, abs=1e-4),
        pytest.approx(0.9433, abs=1e-4),
    )


@given(st.integers(1, 5000), st.data())
def test_wilsons_interval_holds_its_value_and_stays_within_0_and_1(n, data):
    value = data.draw(st.integers(0, n)) / n
    found = wilson(value, n, z_quantile(0.95))
    assert -1e-12 <= found.lower <= value <= found.upper <= 1 + 1e-12


def test_a_means_interval_is_1_96_standard_errors():
    losses = np.array([1.0, 2.0, 3.0, 4.0])
    found = mean(losses, 1.96)
    assert found.value == 2.5
    assert found.upper - found.value == pytest.approx(1.96 * losses.std(ddof=1) / 2)


@pytest.mark.parametrize("rows", [0, 1])
def test_of_fewer_than_two_rows_nothing_is_said(rows):
    assert mean(np.ones(rows), 1.96) is None
    assert ratio(np.ones(rows), np.ones(rows), 1.96) is None


def test_a_ratio_to_nothing_is_not_defined():
    assert ratio(np.ones(5), np.zeros(5), 1.96) is None


def test_a_ratios_interval_covers_as_often_as_it_says():
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        labels = (generator.random(300) < 0.3).astype(float)
        scores = np.full(300, 0.36) + generator.normal(scale=0.05, size=300)
        found = ratio(scores, labels, z_quantile(0.95))
        covered += found.lower <= 0.36 / 0.3 <= found.upper
    assert 0.92 <= covered / 400 <= 0.98


def test_a_measured_value_is_json_with_nine_decimals():
    found = Measured(np.float64(1 / 3), 0.1, 0.9, "normal").to_dict()
    assert json.loads(json.dumps(found))["value"] == 0.333333333
