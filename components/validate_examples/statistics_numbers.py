"""TFDV's basic statistics of each column, with its equal-width histogram made in one go.

Why: TFDV makes that histogram bucket by bucket, a thousand narrow ones against ten wide ones, in
Python. With a set of statistics for each span this takes longer than to look at the data.

Rules: everything is TFDV's own (its accumulators, merges, sketches and protos) but one function,
`equal_width_histogram`, which gives what TFDV's gives to the last bit.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from tensorflow_data_validation.statistics.generators import basic_stats_generator as tfdv_basic
from tensorflow_data_validation.utils import quantiles_util
from tensorflow_metadata.proto.v0 import statistics_pb2

_Array: TypeAlias = np.ndarray[Any, Any]
_Histogram: TypeAlias = statistics_pb2.Histogram
_BUCKETS = 10
_FACTOR = tfdv_basic._NUM_QUANTILES_FACTOR_FOR_STD_HISTOGRAM


class BasicStatistics(tfdv_basic.BasicStatsGenerator):  # type: ignore[misc]
    """TFDV's own generator, but for how the histograms of numbers are made of their quantiles."""

    def extract_output(self, accumulator: Any) -> statistics_pb2.DatasetFeatureStatistics:
        """Return TFDV's statistics; the accumulator cannot be added to any more."""
        numbers = {path.steps(): basic.numeric_stats for path, basic in accumulator.items()}
        sketches = {steps: stats.quantiles_summary for steps, stats in numbers.items()}
        for stats in numbers.values():
            stats.quantiles_summary = None  # TFDV then leaves the histograms out
        result = super().extract_output(accumulator)
        for steps, stats in numbers.items():
            stats.quantiles_summary = sketches[steps]
        for feature in result.features:
            if feature.HasField("num_stats") and np.isnan(feature.num_stats.median):
                _add_histograms(feature.num_stats, numbers[tuple(feature.path.step)])
        return result


def _add_histograms(proto: statistics_pb2.NumericStatistics, stats: Any) -> None:
    """Add median and both histograms, as TFDV's _make_numeric_stats_proto does."""
    quantiles, counts = tfdv_basic._get_quantiles_counts(
        stats.quantiles_summary, _FACTOR * _BUCKETS
    )
    proto.median = float(quantiles_util.find_median(quantiles))
    equal_width = equal_width_histogram(
        quantiles, counts, stats.finite_min, stats.finite_max, _BUCKETS, stats.pos_inf_count
    )
    of_quantiles = quantiles_util.generate_quantiles_histogram(
        *quantiles_util.rebin_quantiles(quantiles, counts, _FACTOR)
    )
    for histogram in (equal_width, of_quantiles):
        histogram.num_nan = stats.num_nan
        proto.histograms.append(histogram)


def equal_width_histogram(
    quantiles: _Array,
    cumulative: _Array,
    finite_min: float,
    finite_max: float,
    buckets: int,
    positive_infinities: float,
) -> _Histogram:
    """Return what TFDV's generate_equi_width_histogram returns for the same arguments."""
    result = _Histogram(type=_Histogram.STANDARD)
    if not np.isfinite(finite_min) and not np.isfinite(finite_max):
        result.buckets.add(low_value=finite_min, high_value=finite_max, sample_count=cumulative[-1])
        return result
    finite, finite_counts, negative_infinities = quantiles_util._strip_infinities(
        quantiles, cumulative, finite_max, positive_infinities
    )
    bounds = np.array([finite_min, finite_max], dtype=np.float64)
    if finite_min != finite_max:
        with np.errstate(over="ignore", invalid="ignore"):
            bounds = np.linspace(finite_min, finite_max, buckets + 1)
    if not np.isfinite(bounds).all():
        return result  # as TFDV does where the width overflows
    if negative_infinities:
        _add_infinities(result, float("-inf"), negative_infinities)
    narrow_low, narrow_high, weights = quantiles_util._get_bin_weights(finite, finite_counts)
    samples = _samples(narrow_low, narrow_high, weights, bounds)
    for low, high, count in zip(bounds[:-1], bounds[1:], samples, strict=True):
        result.buckets.add(low_value=low, high_value=high, sample_count=count)
    if positive_infinities:
        _add_infinities(result, float("inf"), positive_infinities)
    return result


def _samples(low: _Array, high: _Array, weights: _Array, bounds: _Array) -> _Array:
    """Return how much of the narrow buckets falls between each two bounds, [bounds - 1].

    A narrow bucket gives the share of its width that lies inside; one that is a point on a bound
    belongs to the wide bucket below it, or to the first. Sums run in TFDV's order.
    """
    if not low.size:
        return np.zeros(bounds.size - 1)
    lower, upper = bounds[:-1, None], bounds[1:, None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        inside = np.minimum(high, upper) - np.maximum(low, lower)
        shares = inside / (high - low)
    shares = np.where((lower <= low) & (high <= upper), 1.0, shares)
    shares = np.where((high < lower) | (upper < low), 0.0, shares)
    on_bound = (low == high) & (low == lower)
    on_bound[0] = False
    shares = np.where(on_bound, 0.0, shares)
    return np.asarray(np.add.accumulate(shares * weights, axis=1)[:, -1])


def _add_infinities(histogram: _Histogram, value: float, count: float) -> None:
    histogram.buckets.add(low_value=value, high_value=value, sample_count=count)
