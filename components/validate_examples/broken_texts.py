"""Which texts are not what a schema says of a feature of BYTES, as masks over its rows.

Rules: null is no; of a numeric domain numbers are read from texts as TFDV reads them. TFDV looks at
the 1,000 most frequent texts alone, so rows may show what it did not list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2

from components.validate_examples.anomaly_kinds import (
    NEW_VALUES,
    NO_NUMBER_TEXT,
    NO_WHOLE_TEXT,
    SMALL,
    UNKNOWN_TRUTH,
    kind_of,
)
from components.validate_examples.schema import domain_of, range_of, truths_of

Mask = Callable[[pa.ChunkedArray], pa.ChunkedArray]

_FINITE = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_HEXADECIMAL = "0[xX][0-9a-fA-F]+"
_NUMBERS = {
    NO_WHOLE_TEXT: r"^\s*[+-]?[0-9]+\s*$",
    NO_NUMBER_TEXT: rf"^\s*[+-]?(?:{_FINITE}|{_HEXADECIMAL}|(?i:nan|inf|infinity))\s*$",
}
_NOT_FINITE = {
    "nan": r"^\s*[+-]?(?i:nan)\s*$",
    "infinity": r"^\s*[+-]?(?i:inf|infinity)\s*$",
}


def broken_texts(anomaly_type: str, feature: Any, schema: schema_pb2.Schema) -> Mask | None:
    """Return which texts have an anomaly of a type, None where no row alone is at fault."""
    kind = kind_of(anomaly_type)
    if kind == "range":
        return _beyond(anomaly_type in SMALL, feature)
    known = {NEW_VALUES: domain_of(feature, schema), UNKNOWN_TRUTH: truths_of(feature)}
    if anomaly_type in known:
        values = pa.array(known[anomaly_type], pa.string())
        return lambda rows: _outside(rows, values)
    if anomaly_type in _NUMBERS:
        return lambda rows: pc.invert(pc.match_substring_regex(rows, _NUMBERS[anomaly_type]))
    if kind in _NOT_FINITE:
        return lambda rows: pc.match_substring_regex(rows, _NOT_FINITE[kind])
    return None


def _outside(rows: pa.ChunkedArray, known: pa.Array) -> pa.ChunkedArray:
    return pc.and_(pc.invert(pc.is_in(rows, value_set=known)), pc.is_valid(rows))


def _beyond(is_low: bool, feature: Any) -> Mask:
    """Return which texts are decimal numbers below the lower end or above the upper one."""
    compare, bound = pc.less if is_low else pc.greater, range_of(feature)[0 if is_low else 1]
    number = "[0-9]+" if feature.HasField("int_domain") else rf"(?:{_FINITE}|(?i:inf|infinity))"

    def beyond(rows: pa.ChunkedArray) -> pa.ChunkedArray:
        texts = pc.utf8_trim_whitespace(rows)
        is_number = pc.match_substring_regex(texts, f"^[+-]?{number}$")
        digits = pc.if_else(is_number, pc.utf8_ltrim(texts, "+"), pa.scalar(None, pa.string()))
        return compare(digits.cast(pa.float64()), float(bound))

    return beyond
