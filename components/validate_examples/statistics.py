"""TFDV's statistics of examples by split and span: Parquet row groups in, the standard proto out.

Rules:
1. a row group is read once; its partial statistics serve its span and its split, and nothing else
   of it is kept, so that memory does not grow with the rows;
2. one thread: TFDV's own parallel path is ten times slower and has lost rows;
3. the rows that TFDV counted are those that the manifest names;
4. `beam.work: all` computes the same on the Beam runner of the settings;
5. to TFDV NaN is a value; what is held against a schema, or made one of, is `with_nan_missing` of
   it, because to a feature it is none.

What is counted and what is estimated: statistics_values.py. Quantiles, and the histograms made of
them, come from TFDV's sketch: the rank of each is at most a hundredth of the rows off.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tensorflow_metadata.proto.v0 import statistics_pb2

from components.core.data_settings import Beam
from components.core.examples import ExamplesManifest, iter_shard, read_shards
from components.validate_examples.statistics_partial import Partial
from components.validate_examples.statistics_values import LISTED_TEXTS

FILE_NAME = "FeatureStats.pb"
Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList


@dataclass(frozen=True)
class StatisticsSet:
    """Statistics by split, and by span: of a span's rows in all splits together."""

    splits: Mapping[str, Statistics]
    spans: Mapping[str, Statistics]


def compute_all(
    examples: Path,
    manifest: ExamplesManifest,
    beam: Beam,
    listed: int | None = LISTED_TEXTS,
) -> StatisticsSet:
    """Return the statistics of every split and every span of the examples.

    `listed` is how many texts of a column are listed, None for all.

    Raises IntegrityError where the shards do not hold the rows that the manifest names.
    """
    if beam.work == "all":
        from components.validate_examples.statistics_beam import compute_on_beam

        return StatisticsSet(*compute_on_beam(examples, manifest, beam, listed))
    return _compute_here(examples, manifest, listed)


def _compute_here(examples: Path, manifest: ExamplesManifest, listed: int | None) -> StatisticsSet:
    nothing = read_shards(examples, manifest, [])
    splits = {name: Partial(nothing, listed) for name in manifest.splits}
    spans: dict[str, Statistics] = {}
    for name in sorted({shard.span for shard in manifest.shards}):
        shards = [shard for shard in manifest.shards if shard.span == name]
        span = Partial(nothing, listed)
        for shard in sorted(shards, key=lambda shard: shard.split):
            for rows in iter_shard(examples, manifest, shard):
                group = Partial(rows)
                span.merge(group)
                splits[shard.split].merge(group)
        spans[name] = span.finish(name, sum(shard.rows for shard in shards))
    return StatisticsSet(
        splits={name: part.finish(name, manifest.rows_of(name)) for name, part in splits.items()},
        spans=spans,
    )


def with_nan_missing(statistics: Statistics) -> Statistics:
    """Return the statistics with NaN among the missing values (rule 5); the rest is as it was."""
    counted = statistics_pb2.DatasetFeatureStatisticsList()
    counted.CopyFrom(statistics)
    for feature in counted.datasets[0].features:
        numbers = feature.num_stats.histograms[:1] if feature.HasField("num_stats") else ()
        for histogram in numbers:
            common, nan = feature.num_stats.common_stats, int(histogram.num_nan)
            common.num_non_missing -= nan
            common.tot_num_values -= nan
            common.num_missing += nan
    return counted


def write_all(folder: Path, computed: StatisticsSet) -> None:
    """Write each split's and each span's statistics where TFX looks for them."""
    for split, statistics in computed.splits.items():
        write_statistics(folder, split, statistics)
    for span, statistics in computed.spans.items():
        _write(folder / f"Span-{span}", statistics)


def write_statistics(folder: Path, split: str, statistics: Statistics) -> None:
    """Write a split's statistics where TFX looks for them."""
    _write(folder / f"Split-{split}", statistics)


def _write(folder: Path, statistics: Statistics) -> None:
    folder.mkdir()
    (folder / FILE_NAME).write_bytes(statistics.SerializeToString(deterministic=True))
