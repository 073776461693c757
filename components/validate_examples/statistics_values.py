"""How often each text of a column occurs: TFDV's top values and uniques, counted and not estimated.

Why: in memory TFDV estimates both with sketches of fixed size. From 1,025 different texts on its
counts fall below the true ones, by how much depends on the order of the rows, and the most frequent
text may not come first; its own Beam path counts exactly.

Rules:
1. texts are counted exactly, one pass over the data, while a column's different texts take no more
   than EXACT_BYTES; 100,000 categories of a hundred bytes each do;
2. a column beyond that goes on in TFDV's own sketches, fed with the counts so far, so that memory
   stays flat; whether it does depends on the texts alone, not on how the rows were cut;
3. all else is as in TFDV: the order among equal counts, and one placeholder for the top values
   longer than LARGE_TEXT bytes.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_data_validation import constants, types
from tensorflow_data_validation.statistics.generators.stats_generator import CombinerStatsGenerator
from tensorflow_data_validation.statistics.stats_options import StatsOptions
from tensorflow_data_validation.utils.top_k_uniques_stats_util import (
    FeatureValueCount,
    make_feature_stats_proto_topk_uniques,
)
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx_bsl.sketches import KmvSketch, MisraGriesSketch

EXACT_BYTES = 16 << 20
LARGE_TEXT = 1024
LISTED_TEXTS = StatsOptions().num_rank_histogram_buckets
KMV_BUCKETS, MISRA_GRIES_BUCKETS = 16384, 1024
_BYTES_BESIDE_A_TEXT = 16
_FOLD_AT_LEAST = 1 << 20


class _Sketches:
    """TFDV's two sketches of a column, made as TFDV makes them."""

    def __init__(self) -> None:
        self.uniques = KmvSketch(KMV_BUCKETS)
        self.top = MisraGriesSketch(
            num_buckets=MISRA_GRIES_BUCKETS,
            invalid_utf8_placeholder=constants.NON_UTF8_PLACEHOLDER,
            large_string_threshold=LARGE_TEXT,
            large_string_placeholder=constants.LARGE_BYTES_PLACEHOLDER,
        )

    def add(self, counted: pa.Table) -> None:
        for batch in counted.to_batches():
            self.uniques.AddValues(batch["values"])
            self.top.AddValues(batch["values"], batch["counts"].cast(pa.float32()))

    def merge(self, other: _Sketches) -> None:
        self.uniques.Merge(other.uniques)
        self.top.Merge(other.top)


class ValueCounts:
    """Counts of a column's texts; they can be added to, merged and pickled."""

    def __init__(self) -> None:
        self._pending: list[pa.Table] = []
        self._pending_bytes = 0
        self._folded_bytes = 0
        self._sketches: _Sketches | None = None

    def add(self, texts: pa.Array) -> None:
        """Count some texts, none of them null."""
        if not len(texts):
            return
        counted = texts.value_counts()
        self._add(pa.table({"values": counted.field(0), "counts": counted.field(1)}))

    def merge(self, other: ValueCounts) -> None:
        """Count what `other` has counted, and leave it as it is."""
        for table in other._pending:
            self._add(table)
        if other._sketches is not None:
            self._to_sketches().merge(other._sketches)

    def uniques(self) -> int:
        """Return how many different texts there are."""
        self._fold()
        if self._sketches is not None:
            return int(self._sketches.uniques.Estimate())
        return sum(table.num_rows for table in self._pending)

    def top(self, most: int | None) -> list[FeatureValueCount]:
        """Return the most frequent texts, None for all that are known.

        Among equal counts the last in order of bytes comes first.
        """
        self._fold()
        if self._sketches is not None:
            estimated = self._sketches.top.Estimate().to_pylist()
            return [FeatureValueCount(pair["values"], pair["counts"]) for pair in estimated]
        if not self._pending:
            return []
        by_count = [("counts", "descending"), ("values", "descending")]
        counted = _shorten(self._pending[0])
        k = counted.num_rows if most is None else most
        first = counted.take(pc.select_k_unstable(counted, k=k, sort_keys=by_count))
        return [FeatureValueCount(pair["values"], pair["counts"]) for pair in first.to_pylist()]

    def _add(self, counted: pa.Table) -> None:
        if self._sketches is not None:
            self._sketches.add(counted)
            return
        self._pending.append(counted)
        self._pending_bytes += _size(counted)
        if self._pending_bytes > 2 * self._folded_bytes + _FOLD_AT_LEAST:
            self._fold()

    def _fold(self) -> None:
        """Bring what was counted into one table, or into sketches where it is too large."""
        if len(self._pending) > 1:
            self._pending = [_sum(pa.concat_tables(self._pending))]
        self._folded_bytes = self._pending_bytes = sum(map(_size, self._pending))
        if self._folded_bytes > EXACT_BYTES:
            self._to_sketches()

    def _to_sketches(self) -> _Sketches:
        if self._sketches is None:
            self._sketches = _Sketches()
        for table in self._pending:
            self._sketches.add(table)
        self._pending, self._pending_bytes, self._folded_bytes = [], 0, 0
        return self._sketches


