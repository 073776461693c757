"""Texts are counted and not estimated, until a column has too many different ones to hold."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from statistics_comparison import features_of

pytestmark = pytest.mark.slow


def _texts_of(statistics: Any) -> Any:
    return features_of(statistics)["text"].string_stats


def _tfdv_in_memory(rows: pa.Table) -> Any:
    from tensorflow_data_validation.statistics import stats_impl

    from components.validate_examples.statistics_partial import list_batch

    return stats_impl.generate_statistics_in_memory(list_batch(rows))


def _merged(rows: pa.Table, at_a_time: int) -> Any:
    from components.validate_examples.statistics_partial import Partial

    merged = Partial(rows.slice(0, 0))
    for start in range(0, rows.num_rows, at_a_time):
        merged.merge(Partial(rows.slice(start, at_a_time)))
    return merged.finish("merged", rows.num_rows)


def test_a_hundred_thousand_categories_are_counted_where_tfdv_in_memory_estimates() -> None:
    different = 100_000
    names = pa.array(np.arange(different)).cast(pa.string())
    often = pa.array(["once more"] * 60)
    rows = pa.table({"text": pa.concat_arrays([names, often, names.slice(0, 25)])})
    ours, theirs = _texts_of(_merged(rows, 9_000)), _texts_of(_tfdv_in_memory(rows))
    assert ours.unique == different + 1
    assert [top.frequency for top in ours.top_values] == [60, *[2] * 19]
    assert [top.value for top in ours.top_values[:3]] == ["once more", "9", "8"]
    counted = sorted(Counter(rows["text"].to_pylist()).items(), key=lambda x: (x[1], x[0]))
    ranks = [(bucket.label, bucket.sample_count) for bucket in ours.rank_histogram.buckets]
    assert ranks == counted[:-1001:-1]
    assert theirs.unique != different + 1, "TFDV counts them as well now: one generator is enough"


@pytest.mark.parametrize("longest", [1023, 1024, 1025])
def test_long_texts_are_shown_as_tfdv_shows_them(longest: int) -> None:
    texts = ["a" * longest, "b" * longest, "c", "é" * (longest // 2), "c", ""]
    rows = pa.table({"text": texts})
    assert _texts_of(_merged(rows, 2)) == _texts_of(_tfdv_in_memory(rows))


def test_a_column_of_different_texts_does_not_grow_in_memory_and_stays_within_bounds() -> None:
    from components.validate_examples.statistics_values import EXACT_BYTES, ValueCounts

    different, usual = 300_000, 50_000
    padding = "x" * 60
    names = pa.array([f"{number:07}{padding}" for number in range(different)])
    assert names.nbytes > EXACT_BYTES
    texts = pa.concat_arrays([names, pa.array(["usual"] * usual)])
    rows = len(texts)
    estimates = []
    for at_a_time in (rows, 40_000):
        merged = ValueCounts()
        for start in range(0, rows, at_a_time):
            part = ValueCounts()
            part.add(texts.slice(start, at_a_time))
            merged.merge(part)
        estimates.append(merged.uniques())
        top = max(merged.top(1000), key=lambda pair: pair.count)
        assert top.feature_value == b"usual"
        assert abs(top.count - usual) <= rows / 1024
        assert len(pickle.dumps(merged)) < EXACT_BYTES / 10
    assert estimates[0] == estimates[1]
    assert estimates[0] == pytest.approx(different + 1, rel=0.03)


def test_counts_go_into_sketches_whichever_side_of_a_merge_has_them() -> None:
    from components.validate_examples.statistics_values import ValueCounts

    many = pa.array([f"{number:0200}" for number in range(100_000)])
    few = pa.array(["few"] * 40_000)
    estimates = []
    for first, second in ((many, few), (few, many)):
        merged, other = ValueCounts(), ValueCounts()
        merged.add(first)
        other.add(second)
        for counts in (merged, other):
            assert counts.uniques() > 0  # what was counted is folded
        merged.merge(pickle.loads(pickle.dumps(other)))  # noqa: S301
        estimates.append(merged.uniques())
        assert max(merged.top(1000), key=lambda pair: pair.count).feature_value == b"few"
    assert estimates[0] == estimates[1] == pytest.approx(100_001, rel=0.03)


def test_merging_leaves_the_other_side_as_it_was() -> None:
    from components.validate_examples.statistics_partial import Partial

    rows = pa.table({"text": ["a", "b", "a"], "number": [1.0, 2.0, None]})
    one, other = Partial(rows), Partial(rows)
    one.merge(other)
    one.merge(other)
    assert _texts_of(one.finish("one", 9)).top_values[0].frequency == 6
    assert _texts_of(other.finish("other", 3)).top_values[0].frequency == 2
