"""Rows as Beam's workers read them: one Parquet row group at a time, as TFX-BSL takes them.

Rules: a pipeline is fed paths and row-group numbers, and rows are read inside a DoFn (beam.Create
of the rows themselves would compress them all); a row carries its position in its split, which
passes by the transform, so that an engine may give rows back in any order. Workers therefore need
the examples under the same path as this process.

This module imports Beam and TFX-BSL: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.tfxio.tensor_adapter import TensorAdapterConfig

from components.core.examples import ExamplesManifest, InputType, raw_inputs

POSITION = "tandem.position"
_ARROW = {"float32": pa.float32(), "string": pa.binary()}


@dataclass(frozen=True)
class RowGroup:
    """Where some rows lie, and the position in their split of the first of them."""

    path: str
    number: int
    first: int


def row_groups(examples: Path, manifest: ExamplesManifest, split: str) -> list[RowGroup]:
    """Return a split's row groups in order."""
    found, first = [], 0
    for shard in manifest.shards_of(split):
        path = examples / shard.path
        metadata = pq.read_metadata(path)
        for number in range(metadata.num_row_groups):
            found.append(RowGroup(str(path), number, first))
            first += metadata.row_group(number).num_rows
    return found


class ReadRowGroup(beam.DoFn):  # type: ignore[misc]
    """Turn a row group into a record batch of raw inputs, and of positions where asked for."""

    def __init__(self, inputs: Mapping[str, InputType], *, positions: bool = False) -> None:
        super().__init__()
        self._inputs = dict(inputs)
        self._positions = positions

    def process(self, element: RowGroup) -> Iterator[pa.RecordBatch]:
        """Read the row group."""
        with pq.ParquetFile(element.path) as file:
            table = file.read_row_group(element.number, columns=list(self._inputs))
        batch = record_batch(raw_inputs(table, self._inputs), self._inputs)
        if self._positions:
            numbers = np.arange(element.first, element.first + table.num_rows, dtype=np.int64)
            batch = batch.append_column(POSITION, _lists_of_one(pa.array(numbers)))
        yield batch


def record_batch(
    arrays: Mapping[str, np.ndarray[Any, Any]], inputs: Mapping[str, InputType]
) -> pa.RecordBatch:
    """Return raw inputs as TFX-BSL takes them: each value a list of one."""
    columns = []
    for name, kind in inputs.items():
        texts = pa.array(arrays[name], type=pa.string() if kind == "string" else pa.float32())
        columns.append(_lists_of_one(texts.cast(_ARROW[kind])))
    return pa.RecordBatch.from_arrays(columns, schema=_arrow_schema(inputs))


def _lists_of_one(values: pa.Array) -> pa.ListArray:
    offsets = np.arange(len(values) + 1, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def _arrow_schema(inputs: Mapping[str, InputType]) -> pa.Schema:
    return pa.schema([(name, pa.list_(_ARROW[kind])) for name, kind in inputs.items()])


def adapter_config(
    inputs: Mapping[str, InputType], *, positions: bool = False
) -> TensorAdapterConfig:
    """Return how record batches become tensors: every input has rank 1, [batch]."""
    representations = {}
    for name in inputs:
        representation = schema_pb2.TensorRepresentation()
        representation.dense_tensor.column_name = name
        representation.dense_tensor.shape.SetInParent()
        representations[name] = representation
    schema = _arrow_schema(inputs)
    if positions:
        schema = schema.append(pa.field(POSITION, pa.list_(pa.int64())))
    return TensorAdapterConfig(schema, representations)
