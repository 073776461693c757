"""How far each span is from the one before it, column by column, as TFDV measures it.

The measures are those of the drift gate, and TFDV computes them: the L-infinity norm of the shares
of values for text, the Jensen-Shannon divergence for numbers, both from 0 to 1. A column without
any value in one of two spans has no distance.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2

from components.validate_examples.statistics import Statistics


def distances_over_spans(
    spans: Mapping[str, Statistics], columns: Mapping[str, str], names: Sequence[str]
) -> dict[str, tuple[float | None, ...]]:
    """Return for each column named its distances, of the second span from the first and so on."""
    schema = _schema(columns, names)
    pairs = [_measured(after, before, schema) for before, after in pairwise(spans.values())]
    return {name: tuple(measured.get(name) for measured in pairs) for name in names}


def _schema(columns: Mapping[str, str], names: Sequence[str]) -> schema_pb2.Schema:
    """Return a schema that asks for the distance of every column and judges none."""
    schema = schema_pb2.Schema()
    for name in names:
        feature = schema.feature.add(name=name)
        if columns[name] == "string":
            feature.type = schema_pb2.BYTES
            feature.drift_comparator.infinity_norm.threshold = 1
        else:
            feature.type = schema_pb2.INT if columns[name] == "int64" else schema_pb2.FLOAT
            feature.drift_comparator.jensen_shannon_divergence.threshold = 1
    return schema


def _measured(after: Statistics, before: Statistics, schema: schema_pb2.Schema) -> dict[str, float]:
    anomalies = tfdv.validate_statistics(after, schema, previous_statistics=before)
    return {
        info.path.step[0]: info.drift_measurements[0].value
        for info in anomalies.drift_skew_info
        if info.drift_measurements
    }
