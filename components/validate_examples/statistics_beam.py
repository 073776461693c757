"""The same statistics on Beam, for data beyond one machine: TFDV's own pipeline on any runner.

Rules:
1. the pipeline is fed paths and row-group numbers, and rows are read where they are counted
   (beam.Create of the rows themselves would compress them all);
2. each split and each span is a slice, as TFDV calls it, so that a row group is read once for both;
3. the result comes back as one file: in the option temp_location, which all workers must reach, or
   in a temporary folder of this machine; workers must also reach the examples' folder.

This module imports Beam and TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import tensorflow_data_validation as tfdv
from apache_beam.io.filesystems import FileSystems
from tensorflow_data_validation.statistics.stats_impl import GenerateSlicedStatisticsImpl

from components.core import beam_engine
from components.core.data_settings import Beam
from components.core.examples import ExamplesManifest, Shard, read_shards
from components.core.row_groups import RowGroup, row_groups
from components.validate_examples.statistics import Statistics
from components.validate_examples.statistics_partial import (
    Partial,
    generators,
    list_batch,
    require_count,
)
from components.validate_examples.statistics_values import LISTED_TEXTS


def compute_on_beam(
    examples: Path, manifest: ExamplesManifest, engine: Beam, listed: int | None = LISTED_TEXTS
) -> tuple[dict[str, Statistics], dict[str, Statistics]]:
    """Return the statistics of every split and of every span.

    Raises IntegrityError where the shards do not hold the rows that the manifest names.
    """
    options = tfdv.StatsOptions(generators=generators(listed), add_default_generators=False)
    with beam_engine.scratch_file(engine, "statistics") as result:
        with beam_engine.pipeline(engine) as pipeline:
            _ = (
                pipeline
                | "RowGroups" >> beam.Create(row_groups(examples, manifest), reshuffle=True)
                | "Rows" >> beam.FlatMap(_rows, list(manifest.columns))
                | "Statistics" >> GenerateSlicedStatisticsImpl(options, is_slicing_enabled=True)
                | "Write" >> tfdv.WriteStatisticsToBinaryFile(result)
            )
        with FileSystems.open(result) as file:
            found = Statistics.FromString(file.read())
    by_slice = {dataset.name: dataset for dataset in found.datasets}
    nothing = read_shards(examples, manifest, [])

    def take(kind: str, name: str, shards: list[Shard]) -> Statistics:
        rows = sum(shard.rows for shard in shards)
        if f"{kind}-{name}" not in by_slice:  # no row, so no slice
            return Partial(nothing).finish(name, rows)
        dataset = by_slice[f"{kind}-{name}"]
        require_count(dataset, name, rows)
        dataset.name = name
        return Statistics(datasets=[dataset])

    shards = manifest.shards
    spans = sorted({shard.span for shard in shards})
    return (
        {n: take("Split", n, [s for s in shards if s.split == n]) for n in manifest.splits},
        {n: take("Span", n, [s for s in shards if s.span == n]) for n in spans},
    )


def _rows(group: RowGroup, columns: list[str]) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield a row group as TFDV takes it, once for its split and once for its span."""
    batch = list_batch(group.read(columns))
    yield f"Split-{group.split}", batch
    yield f"Span-{group.span}", batch
