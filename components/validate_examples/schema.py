"""A schema read from its text: TFMD's text proto, as a run, a review and a change of it read it.

Rules: a text that is no schema is a SettingsError that names the place, the line and what is wrong;
a schema without a feature is none, nor is one with two of one name, of which only one would count.
Nothing here loads TensorFlow, so that settings can be held against their schema before anything
starts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.core.errors import SettingsError

# The environments of a schema: what a row has when a model learns, and when it is asked.
TRAINING, SERVING = "training", "serving"
# A feature in one of these stages is not validated (LifecycleStage in TFMD's schema.proto).
_NOT_VALIDATED = {
    schema_pb2.PLANNED,
    schema_pb2.ALPHA,
    schema_pb2.DEPRECATED,
    schema_pb2.DEBUG_ONLY,
    schema_pb2.DISABLED,
}


def parse_schema(text: str, place: str = "the schema") -> schema_pb2.Schema:
    """Return the schema that a text holds; `place` says which text in a SettingsError."""
    schema = parse_part(text, place)
    if not schema.feature:
        raise SettingsError(f"{place} has no feature", remedy="name every column in it")
    _refuse_repeats([feature.name for feature in schema.feature], place)
    return schema


def _refuse_repeats(names: Sequence[str], place: str) -> None:
    counts = Counter(names)
    if repeated := [name for name, count in counts.items() if count > 1]:
        raise SettingsError(
            f"{place} has more than one feature {', '.join(repeated)}",
            remedy="say everything of a column in one feature",
            expected=1,
            actual=max(counts.values()),
        )


def parse_part(text: str, place: str = "the schema") -> schema_pb2.Schema:
    """Return what a part of a schema's text holds, such as one domain alone."""
    try:
        return text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        line = f", line {error.GetLine()}" if error.GetLine() else ""
        words = re.sub(r"^\d+:\d+ : ", "", str(error).splitlines()[0])
        raise SettingsError(
            f"{place}{line}: not a TFMD text proto: {words}",
            remedy="correct the .pbtxt file; or it is of a newer TFMD than the "
            f"tensorflow-metadata {version('tensorflow-metadata')} that is installed",
        ) from None


def domain_of(feature: Any, schema: schema_pb2.Schema) -> list[str]:
    """Return the values of a text feature's domain, its own or one of the schema's."""
    if feature.HasField("string_domain"):
        return list(feature.string_domain.value)
    return [v for d in schema.string_domain if d.name == feature.domain for v in d.value]


def truths_of(feature: Any) -> list[str]:
    """Return the two texts of a text feature's `bool_domain`."""
    return [feature.bool_domain.true_value, feature.bool_domain.false_value]


def range_of(feature: Any) -> tuple[float, float]:
    """Return the bounds of a numeric domain, whole ones as int; an infinity stands for no bound."""
    if feature.HasField("bool_domain"):
        return 0, 1
    domain = feature.int_domain if feature.HasField("int_domain") else feature.float_domain
    low = domain.min if domain.HasField("min") else float("-inf")
    high = domain.max if domain.HasField("max") else float("inf")
    return low, high


def is_of_one_value(feature: Any) -> bool:
    """Say whether a schema asks for one value a row, which is what an example has."""
    sizes = [dimension.size for dimension in feature.shape.dim]
    counts = feature.value_count
    least, most = counts.min, counts.max if counts.HasField("max") else 1
    one_by_count = not feature.HasField("value_count") or least <= 1 <= most
    return all(size == 1 for size in sizes) and one_by_count


def shape_words(feature: Any) -> str:
    """Return how many values a row is to have, in words."""
    sizes = [dimension.size for dimension in feature.shape.dim]
    if feature.HasField("shape"):
        return "one value in every row" if is_of_one_value(feature) else f"shape {sizes}"
    return f"{feature.value_count.min} to {feature.value_count.max} values in a row"


def environment_of(schema: schema_pb2.Schema, asked: str | None = None) -> str | None:
    """Return the environment to hold examples against: the one asked for, else training.

    None for a schema that knows none; SettingsError for one asked for that it does not know.
    """
    known = list(schema.default_environment)
    if asked and asked not in known:
        raise SettingsError(
            f"the schema does not know the environment {asked}",
            remedy=f"name one of: {', '.join(known)}"
            if known
            else f'write default_environment: "{TRAINING}" and "{SERVING}" into the schema',
        )
    return asked or (TRAINING if TRAINING in known else None)


def is_validated(feature: Any) -> bool:
    """Say whether TFDV holds a feature's values against its schema; environments do not matter."""
    return feature.lifecycle_stage not in _NOT_VALIDATED
