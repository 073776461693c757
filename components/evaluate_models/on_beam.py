"""Predictions on Beam, for an eval split beyond one machine: workers read and score row groups.

Rules: the pipeline is fed where rows lie; a worker opens and checks the bundles once; what comes
back is one file of narrow columns (predicted.py), in `result`, which all workers must reach, as
they must the examples and the bundles. Metrics are computed where the pipeline was started.

This module imports Beam: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.filesystems import FileSystems

from components.core import beam_engine
from components.core.data_settings import Beam
from components.core.examples import ExamplesManifest, Split
from components.core.row_groups import RowGroup, row_groups
from components.evaluate_models.candidates import Measurable, reopened
from components.evaluate_models.predicted import Predicted, predict
from components.evaluate_models.target import Target

SPLIT: Split = "eval"


def predict_on_beam(
    models: Sequence[Measurable],
    examples: Path,
    columns: Sequence[str],
    engine: Beam,
    result: str,
) -> pa.Table:
    """Return the eval split's rows as `Predicted.table` does, predicted by the models.

    Raises IntegrityError where a worker finds another bundle than the model's.
    """
    manifest = ExamplesManifest.read(examples)
    bundles = [(model.name, str(model.bundle.folder), model.sha256) for model in models]
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
        bundles: Sequence[tuple[str, str, str]],
        every: Sequence[str],
        columns: Sequence[str],
        target: Target,
    ) -> None:
        super().__init__()
        self._bundles, self._every, self._columns = bundles, every, columns
        self._target = target
        self._models: list[Measurable] = []

    def setup(self) -> None:
        """Open the bundles, once for a worker."""
        self._models = [reopened(*bundle) for bundle in self._bundles]

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
