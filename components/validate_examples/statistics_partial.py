"""Partial statistics of rows, which can be merged: the same generators in memory and on Beam.

Rules: a missing value is a missing list, as TFDV wants it; every column is handed over, the label
too; merging is what TFDV's combiners do; the number of rows that TFDV counted is compared with the
number it was given, because TFDV's own parallel path has lost rows.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_data_validation.statistics.generators.stats_generator import CombinerStatsGenerator
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.core.errors import IntegrityError
from components.validate_examples.statistics_numbers import BasicStatistics
from components.validate_examples.statistics_values import LISTED_TEXTS, TopValuesAndUniques


def generators(listed: int | None = LISTED_TEXTS) -> list[CombinerStatsGenerator]:
    """Return the generators of all statistics: TFDV's default set, counting texts exactly.

    `listed` is how many texts of a column are listed, None for all.
    """
    return [BasicStatistics(), TopValuesAndUniques(listed)]


def list_batch(rows: pa.Table) -> pa.RecordBatch:
    """Return rows as TFDV takes them: each value a list of one, and null a missing list."""
    columns = [_lists(column) for column in rows.columns]
    return pa.RecordBatch.from_arrays(columns, names=rows.column_names)


def _lists(column: pa.ChunkedArray) -> pa.Array:
    values = pa.chunked_array(column.chunks, type=column.type).combine_chunks()
    offsets = np.arange(len(values) + 1, dtype=np.int32)
    if not values.null_count:
        return pa.ListArray.from_arrays(pa.array(offsets), values)
    known = np.asarray(values.is_valid())
    np.cumsum(known, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), values.drop_null(), mask=pa.array(~known))


class Partial:
    """What is known of some rows: one accumulator for each generator."""

    def __init__(self, rows: pa.Table, listed: int | None = LISTED_TEXTS) -> None:
        batch = list_batch(rows)
        self._generators = generators(listed)
        self._accumulators: list[Any] = [
            generator.add_input(generator.create_accumulator(), batch)
            for generator in self._generators
        ]

    def merge(self, other: Partial) -> None:
        """Add what `other` knows, and leave it as it is.

        Both have the same columns; TFDV's merge would share state where the first has not.
        """
        self._accumulators = [
            generator.merge_accumulators([mine, theirs])
            for generator, mine, theirs in zip(
                self._generators, self._accumulators, other._accumulators, strict=True
            )
        ]

    def finish(self, name: str, rows: int) -> statistics_pb2.DatasetFeatureStatisticsList:
        """Return the statistics, after which nothing can be merged.

        Raises IntegrityError unless TFDV counted `rows` rows.
        """
        statistics = stats_impl.extract_statistics_output(self._accumulators, self._generators)
        statistics.datasets[0].name = name
        require_count(statistics.datasets[0], name, rows)
        return statistics


def require_count(dataset: statistics_pb2.DatasetFeatureStatistics, name: str, rows: int) -> None:
    """Raise IntegrityError unless TFDV counted `rows` rows; `name` says in which."""
    if dataset.num_examples != rows:
        raise IntegrityError(
            f"TFDV counted {dataset.num_examples} of {rows} rows in {name}",
            remedy="run ingest_examples again; where that is no help, report it with the lock file",
            expected=rows,
            actual=dataset.num_examples,
        )
