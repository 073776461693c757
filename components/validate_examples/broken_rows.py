"""Which values of a column are not what a schema says, as masks over its rows; null is no."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2

Mask = Callable[[pa.ChunkedArray], pa.ChunkedArray]

# As CSV is read: a number with a leading zero is text, and so are signs and spaces in between.
_WHOLE = r"^\s*-?(?:0|[1-9]\d*)\s*$"
_NUMBER = (
    r"^\s*[+-]?(?:(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|(?i:nan|inf|infinity))\s*$"
)


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
