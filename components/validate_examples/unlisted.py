"""Anomalies that are in rows and not in their statistics, so that TFDV does not list them.

TFDV holds the 1,000 most frequent texts of a feature against its domain; here all are. An infinite
number is a value to TFDV unless the schema's `float_domain` says `disallow_inf`; here it is always
an anomaly, because to a feature it is missing and no count of missing values has it. The smallest
and the largest number are doubles to TFDV; here whole numbers are held against an `int_domain` as
they are, and one that TFDV lists for the double alone is none.

Rule: the severity is what `checks.severities` says of the type, else an error; what is to be
ignored is not looked for.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from components.core.data_settings import Checks
from components.core.examples import SPLITS, ExamplesManifest
from components.validate_examples.anomalies import Anomaly
from components.validate_examples.anomaly_kinds import NEW_VALUES, TOO_BIG, TOO_SMALL
from components.validate_examples.broken_rows import has_whole_range
from components.validate_examples.rows import Answer
from components.validate_examples.schema import domain_of, is_validated

_INFINITY = "FLOAT_TYPE_HAS_INF"


def may_be_there(
    listed: Sequence[Anomaly],
    schema: schema_pb2.Schema,
    manifest: ExamplesManifest,
    checks: Checks,
) -> Iterator[Anomaly]:
    """Yield what the rows may hold and is not listed, an error or a warning."""
    known = {(anomaly.split, anomaly.feature, anomaly.type) for anomaly in listed}
    for kind, short, names in _looked_for(schema, manifest):
        severity = checks.severities.get(kind, "error")
        for name, split in product(names, SPLITS):
            if severity != "ignore" and (split, name, kind) not in known:
                yield Anomaly(split, name, kind, severity, short, "found in rows, not by TFDV")


def _looked_for(
    schema: schema_pb2.Schema, manifest: ExamplesManifest
) -> Iterator[tuple[str, str, list[str]]]:
    """Yield each type of anomaly with its short words and the columns that may have it."""
    yield NEW_VALUES, "New values", _texts_with_domains(schema, manifest)
    yield _INFINITY, "Infinite values", _floats(schema, manifest)
    for kind, end in ((TOO_SMALL, "min"), (TOO_BIG, "max")):
        yield kind, "Out-of-range values", _whole_numbers(schema, manifest, end)


def is_there(kind: str, feature: Any, answer: Answer) -> bool:
    """Say whether a split has an anomaly: more of it than the schema allows.

    As TFDV has it, `min_domain_mass` is a share of the rows that have a value.
    """
    mass = feature.distribution_constraints.min_domain_mass if kind == NEW_VALUES else 1.0
    return bool(answer.count > (1 - mass) * answer.present)


def is_for_rows_to_say(anomaly: Anomaly, feature: Any, column: str | None) -> bool:
    """Say whether an anomaly that TFDV lists is one only where a row shows it."""
    is_range = anomaly.type in (TOO_SMALL, TOO_BIG)
    return is_range and feature is not None and has_whole_range(feature, column or "")


def _texts_with_domains(schema: schema_pb2.Schema, manifest: ExamplesManifest) -> list[str]:
    """Return the text columns whose domain is to be held against them."""
    return [
        feature.name
        for feature in schema.feature
        if manifest.columns.get(feature.name) == "string"
        and is_validated(feature)
        and domain_of(feature, schema)
    ]


def _floats(schema: schema_pb2.Schema, manifest: ExamplesManifest) -> list[str]:
    """Return the columns of fractions, which may be infinite, that are validated."""
    return [
        feature.name
        for feature in schema.feature
        if manifest.columns.get(feature.name) == "float64"
        and feature.type == schema_pb2.FLOAT
        and is_validated(feature)
    ]


def _whole_numbers(schema: schema_pb2.Schema, manifest: ExamplesManifest, end: str) -> list[str]:
    """Return the columns of whole numbers whose range has this end, `min` or `max`."""
    return [
        feature.name
        for feature in schema.feature
        if has_whole_range(feature, manifest.columns.get(feature.name, ""))
        and feature.int_domain.HasField(end)
        and is_validated(feature)
    ]
