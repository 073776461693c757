"""Curves against definitions written out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evaluate_models.calibration import BINS, calibration_errors
from components.evaluate_models.curves import POINTS, curves, curves_of
from components.evaluate_models.evaluation import Rows
from components.evaluate_models.ranking import placements
from components.evaluate_models.slices import Partition

scored = st.lists(
    st.tuples(st.booleans(), st.integers(0, 12).map(lambda n: n / 12)), min_size=4, max_size=60
).filter(lambda pairs: 0 < sum(label for label, _ in pairs) < len(pairs))


def _many(rows=5000):
    generator = np.random.default_rng(17)
    scores = generator.random(rows)
    return (generator.random(rows) < scores).astype(float), scores


def _by_threshold(labels, scores):
    """Yield (false positive rate, recall, precision) where predictions from each value on count."""
    for threshold in sorted(set(scores.tolist()), reverse=True):
        said = scores >= threshold
        hits, all_said = labels[said].sum(), said.sum()
        fall_out = (all_said - hits) / (labels == 0).sum()
        yield fall_out, hits / labels.sum(), hits / all_said


@settings(deadline=None)
@given(scored)
def test_every_point_is_that_of_a_threshold(pairs):
    labels = np.array([float(label) for label, _ in pairs])
    scores = np.array([score for _, score in pairs])
    expected = list(_by_threshold(labels, scores))
    found = curves(labels, scores)
    roc = [(0.0, 0.0), *((fall_out, recall) for fall_out, recall, _ in expected)]
    assert np.allclose(found["roc"], roc, atol=1e-9, rtol=0)
    assert np.allclose(found["pr"], [(r, p) for _, r, p in expected], atol=1e-9, rtol=0)


def test_a_long_curve_is_thinned_to_points_of_its_own_with_both_ends():
    labels, scores = _many()
    found = curves(labels, scores)
    points = {(round(f, 9), round(r, 9)) for f, r, _ in _by_threshold(labels, scores)}
    assert 50 < len(found["roc"]) <= POINTS
    assert 50 < len(found["pr"]) <= POINTS
    assert found["roc"][0] == [0.0, 0.0]
    assert found["roc"][-1] == [1.0, 1.0]
    assert found["pr"][-1] == [1.0, round(labels.mean(), 9)]
    assert {tuple(point) for point in found["roc"][1:]} <= points


def test_the_area_below_the_thinned_curve_is_the_auc_but_for_what_thinning_leaves_out():
    labels, scores = _many()
    pairs = itertools.pairwise(curves(labels, scores)["roc"])
    area = sum((x2 - x1) * (y1 + y2) / 2 for (x1, y1), (x2, y2) in pairs)
    assert area == pytest.approx(placements(labels == 1, scores).auc, abs=0.002)


def test_the_gaps_of_the_calibration_curve_are_the_calibration_error():
    labels, scores = _many()
    bins = curves(labels, np.sqrt(scores))["calibration"]
    whole = Partition((), ((),), np.zeros(len(labels), dtype=np.intp))
    error = calibration_errors([whole], labels, [np.sqrt(scores)], 1.0)[0][0][0]
    assert sum(n for _, _, n in bins) == len(labels)
    gap = sum(abs(said - was) * n for said, was, n in bins) / len(labels)
    assert gap == pytest.approx(error.value, abs=1e-8)


def _numbers(unit=1.0, rows=1500):
    generator = np.random.default_rng(23)
    scores = generator.normal(50, 10, rows)
    return Rows(unit * (scores + generator.normal(3, 1, rows)), {"a": unit * scores}, "regression")


def test_the_bins_of_a_number_hold_as_many_rows_and_tell_predicted_and_actual_means():
    rows = _numbers()
    bins = np.array(curves_of(rows, "a")["calibration"])
    assert bins.shape == (BINS, 3)
    assert bins[:, 2].tolist() == [100] * BINS
    order = np.argsort(rows.scores["a"]).reshape(BINS, 100)
    assert np.allclose(bins[:, 0], rows.scores["a"][order].mean(axis=1), atol=1e-8, rtol=0)
    assert np.allclose(bins[:, 1], rows.labels[order].mean(axis=1), atol=1e-8, rtol=0)
    assert np.all(np.abs(bins[:, 1] - bins[:, 0] - 3) < 0.5)


def test_the_bins_of_small_numbers_keep_their_digits():
    large, small = (np.array(curves_of(_numbers(u), "a")["calibration"]) for u in (1.0, 1e-9))
    assert np.allclose(small[:, :2], large[:, :2] * 1e-9, rtol=1e-7, atol=0)


def test_a_number_that_is_always_said_is_one_bin():
    rows = Rows(np.array([1.0, 2.0, 6.0]), {"a": np.full(3, 4.0)}, "regression")
    assert curves_of(rows, "a") == {"calibration": [[4.0, 3.0, 3]]}


def test_bins_without_rows_are_left_out():
    labels, scores = np.array([0.0, 1.0, 1.0, 0.0]), np.full(4, 0.25)
    assert curves(labels, scores)["calibration"] == [[0.25, 0.5, 4]]
