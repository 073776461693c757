"""Anomalies that TFDV does not list, because they are in rows and not in their statistics.

TFDV holds the 1,000 most frequent texts of a feature against its domain; here all are.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from components.core.data_settings import Checks
from components.core.examples import SPLITS, ExamplesManifest
from components.validate_examples.anomalies import NEW_VALUES, Anomaly
from components.validate_examples.rows import Answer
from components.validate_examples.schema import domain_of, is_validated


def may_be_there(
    listed: Sequence[Anomaly],
    schema: schema_pb2.Schema,
    manifest: ExamplesManifest,
    checks: Checks,
) -> Iterator[Anomaly]:
    """Yield an error that the rows may hold for each text with a domain that has none listed."""
    if checks.severities.get(NEW_VALUES, "error") != "error":
        return
    known = {(anomaly.split, anomaly.feature, anomaly.type) for anomaly in listed}
    for name in _texts_with_domains(schema, manifest):
        for split in SPLITS:
            if (split, name, NEW_VALUES) not in known:
                yield Anomaly(split, name, NEW_VALUES, "error", "new values", "new values")


def is_there(feature: Any, answer: Answer) -> bool:
    """Say whether more of a split is outside a feature's domain than its schema allows.

    As TFDV has it, `min_domain_mass` is a share of the rows that have a value.
    """
    allowed = (1 - feature.distribution_constraints.min_domain_mass) * answer.present
    return bool(answer.count > allowed)


def _texts_with_domains(schema: schema_pb2.Schema, manifest: ExamplesManifest) -> list[str]:
    """Return the text columns whose domain is to be held against them."""
    return [
        feature.name
        for feature in schema.feature
        if manifest.columns.get(feature.name) == "string"
        and is_validated(feature)
        and domain_of(feature, schema)
    ]
