"""Expected calibration error and its Poisson bootstrap."""

from __future__ import annotations

import numpy as np
import pytest

from components.evaluate_models.calibration import BINS, calibration_errors
from components.evaluate_models.slices import Partition

Z = 1.959964


def _whole(rows):
    return Partition((), ((),), np.zeros(rows, dtype=np.intp))


def _error(labels, scores, z=Z):
    return calibration_errors([_whole(len(labels))], labels, [scores], z)[0][0][0]


def _calibrated(rows, seed):
    generator = np.random.default_rng(seed)
    scores = generator.random(rows)
    return (generator.random(rows) < scores).astype(float), scores


def _by_definition(labels, scores):
    order = np.argsort(scores)
    bins = np.array_split(order, BINS)
    return sum(abs(scores[b].mean() - labels[b].mean()) * len(b) for b in bins) / len(labels)


def test_the_error_is_the_mean_gap_of_equal_bins():
    labels, scores = _calibrated(1500, 1)
    assert _error(labels, scores).value == pytest.approx(_by_definition(labels, scores))


def test_a_shifted_model_is_off_by_its_shift():
    labels, scores = _calibrated(100_000, 2)
    assert _error(labels, scores * 0.5 + 0.5 * 0.5 + 0.0).value > 0.1
    assert _error(labels, np.clip(scores + 0.2, 0, 1)).value == pytest.approx(0.18, abs=0.01)
    assert _error(labels, scores).value < 0.01


def test_equal_predictions_share_a_bin_so_the_order_of_rows_does_not_matter():
    generator = np.random.default_rng(3)
    labels = np.sort((generator.random(3000) < 0.25).astype(float))
    scores = np.full(3000, 0.25)
    shuffled = generator.permutation(3000)
    expected = abs(labels.mean() - 0.25)
    assert _error(labels, scores).value == pytest.approx(expected)
    assert _error(labels[shuffled], scores[shuffled]).value == pytest.approx(expected)


def test_the_interval_is_as_wide_as_the_error_varies_between_samples():
    samples = [_calibrated(2000, seed) for seed in range(150)]
    shifted = [(labels, np.clip(scores + 0.1, 0, 1)) for labels, scores in samples]
    spread = np.std([_error(*sample).value for sample in shifted])
    found = _error(*shifted[0], z=1.0)
    assert found.upper - found.value == pytest.approx(spread, rel=0.25)
    assert found.method == "poisson_bootstrap"


def test_the_same_rows_give_the_same_interval():
    labels, scores = _calibrated(500, 4)
    assert _error(labels, scores) == _error(labels, scores)


def test_a_slice_is_measured_as_if_it_were_the_whole():
    labels, scores = _calibrated(3000, 5)
    codes = np.where(np.arange(3000) % 3 == 2, -1, np.arange(3000) % 3).astype(np.intp)
    partition = Partition(("origin",), (("EWR",), ("JFK",)), codes)
    found = calibration_errors([_whole(3000), partition], labels, [scores, scores], Z)
    assert found[0] == found[1]
    for code in (0, 1):
        alone = _error(labels[codes == code], scores[codes == code])
        assert found[0][1][code].value == pytest.approx(alone.value)
        width = found[0][1][code].upper - found[0][1][code].value
        assert width == pytest.approx(alone.upper - alone.value, rel=0.35)
