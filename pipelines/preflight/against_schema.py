"""Features, slices and gates that no example could give, by the types and domains of the schema.

Rules: the schema is taken at its word, because a gate stops the run where the data differs; so
where the settings let such data pass, by a waiver, a severity of their own or a share of new
values, only the stages can tell. A column whose type the schema leaves open is left to them too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from components.core.errors import SettingsError
from components.core.slice_keys import named_values
from components.core.words import nearest
from components.validate_examples.schema import domain_of, is_validated, parse_schema
from pipelines.settings import RunSettings

_TYPES = {schema_pb2.BYTES: "string", schema_pb2.INT: "int64", schema_pb2.FLOAT: "float64"}


@dataclass(frozen=True)
class _Listed:
    """The columns of the examples as the schema lists them, by their type there."""

    columns: Mapping[str, str]
    label: str


def check_against_schema(settings: RunSettings, schema_text: str) -> None:
    """Raise SettingsError for what the schema rules out, naming the key and the nearest name."""
    if settings.waivers or settings.checks.severities:
        return
    schema = parse_schema(schema_text)
    features = {feature.name: feature for feature in schema.feature if is_validated(feature)}
    columns = {name: _TYPES[f.type] for name, f in features.items() if f.type in _TYPES}
    _check_features(settings, columns)
    _check_slices(settings, columns)
    for place, column, value in _gate_slices(settings):
        if column in features:
            _check_value(place, features[column], value, schema, settings.checks.new_values)


def _check_features(settings: RunSettings, columns: Mapping[str, str]) -> None:
    """Hold each declared feature against its columns, as the transform does against examples."""
    from components.transform_features.declared import declare  # which imports pyarrow

    inputs = settings.transform.inputs()
    told = {
        name: feature
        for name, feature in settings.transform.features.items()
        if columns.keys() >= set(inputs[name])
    }
    transform = settings.transform.model_copy(update={"features": told})
    try:
        declare(transform, settings.source, _Listed(columns, settings.source.target.name))
    except SettingsError as error:
        raise SettingsError(
            f"transform.features: by the schema {error.message}", remedy=error.remedy
        ) from error


def _check_slices(settings: RunSettings, columns: Mapping[str, str]) -> None:
    sliced = {
        "evaluate.slices": dict.fromkeys(n for cross in settings.evaluate.slices for n in cross),
        "evaluate.sensitive": settings.evaluate.sensitive,
    }
    for key, column in ((key, column) for key, names in sliced.items() for column in names):
        if columns.get(column) == "float64":
            near = nearest(column, (name for name in columns if columns[name] != "float64"))
            raise SettingsError(
                f"{key}: {column} holds float64 by the schema{near}",
                remedy="slice by columns of texts or whole numbers",
            )


def _gate_slices(settings: RunSettings) -> Iterator[tuple[str, str, str]]:
    """Yield (key, column, value) of every slice that a gate names; `*` is every value."""
    for place, key in settings.policy.gated_slices():
        for column, value in named_values(key):
            yield f"policy.{place}.slice", column, value


def _check_value(
    place: str, feature: Any, value: str, schema: schema_pb2.Schema, new_values: float
) -> None:
    """Raise SettingsError for a value that no example has where the schema's gates pass."""
    name, near = feature.name, ""
    if feature.type == schema_pb2.INT:
        known = _is_number_of(feature, value)
    else:
        strict = feature.distribution_constraints.min_domain_mass == 1 and not new_values
        domain = domain_of(feature, schema) if strict else []
        known, near = not domain or value in domain, nearest(value, domain)
    if not known:
        raise SettingsError(
            f"{place}: by the schema {name} is never {value}{near}",
            remedy=f"name a value of {name} that the schema knows",
        )


def _is_number_of(feature: Any, value: str) -> bool:
    """Say whether a text is a whole number in a feature's domain, written as a slice's key is."""
    if not re.fullmatch(r"0|-?[1-9]\d*", value):
        return False
    if feature.HasField("bool_domain"):
        return value in ("0", "1")
    domain = feature.int_domain
    low = domain.min if domain.HasField("min") else int(value)
    high = domain.max if domain.HasField("max") else int(value)
    return bool(low <= int(value) <= high)
