"""What it means that two sets of statistics of the same rows are the same.

Exact: counts, missing values, minimum, maximum, zeros, text lengths, uniques, top values, ranks and
how many values a histogram holds. To 1e-9 of the largest value: mean and standard deviation.
Quantiles: TFDV's sketch promises a rank at most EPSILON of all values off, so each quantile that
either side gives is looked up in the data.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

EPSILON = 0.01  # of StatsOptions
SKETCHED_TEXTS = 1024


def features_of(statistics: Any) -> dict[str, Any]:
    """Return the statistics of each column by its name."""
    (dataset,) = statistics.datasets
    return {feature.path.step[0]: feature for feature in dataset.features}


def assert_same(ours: Any, other: Any, rows: pa.Table, texts_exact: bool = True) -> None:
    """Hold our statistics of `rows` against others; without `texts_exact` those have sketches."""
    assert ours.datasets[0].num_examples == other.datasets[0].num_examples == rows.num_rows
    mine, theirs = features_of(ours), features_of(other)
    assert set(mine) == set(theirs) == set(rows.column_names)
    for name in rows.column_names:
        assert mine[name].type == theirs[name].type, name
        if mine[name].HasField("string_stats"):
            _assert_same_common(mine[name].string_stats, theirs[name].string_stats)
            _assert_same_texts(mine[name].string_stats, theirs[name].string_stats, texts_exact)
        else:
            _assert_same_common(mine[name].num_stats, theirs[name].num_stats)
            _assert_same_numbers(mine[name].num_stats, theirs[name].num_stats, rows[name])


def _assert_same_common(mine: Any, theirs: Any) -> None:
    assert mine.common_stats == theirs.common_stats


def _assert_same_texts(mine: Any, theirs: Any, exact: bool) -> None:
    assert mine.avg_length == theirs.avg_length
    assert mine.invalid_utf8_count == theirs.invalid_utf8_count
    if exact or mine.unique <= SKETCHED_TEXTS:
        assert mine.unique == theirs.unique
        assert mine.top_values == theirs.top_values
        assert mine.rank_histogram == theirs.rank_histogram
        return
    assert mine.unique == pytest.approx(theirs.unique, rel=0.03)
    bound = mine.common_stats.tot_num_values / SKETCHED_TEXTS
    for my_bucket, their_bucket in zip(
        mine.rank_histogram.buckets, theirs.rank_histogram.buckets, strict=True
    ):
        assert abs(my_bucket.sample_count - their_bucket.sample_count) <= bound


def _assert_same_numbers(mine: Any, theirs: Any, column: pa.ChunkedArray) -> None:
    values = np.asarray(column.drop_null().to_numpy(), dtype=np.float64)
    values = np.sort(values[~np.isnan(values)])
    assert (mine.num_zeros, mine.min, mine.max) == (theirs.num_zeros, theirs.min, theirs.max)
    size = float(np.max(np.abs(values), initial=0.0))
    for field in ("mean", "std_dev"):
        one, two = getattr(mine, field), getattr(theirs, field)
        assert one == pytest.approx(two, rel=1e-9, abs=1e-9 * size, nan_ok=True)
    nulls_aside = len(column) - column.null_count
    assert len(mine.histograms) == len(theirs.histograms) == 2 * bool(nulls_aside)
    for one, two in zip(mine.histograms, theirs.histograms, strict=True):
        assert (one.type, one.num_nan) == (two.type, two.num_nan)
        assert one.num_nan == nulls_aside - len(values)
        assert _total(one) == pytest.approx(_total(two), rel=1e-9)
    for statistics in (mine, theirs):
        if len(values):
            _assert_quantiles(statistics, values)


def _total(histogram: Any) -> float:
    return sum(bucket.sample_count for bucket in histogram.buckets)


def _assert_quantiles(statistics: Any, values: np.ndarray[Any, Any]) -> None:
    buckets = statistics.histograms[1].buckets
    bounds = [buckets[0].low_value, *(bucket.high_value for bucket in buckets)]
    assert all(low <= high for low, high in itertools.pairwise(bounds))
    assert (bounds[0], bounds[-1]) == (values[0], values[-1])
    for number, bound in enumerate(bounds):
        _assert_rank(bound, number / (len(bounds) - 1), values)
    if np.isfinite(values).all():
        _assert_rank(statistics.median, 0.5, values)


def _assert_rank(value: float, share: float, values: np.ndarray[Any, Any]) -> None:
    """Require that a share of all values lies below `value`, to EPSILON and one value."""
    below = np.searchsorted(values, value, side="left")
    up_to = np.searchsorted(values, value, side="right")
    slack = EPSILON * len(values) + 1
    assert below - slack <= share * len(values) <= up_to + slack
