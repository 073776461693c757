"""Metrics by stock TFMA, of predictions that are made: what the settings ask for beside ours.

Rules: TFMA gets the label, the predictions and the columns of the slices, in batches from a file,
because Beam compresses values that are put into a pipeline; it runs in this process; of its results
those of our slices are kept, as TFMA writes them. It takes rows one by one, so it costs minutes
where ours cost a second. An option that a metric does not have is a SettingsError.

This module imports Beam and TFMA: import it inside functions only.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tensorflow_model_analysis.metrics import metric_specs
from tensorflow_model_analysis.proto import config_pb2, metrics_for_slice_pb2
from tfx_bsl.arrow import table_util

from components.core import beam_engine
from components.core.boundary import in_our_terms
from components.core.data_settings import Beam
from components.core.errors import SettingsError
from components.core.settings import StockMetric
from components.evaluate_models.evaluation import Rows
from components.evaluate_models.predicted import column_of
from components.evaluate_models.slices import Partition
from components.evaluate_models.target import Target
from components.evaluate_models.tfma_config import PREDICTIONS, add_stock, stock_config

BATCH_ROWS = 10_000
SliceKey = tuple[tuple[str, Any], ...]
Found = Mapping[SliceKey, Sequence[Any]]


@dataclass(frozen=True)
class Asked:
    """The metrics that stock TFMA is asked for, of which target, by which slices."""

    target: Target
    partitions: Sequence[Partition]
    metrics: Sequence[StockMetric]

    def checked(self) -> Asked:
        """Return this; SettingsError for options that TFMA does not take."""
        config = config_pb2.EvalConfig()
        add_stock(config, self.metrics)
        for metric in config.metrics_specs[0].metrics:
            try:
                metric_specs.metric_instance(metric)
            except (TypeError, ValueError) as error:
                raise SettingsError(
                    f"evaluate.tfma_metrics: TFMA does not make a {metric.class_name} with the "
                    f"options {metric.config}",
                    remedy="look the options up in TFMA's documentation of the metric",
                ) from error
        return self

    def of(self, table: pa.Table, rows: Rows, model: str) -> Found:
        """Return what TFMA found for a model: its keys and values by slice, as protos."""
        labels = rows.labels if self.target.task == "regression" else rows.numbers
        columns = {name: table[name] for part in self.partitions for name in part.columns}
        predictions = column_of(rows.scores[model])
        if pa.types.is_fixed_size_list(predictions.type):
            predictions = predictions.cast(pa.list_(pa.float64()))  # TFMA takes no fixed sizes
        made = {self.target.label: labels, PREDICTIONS[self.target.task]: predictions}
        given = pa.table({**columns, **made})
        with tempfile.TemporaryDirectory() as folder, in_our_terms("stock TFMA"):
            batches = _written(Path(folder, "rows.arrow"), given)
            self._run(Path(folder, "rows.arrow"), batches, folder)
            return dict(_read(Path(folder)))

    def _run(self, rows: Path, batches: int, folder: str) -> None:
        config = stock_config(self.target, self.partitions, self.metrics)
        with beam_engine.pipeline(Beam()) as pipeline:
            _ = (
                pipeline
                | "Numbers" >> beam.Create(range(batches), reshuffle=False)
                | "Read" >> beam.Map(_batch, str(rows)).with_output_types(pa.RecordBatch)
                | "Evaluate"
                >> tfma.ExtractEvaluateAndWriteResults(eval_config=config, output_path=folder)
            )


def _written(path: Path, table: pa.Table) -> int:
    """Write a table in batches; return how many there are."""
    batches = table.combine_chunks().to_batches(BATCH_ROWS)
    with pa.ipc.new_file(str(path), table.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return len(batches)


def _batch(number: int, path: str) -> pa.RecordBatch:
    """Return a batch as TFMA takes it: a list of values for each row."""
    with pa.ipc.open_file(path) as reader:
        return table_util.CanonicalizeRecordBatch(reader.get_batch(number))


def _read(folder: Path) -> Iterator[tuple[SliceKey, Sequence[Any]]]:
    """Yield each slice with its metrics, as TFMA wrote them."""
    import tensorflow as tf

    for path in sorted(folder.glob("metrics-*")):
        for record in tf.compat.v1.io.tf_record_iterator(str(path)):
            found = metrics_for_slice_pb2.MetricsForSlice.FromString(record)
            yield _slice_key(found.slice_key), list(found.metric_keys_and_values)


def _slice_key(key: Any) -> SliceKey:
    values = ((one, one.WhichOneof("kind")) for one in key.single_slice_keys)
    found = [(one.column, getattr(one, kind)) for one, kind in values]
    return tuple(
        (name, value.decode() if isinstance(value, bytes) else value) for name, value in found
    )


def values(found: Sequence[Any]) -> dict[str, Any]:
    """Return one slice's part of evaluation.json: {name: value}, what is not defined as None.

    A metric of a class or of the k most probable ones is named with it. What is no number, such as
    a matrix, is as TFMA says it in JSON.
    """
    return {_name(one.key): _value(one.value) for one in found}


def _name(key: Any) -> str:
    of = [
        f"{field.name} {getattr(key.sub_key, field.name).value}"
        for field in key.sub_key.DESCRIPTOR.fields
        if key.sub_key.HasField(field.name)
    ]
    return ", ".join([key.name, *of])


def _value(value: Any) -> Any:
    if value.WhichOneof("type") != "double_value":
        return json_format.MessageToDict(value)
    number = value.double_value.value
    return float(np.round(number, 9)) if math.isfinite(number) else None
