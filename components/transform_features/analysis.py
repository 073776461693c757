"""Fit the transform: TFT's analysis on Beam, over the training split, one row group at a time.

Rules: the pipeline is fed paths and row-group numbers, and rows are read inside a DoFn (beam.Create
of the rows themselves would compress them all); the runner is named, because Beam's default one
downloads a binary; only the training split is looked at.

This module imports Beam and TFT: import it inside functions only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.tfxio.tensor_adapter import TensorAdapterConfig

from components.core.examples import ExamplesManifest, InputType, raw_inputs
from components.transform_features.declared import DeclaredFeatures
from components.transform_features.graph import preprocessing_fn

_ARROW = {"float32": pa.float32(), "string": pa.binary()}


def analyze(examples: Path, declared: DeclaredFeatures, transform_graph: Path) -> None:
    """Analyze the training split and write TFT's output into `transform_graph`."""
    manifest = ExamplesManifest.read(examples)
    groups = _row_groups(examples, manifest)
    with (
        tempfile.TemporaryDirectory() as scratch,
        tft_beam.Context(temp_dir=scratch),
        beam.Pipeline(runner=FnApiRunner(), options=_options()) as pipeline,
    ):
        rows = (
            pipeline
            | "RowGroups" >> beam.Create(groups, reshuffle=False)
            | "Rows" >> beam.ParDo(_ReadRowGroup(declared.inputs))
        )
        fitted = (rows, adapter_config(declared.inputs)) | tft_beam.AnalyzeDataset(
            preprocessing_fn(declared)
        )
        _ = fitted | tft_beam.WriteTransformFn(str(transform_graph))


def _options() -> PipelineOptions:
    """Beam's own check of type hints would take a tenth of the time and find nothing of ours."""
    return PipelineOptions([], pipeline_type_check=False)


def _row_groups(examples: Path, manifest: ExamplesManifest) -> list[tuple[str, int]]:
    paths = [examples / shard.path for shard in manifest.shards_of("train")]
    return [
        (str(path), number)
        for path in paths
        for number in range(pq.ParquetFile(path).num_row_groups)
    ]


class _ReadRowGroup(beam.DoFn):  # type: ignore[misc]
    """Turn (path, row group) into a record batch of raw inputs."""

    def __init__(self, inputs: Mapping[str, InputType]) -> None:
        super().__init__()
        self._inputs = dict(inputs)

    def process(self, element: tuple[str, int]) -> Iterator[pa.RecordBatch]:
        path, number = element
        table = pq.ParquetFile(path).read_row_group(number, columns=list(self._inputs))
        yield record_batch(raw_inputs(table, self._inputs), self._inputs)


def record_batch(
    arrays: Mapping[str, np.ndarray[Any, Any]], inputs: Mapping[str, InputType]
) -> pa.RecordBatch:
    """Return raw inputs as TFX-BSL takes them: each value a list of one."""
    columns = []
    for name, kind in inputs.items():
        texts = pa.array(arrays[name], type=pa.string() if kind == "string" else pa.float32())
        values = texts.cast(_ARROW[kind])
        offsets = np.arange(len(values) + 1, dtype=np.int32)
        columns.append(pa.ListArray.from_arrays(pa.array(offsets), values))
    return pa.RecordBatch.from_arrays(columns, schema=_arrow_schema(inputs))


def _arrow_schema(inputs: Mapping[str, InputType]) -> pa.Schema:
    return pa.schema([(name, pa.list_(_ARROW[kind])) for name, kind in inputs.items()])


def adapter_config(inputs: Mapping[str, InputType]) -> TensorAdapterConfig:
    """Return how record batches become tensors: every input has rank 1, [batch]."""
    representations = {}
    for name in inputs:
        representation = schema_pb2.TensorRepresentation()
        representation.dense_tensor.column_name = name
        representation.dense_tensor.shape.SetInParent()
        representations[name] = representation
    return TensorAdapterConfig(_arrow_schema(inputs), representations)