def _size(counted: pa.Table) -> int:
    lengths = pc.sum(pc.binary_length(counted["values"])).as_py() or 0
    return int(lengths + _BYTES_BESIDE_A_TEXT * counted.num_rows)


def _sum(counted: pa.Table) -> pa.Table:
    """Return each text once, with the sum of its counts."""
    groups = counted.group_by("values", use_threads=False).aggregate([("counts", "sum")])
    return groups.rename_columns({"values": "values", "counts_sum": "counts"})


def _shorten(counted: pa.Table) -> pa.Table:
    """Count all texts that are too long to show as one placeholder."""
    large = pc.greater(pc.binary_length(counted["values"]), LARGE_TEXT)
    if not pc.any(large).as_py():
        return counted
    shown = pc.if_else(large, constants.LARGE_BYTES_PLACEHOLDER, counted["values"])
    return _sum(counted.set_column(0, "values", shown))


_Accumulator: TypeAlias = dict[str, ValueCounts]


class TopValuesAndUniques(CombinerStatsGenerator):  # type: ignore[misc]
    """TFDV's statistics of the texts of each column, from exact counts.

    `listed` is how many texts a rank histogram holds, None for all; TFDV's own number is the
    default.
    """

    def __init__(self, listed: int | None = LISTED_TEXTS) -> None:
        super().__init__("TopValuesAndUniques")
        self._listed = listed

    def create_accumulator(self) -> _Accumulator:
        """Return counts of nothing."""
        return {}

    def add_input(self, accumulator: _Accumulator, batch: pa.RecordBatch) -> _Accumulator:
        """Count the texts of a batch whose columns are lists."""
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if pa.types.is_string(column.type.value_type):
                accumulator.setdefault(name, ValueCounts()).add(column.flatten())
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[_Accumulator]) -> _Accumulator:
        """Merge all into the first one."""
        first, *others = accumulators
        for other in others:
            for name, counts in other.items():
                first.setdefault(name, ValueCounts()).merge(counts)
        return first

    def extract_output(self, accumulator: _Accumulator) -> statistics_pb2.DatasetFeatureStatistics:
        """Return top values, rank histogram and uniques of each column that has any value."""
        most = StatsOptions().num_top_values
        result = statistics_pb2.DatasetFeatureStatistics()
        for name, counts in accumulator.items():
            top = counts.top(None if self._listed is None else max(most, self._listed))
            if top:
                feature = make_feature_stats_proto_topk_uniques(
                    types.FeaturePath([name]),
                    num_top_values=most,
                    num_rank_histogram_buckets=len(top) if self._listed is None else self._listed,
                    num_unique=counts.uniques(),
                    value_count_list=top,
                )
                result.features.append(feature)
        return result
