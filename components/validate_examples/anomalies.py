"""The schema's text, and what TFDV says of examples against it, as findings.

Rules:
1. the schema is TFMD's text proto; a run reads it and never changes it;
2. an anomaly of severity ERROR is a failing gate, whatever its type; warnings are only listed;
3. TFDV's own words may quote values and go to validation.json alone; a finding's words do not.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.core.errors import SettingsError
from components.core.outcome import Gate
from components.validate_examples.findings import Finding
from components.validate_examples.statistics import Statistics

_RANGES = {
    "INT_TYPE_SMALL_INT",
    "INT_TYPE_BIG_INT",
    "FLOAT_TYPE_SMALL_FLOAT",
    "FLOAT_TYPE_BIG_FLOAT",
}
# A column with a fixed shape has a value in every row.
_SHAPE = "INVALID_FEATURE_SHAPE"
_PRESENCE = {"FEATURE_TYPE_LOW_FRACTION_PRESENT", "FEATURE_TYPE_NOT_PRESENT", _SHAPE}
_WORDS = {
    "SCHEMA_MISSING_COLUMN": ("a column of this name", "there is none"),
    "SCHEMA_NEW_COLUMN": ("a column that the schema knows", "the schema does not know it"),
}


def parse_schema(text: str) -> schema_pb2.Schema:
    """Return the schema; raise SettingsError for text that is not one, naming the line."""
    try:
        schema = text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise SettingsError(
            f"the schema is not a TFMD text proto: {error}", remedy="correct the .pbtxt file"
        ) from error
    if not schema.feature:
        raise SettingsError("the schema has no feature", remedy="name every column in it")
    return schema


def find_anomalies(statistics: Statistics, schema: schema_pb2.Schema) -> anomalies_pb2.Anomalies:
    """Return TFDV's anomalies of one split."""
    return tfdv.validate_statistics(statistics, schema)


def anomaly_list(anomalies: anomalies_pb2.Anomalies, split: str) -> list[dict[str, str]]:
    """Return the anomalies in TFDV's own words, for validation.json."""
    return [
        {
            "split": split,
            "feature": name,
            "severity": anomalies_pb2.AnomalyInfo.Severity.Name(info.severity),
            "type": anomalies_pb2.AnomalyInfo.Type.Name(reason.type),
            "description": reason.description,
        }
        for name, info in _infos(anomalies)
        for reason in info.reason
    ]


def check_schema(
    anomalies: anomalies_pb2.Anomalies, schema: schema_pb2.Schema, rows: pa.Table, split: str
) -> Iterator[Finding]:
    """Yield a failing gate for each error, and one gate that counts them."""
    errors = [
        (name, anomalies_pb2.AnomalyInfo.Type.Name(reason.type), reason.short_description)
        for name, info in _infos(anomalies)
        if info.severity == anomalies_pb2.AnomalyInfo.ERROR
        for reason in info.reason
    ]
    gate = Gate("schema", "anomalies", len(errors), "==", 0, split, rows.num_rows)
    yield Finding(gate, "no anomaly", f"found {len(errors)}")
    features = {feature.name: feature for feature in schema.feature}
    for name, kind, words in errors:
        yield _finding(name, kind, words, features.get(name), schema, rows, split)


def _infos(anomalies: anomalies_pb2.Anomalies) -> list[tuple[str, Any]]:
    """Return (feature, info) sorted by name; what concerns the whole split goes by `dataset`."""
    infos = sorted(
        (".".join(info.path.step) or name, info) for name, info in anomalies.anomaly_info.items()
    )
    if anomalies.HasField("dataset_anomaly_info"):
        infos.append(("dataset", anomalies.dataset_anomaly_info))
    return infos


def _finding(
    name: str, kind: str, words: str, feature: Any, schema: Any, rows: pa.Table, split: str
) -> Finding:
    """Return one anomaly as a gate, with the number that broke it where it can be counted."""
    gate = Gate(f"schema:{name}", kind.lower(), 1, "==", 0, split, rows.num_rows)
    if kind in _WORDS:
        return Finding(gate, *_WORDS[kind])
    if feature is None or name not in rows.column_names:
        return Finding(gate, "what the schema says", words)
    column = rows[name]
    if kind in _PRESENCE:
        share = 1 - column.null_count / max(len(column), 1)
        least = 1.0 if kind == _SHAPE else feature.presence.min_fraction
        gate = replace(gate, value=share, operator=">=", threshold=least)
        return Finding(gate, f"a value in a share of {least:g} of the rows", f"found {share:.4f}")
    if kind == "UNEXPECTED_DATA_TYPE":
        wanted = schema_pb2.FeatureType.Name(feature.type)
        return Finding(gate, f"type {wanted}", f"found {column.type}")
    return _domain_finding(gate, kind, words, feature, schema, column)


def _domain_finding(
    gate: Gate, kind: str, words: str, feature: Any, schema: Any, column: pa.ChunkedArray
) -> Finding:
    """Return the finding of a value outside a domain, with the number of such rows."""
    if kind == "ENUM_TYPE_UNEXPECTED_STRING_VALUES":
        known = _domain(feature, schema)
        strange = pc.invert(pc.is_in(column, value_set=pa.array(known, pa.string())))
        expected = f"one of {len(known)} known values"
    elif kind in _RANGES and pa.types.is_primitive(column.type):
        low, high = _range(feature)
        strange = pc.or_(pc.less(column, low), pc.greater(column, high))
        expected = f"values from {low:g} to {high:g}"
    else:
        return Finding(gate, "what the schema says", words)
    outside = _count(strange, column)
    return Finding(replace(gate, value=outside), expected, f"found others in {outside} rows")


def _count(mask: pa.ChunkedArray, column: pa.ChunkedArray) -> int:
    return int(pc.sum(pc.and_(mask, pc.is_valid(column))).as_py() or 0)


def _domain(feature: Any, schema: Any) -> list[str]:
    if feature.HasField("string_domain"):
        return list(feature.string_domain.value)
    return [v for d in schema.string_domain if d.name == feature.domain for v in d.value]


def _range(feature: Any) -> tuple[float, float]:
    """Return the bounds of a numeric domain; proto defaults stand for no bound."""
    domain = feature.int_domain if feature.HasField("int_domain") else feature.float_domain
    low = domain.min if domain.HasField("min") else float("-inf")
    high = domain.max if domain.HasField("max") else float("inf")
    return float(low), float(high)
