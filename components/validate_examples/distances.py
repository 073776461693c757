"""How far two sets of rows are from each other, column by column, as TFDV measures it.

The L-infinity norm of the shares of values for text, the Jensen-Shannon divergence for numbers,
both from 0 to 1. The gates on drift and skew and the page show the same numbers, because they ask
here. A column without any value on one of the sides has no distance.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2

from components.validate_examples.statistics import Statistics

_LARGEST = 1.0


def is_text(name: str, columns: Mapping[str, str]) -> bool:
    """Say whether a column of the examples is measured as text."""
    return columns[name] == "string"


def distances(
    current: Statistics, baseline: Statistics, columns: Mapping[str, str], names: Iterable[str]
) -> dict[str, float]:
    """Return the distance of each column named that has one."""
    return _measured(current, baseline, _schema(columns, names))


def distances_over_spans(
    spans: Mapping[str, Statistics], columns: Mapping[str, str], names: Sequence[str]
) -> dict[str, tuple[float | None, ...]]:
    """Return for each column named its distances, of the second span from the first and so on."""
    schema = _schema(columns, names)
    pairs = [_measured(after, before, schema) for before, after in pairwise(spans.values())]
    return {name: tuple(measured.get(name) for measured in pairs) for name in names}


def _schema(columns: Mapping[str, str], names: Iterable[str]) -> schema_pb2.Schema:
    """Return a schema that asks for the distance of each column and judges none."""
    schema = schema_pb2.Schema()
    for name in names:
        feature = schema.feature.add(name=name)
        if is_text(name, columns):
            feature.type = schema_pb2.BYTES
            feature.drift_comparator.infinity_norm.threshold = _LARGEST
        else:
            feature.type = schema_pb2.INT if columns[name] == "int64" else schema_pb2.FLOAT
            feature.drift_comparator.jensen_shannon_divergence.threshold = _LARGEST
    return schema


def _measured(
    current: Statistics, baseline: Statistics, schema: schema_pb2.Schema
) -> dict[str, float]:
    anomalies = tfdv.validate_statistics(current, schema, previous_statistics=baseline)
    return {
        info.path.step[0]: info.drift_measurements[0].value
        for info in anomalies.drift_skew_info
        if info.drift_measurements
    }
