"""What gates, waivers and reviews call the anomalies that TFDV finds: one word for each kind.

Rules: types of TFMD that a reader would correct in the same way are of one kind; a type without a
word of ours keeps TFMD's own, in small letters. Nothing here loads TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping

NEW_VALUES = "ENUM_TYPE_UNEXPECTED_STRING_VALUES"
NEW_COLUMN = "new_column"
WHOLE_SPLIT = "dataset"  # whose anomaly it is where it is no single column's
NO_WHOLE_TEXT, NO_NUMBER_TEXT = "INT_TYPE_NOT_INT_STRING", "FLOAT_TYPE_STRING_NOT_FLOAT"
UNKNOWN_TRUTH = "BOOL_TYPE_UNEXPECTED_STRING"
TOO_SMALL, TOO_BIG = "INT_TYPE_SMALL_INT", "INT_TYPE_BIG_INT"
SMALL = frozenset({TOO_SMALL, "FLOAT_TYPE_SMALL_FLOAT"})
_KINDS: Mapping[str, str] = {
    "SCHEMA_MISSING_COLUMN": "missing_column",
    "SCHEMA_NEW_COLUMN": NEW_COLUMN,
    "UNEXPECTED_DATA_TYPE": "type",
    NEW_VALUES: "new_values",
    "FEATURE_TYPE_LOW_FRACTION_PRESENT": "presence",
    "FEATURE_TYPE_LOW_NUMBER_PRESENT": "presence",
    "FEATURE_TYPE_NOT_PRESENT": "presence",
    "INVALID_FEATURE_SHAPE": "shape",
    "FEATURE_TYPE_LOW_NUMBER_VALUES": "shape",
    "FEATURE_TYPE_HIGH_NUMBER_VALUES": "shape",
    TOO_SMALL: "range",
    TOO_BIG: "range",
    "FLOAT_TYPE_SMALL_FLOAT": "range",
    "FLOAT_TYPE_BIG_FLOAT": "range",
    "BOOL_TYPE_SMALL_INT": "range",
    "BOOL_TYPE_BIG_INT": "range",
    "BOOL_TYPE_UNEXPECTED_FLOAT": "range",
    "FLOAT_TYPE_HAS_NAN": "nan",
    "FLOAT_TYPE_HAS_INF": "infinity",
}
# What texts are to be where their kind has no word of ours.
EXPECTED_TEXTS: Mapping[str, str] = {
    NO_WHOLE_TEXT.lower(): "texts of whole numbers",
    NO_NUMBER_TEXT.lower(): "texts of numbers",
    UNKNOWN_TRUTH.lower(): "one of 2 known values",
}


def kind_of(anomaly_type: str) -> str:
    """Return the kind of a type of anomaly, by TFMD's name of it."""
    return _KINDS.get(anomaly_type, anomaly_type.lower())


def every_kind() -> list[str]:
    """Return the kinds of all types of anomaly that TFMD has, ours first."""
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    types = [*_KINDS, *anomalies_pb2.AnomalyInfo.Type.keys()]
    return list(dict.fromkeys(map(kind_of, types)))
