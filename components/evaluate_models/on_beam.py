"""Predictions on Beam, for an eval split beyond one machine: workers read and score row groups.

Rules: the pipeline is fed where rows lie; a worker opens and checks the bundles once; what comes
back is one file of narrow columns (predicted.py), in `result`, which all workers must reach, as
they must the examples and the bundles. Metrics are computed where the pipeline was started.

This module imports Beam: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.filesystems import FileSystems

from components.core import beam_engine
from components.core.data_settings import Beam
from components.core.examples import ExamplesManifest, Split
from components.core.row_groups import RowGroup, row_groups
from components.evaluate_models.candidates import Measurable, open_candidate
from components.evaluate_models.predicted import Predicted, predict
from components.evaluate_models.target import Target
from components.evaluate_models.timing import THREADS

SPLIT: Split = "eval"


def predict_on_beam(
    bundles: Mapping[str, Path],
    examples: Path,
    columns: Sequence[str],
    engine: Beam,
    result: str,
) -> pa.Table:
    """Return the eval split's rows as `Predicted.table` does; bundles are by framework.

    Raises IntegrityError for a bundle that is not what it should be.
    """
    manifest = ExamplesManifest.read(examples)
    for framework, folder in bundles.items():
        open_candidate(framework, folder, THREADS)
    rows = manifest.rows_of(SPLIT)
    with beam_engine.pipeline(engine) as pipeline:
        _ = (
            pipeline
            | "RowGroups" >> beam.Create(row_groups(examples, manifest, [SPLIT]), reshuffle=True)
            | "Predict"
            >> beam.ParDo(_Predict(bundles, list(manifest.columns), columns, Target.of(manifest)))
            | "Merge" >> beam.CombineGlobally(Predicted.merged)
            | "Write" >> beam.Map(_write, rows, result)
        )
    with FileSystems.open(result) as file:
        return pa.ipc.open_stream(pa.BufferReader(file.read())).read_all()


class _Predict(beam.DoFn):  # type: ignore[misc]
    """Score a row group by every bundle."""

    def __init__(
        self,
        bundles: Mapping[str, Path],
        every: Sequence[str],
        columns: Sequence[str],
        target: Target,
    ) -> None:
        super().__init__()
        self._bundles, self._every, self._columns = dict(bundles), every, columns
        self._target = target
        self._models: list[Measurable] = []

    def setup(self) -> None:
        """Open the bundles, once for a worker."""
        self._models = [open_candidate(*named, THREADS) for named in self._bundles.items()]

    def process(self, group: RowGroup) -> Iterator[Predicted]:
        """Yield the row group's predictions."""
        rows = group.read(self._every)
        yield predict(self._models, rows, self._columns, self._target, group.first)


def _write(predicted: Predicted, rows: int, result: str) -> None:
    """Write the merged rows as an Arrow stream."""
    table = predicted.table(rows)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with FileSystems.create(result) as file:
        file.write(sink.getvalue().to_pybytes())
