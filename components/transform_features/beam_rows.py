"""Rows as Beam's workers read them: one Parquet row group at a time, as TFX-BSL takes them.

Rules: a row carries its position in its split, which passes by the transform, so that an engine may
give rows back in any order.

This module imports Beam and TFX-BSL: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.tfxio.tensor_adapter import TensorAdapterConfig

from components.core.examples import InputType
from components.core.raw_inputs import raw_inputs
from components.core.row_groups import RowGroup

POSITION = "tandem.position"
_ARROW = {"float32": pa.float32(), "string": pa.binary()}


class ReadRowGroup(beam.DoFn):  # type: ignore[misc]
    """Turn a row group into a record batch of raw inputs, and of positions where asked for."""

    def __init__(self, inputs: Mapping[str, InputType], *, positions: bool = False) -> None:
        super().__init__()
        self._inputs = dict(inputs)
        self._positions = positions

    def process(self, element: RowGroup) -> Iterator[pa.RecordBatch]:
        """Read the row group."""
        table = element.read(list(self._inputs))
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
