"""Which values of a column are not what a schema says, as masks over its rows; null is no."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2

from components.validate_examples.anomaly_kinds import SMALL, kind_of
from components.validate_examples.broken_texts import Mask, broken_texts
from components.validate_examples.schema import is_of_one_value, range_of

_INT64 = (-(2**63), 2**63 - 1)

# As CSV is read: a number with a leading zero is text, and so are signs and spaces in between.
_WHOLE = r"^\s*-?(?:0|[1-9]\d*)\s*$"
_NUMBER = (
    r"^\s*[+-]?(?:(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|(?i:nan|inf|infinity))\s*$"
)


def broken(anomaly_type: str, feature: Any, schema: schema_pb2.Schema, column: str) -> Mask | None:
    """Return which rows have an anomaly of a type, None where no row alone is at fault.

    `column` is the type that the feature has in the examples. An anomaly of a range has the rows
    beyond one end of it; of 0 or 1 all others, because TFDV lists one kind of them. NaN is a
    missing value, as it is to the transform. A row has one value: where the schema asks for another
    number of them, every row that has a value is at fault.
    """
    kind = kind_of(anomaly_type)
    if kind == "shape" and not is_of_one_value(feature):
        return pc.is_valid  # type: ignore[no-any-return]
    if kind in ("presence", "shape"):
        return lambda rows: pc.is_null(rows, nan_is_null=True)
    if kind == "type":
        return of_another_type(feature.type, column)
    if column == "string":
        return broken_texts(anomaly_type, feature, schema)
    if kind == "range" and feature.HasField("bool_domain"):
        return _neither_0_nor_1
    if kind == "range":
        return _beyond(anomaly_type in SMALL, feature, column)
    if kind in ("nan", "infinity") and column == "float64":
        return pc.is_nan if kind == "nan" else pc.is_inf  # type: ignore[no-any-return]
    return None


def of_another_type(wanted: int, column: str) -> Mask | None:
    """Return what keeps a column from being of TFMD's type `wanted`, None where no row alone does.

    `column` is the type that it has: one text makes text of numbers, one fraction makes floats of
    whole numbers.
    """
    if column == "string" and wanted in (schema_pb2.INT, schema_pb2.FLOAT):
        pattern = _WHOLE if wanted == schema_pb2.INT else _NUMBER
        return lambda rows: pc.invert(pc.match_substring_regex(rows, pattern))
    if column == "float64" and wanted == schema_pb2.INT:
        return _not_whole
    return None


def _neither_0_nor_1(rows: pa.ChunkedArray) -> pa.ChunkedArray:
    others = pc.and_(pc.not_equal(rows, 0), pc.not_equal(rows, 1))
    return pc.and_(others, pc.equal(rows, rows))  # NaN equals nothing, and is missing


def _not_whole(rows: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.or_(pc.not_equal(pc.floor(rows), rows), pc.is_inf(rows))


def _beyond(is_low: bool, feature: Any, column: str) -> Mask:
    """Return which rows are below the lower end or above the upper one."""
    compare, bound = pc.less if is_low else pc.greater, range_of(feature)[0 if is_low else 1]
    if has_whole_range(feature, column):
        whole = pa.scalar(int(max(_INT64[0], min(bound, _INT64[1]))), pa.int64())
        return lambda rows: compare(rows, whole)
    return lambda rows: compare(rows.cast(pa.float64(), safe=False), bound)


def has_whole_range(feature: Any, column: str) -> bool:
    """Say whether values and bounds are whole numbers, of which a double cannot hold the largest.

    `column` is the type that the feature has in the examples.
    """
    of_whole = feature.type == schema_pb2.INT and feature.HasField("int_domain")
    return of_whole and column == "int64"
