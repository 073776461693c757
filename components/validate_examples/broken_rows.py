"""Which values of a column are not what a schema says, as masks over its rows; null is no."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2

from components.validate_examples.schema import domain_of

Mask = Callable[[pa.ChunkedArray], pa.ChunkedArray]

# As CSV is read: a number with a leading zero is text, and so are signs and spaces in between.
_WHOLE = r"^\s*-?(?:0|[1-9]\d*)\s*$"
_NUMBER = (
    r"^\s*[+-]?(?:(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|(?i:nan|inf|infinity))\s*$"
)


def broken(kind: str, feature: Any, schema: schema_pb2.Schema, column: str) -> Mask | None:
    """Return which rows have an anomaly of a kind, None where no row alone is at fault.

    `column` is the type that the feature has in the examples.
    """
    if kind in ("presence", "shape"):
        return pc.is_null  # type: ignore[no-any-return]
    if kind == "type":
        return of_another_type(feature.type, column)
    if kind == "new_values" and column == "string":
        known = pa.array(domain_of(feature, schema), pa.string())
        return lambda rows: _outside(rows, known)
    if kind == "range" and column != "string":
        low, high = range_of(feature)
        return lambda rows: _beyond(rows, low, high)
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


def _not_whole(rows: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.or_(pc.not_equal(pc.floor(rows), rows), pc.is_inf(rows))


def _outside(rows: pa.ChunkedArray, known: pa.Array) -> pa.ChunkedArray:
    return pc.and_(pc.invert(pc.is_in(rows, value_set=known)), pc.is_valid(rows))


def _beyond(rows: pa.ChunkedArray, low: float, high: float) -> pa.ChunkedArray:
    numbers = rows.cast(pa.float64(), safe=False)  # a bound is a double too
    return pc.or_(pc.less(numbers, low), pc.greater(numbers, high))


def range_of(feature: Any) -> tuple[float, float]:
    """Return the bounds of a numeric domain; proto defaults stand for no bound."""
    if feature.HasField("bool_domain"):
        return 0.0, 1.0
    domain = feature.int_domain if feature.HasField("int_domain") else feature.float_domain
    low = domain.min if domain.HasField("min") else float("-inf")
    high = domain.max if domain.HasField("max") else float("inf")
    return float(low), float(high)
