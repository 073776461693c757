"""What gates and waivers call the anomalies that TFDV finds: one word for each kind.

Rules: types of TFMD that a reader would correct in the same way are of one kind; a type without a
word of ours keeps TFMD's own, in small letters. Nothing here loads TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping

NEW_VALUES = "ENUM_TYPE_UNEXPECTED_STRING_VALUES"
NEW_COLUMN = "new_column"
_KINDS: Mapping[str, str] = {
    "SCHEMA_MISSING_COLUMN": "missing_column",
    "SCHEMA_NEW_COLUMN": NEW_COLUMN,
    "UNEXPECTED_DATA_TYPE": "type",
    NEW_VALUES: "new_values",
    "FEATURE_TYPE_LOW_FRACTION_PRESENT": "presence",
    "FEATURE_TYPE_LOW_NUMBER_PRESENT": "presence",
    "FEATURE_TYPE_NOT_PRESENT": "presence",
    "INVALID_FEATURE_SHAPE": "shape",
    "INT_TYPE_SMALL_INT": "range",
    "INT_TYPE_BIG_INT": "range",
    "FLOAT_TYPE_SMALL_FLOAT": "range",
    "FLOAT_TYPE_BIG_FLOAT": "range",
    "BOOL_TYPE_SMALL_INT": "range",
    "BOOL_TYPE_BIG_INT": "range",
    "FLOAT_TYPE_HAS_NAN": "nan",
    "FLOAT_TYPE_HAS_INF": "infinity",
}


def kind_of(anomaly_type: str) -> str:
    """Return the kind of a type of anomaly, by TFMD's name of it."""
    return _KINDS.get(anomaly_type, anomaly_type.lower())


def every_kind() -> list[str]:
    """Return the kinds of all types of anomaly that TFMD has, ours first."""
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    types = [*_KINDS, *anomalies_pb2.AnomalyInfo.Type.keys()]
    return list(dict.fromkeys(map(kind_of, types)))
