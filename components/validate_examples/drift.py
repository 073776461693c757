"""Drift of the last span against the span before it, by TFDV's comparators.

Rules: L-infinity distance for text, Jensen-Shannon divergence for numbers; only the features that
`checks.drift_features` names are judged, because seasons drift by nature; a feature that one of the
spans does not have at all has the largest distance, 1.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2

from components.core.errors import SettingsError
from components.core.outcome import Gate
from components.core.settings import Checks
from components.validate_examples.findings import Finding
from components.validate_examples.statistics import Statistics


def check_drift(
    current: Statistics,
    previous: Statistics,
    *,
    checks: Checks,
    columns: Mapping[str, str],
    spans: tuple[str, str],
) -> Iterator[Finding]:
    """Yield a finding for each drift feature; `spans` are the last one and the one before."""
    for name in checks.drift_features:
        if name not in columns:
            raise SettingsError(
                f"drift feature {name} is not a column of the examples",
                remedy=f"name columns of: {', '.join(columns)}",
            )
    distances = _distances(current, previous, checks, columns)
    for name in checks.drift_features:
        metric, limit = _comparator(columns[name], checks)
        distance = distances.get(name, 1.0)
        where = f"{spans[0]} against {spans[1]}"
        rows = int(current.datasets[0].num_examples)
        gate = Gate(f"drift:{name}", metric, distance, "<=", limit, where, rows)
        yield Finding(gate, f"a {metric} of at most {limit:g}", f"found {distance:.4f}")


def _comparator(kind: str, checks: Checks) -> tuple[str, float]:
    if kind == "string":
        return "l_infinity_distance", checks.drift_linf
    return "jensen_shannon_divergence", checks.drift_js


def _distances(
    current: Statistics, previous: Statistics, checks: Checks, columns: Mapping[str, str]
) -> dict[str, float]:
    """Return what TFDV measured, by feature, with a schema of the drift features alone."""
    schema = schema_pb2.Schema()
    for name in checks.drift_features:
        feature = schema.feature.add(name=name)
        if columns[name] == "string":
            feature.type = schema_pb2.BYTES
            feature.drift_comparator.infinity_norm.threshold = checks.drift_linf
        else:
            feature.type = schema_pb2.INT if columns[name] == "int64" else schema_pb2.FLOAT
            feature.drift_comparator.jensen_shannon_divergence.threshold = checks.drift_js
    anomalies = tfdv.validate_statistics(current, schema, previous_statistics=previous)
    return {
        info.path.step[0]: info.drift_measurements[0].value
        for info in anomalies.drift_skew_info
        if info.drift_measurements
    }
