"""Where data and a schema differ, a line for each: what the schema says and what the data says.

Rules:
1. what differs is what TFDV calls an anomaly of a split, so that a review and a run agree;
2. a difference stops a run where its severity is error, by `checks.severities` or else by TFDV; of
   values outside a domain only where their share of the rows is over `checks.new_values`;
3. a line has names, types, shares, counts and ranges; `values`, the texts that a domain lacks, are
   for a person's own terminal and never part of `to_dict`.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components.core.data_settings import Checks
from components.core.errors import SettingsError
from components.validate_examples.anomalies import Anomaly, listed
from components.validate_examples.page_features import name_of
from components.validate_examples.schema import SERVING, TRAINING
from components.validate_examples.statistics import Statistics
from pipelines.schema_life.words import NewValues, data_says, new_values, schema_says

_RANGE = {
    "INT_TYPE_SMALL_INT",
    "INT_TYPE_BIG_INT",
    "FLOAT_TYPE_SMALL_FLOAT",
    "FLOAT_TYPE_BIG_FLOAT",
    "BOOL_TYPE_SMALL_INT",
    "BOOL_TYPE_BIG_INT",
    "BOOL_TYPE_UNEXPECTED_FLOAT",
}
_PRESENCE = {
    "FEATURE_TYPE_LOW_FRACTION_PRESENT",
    "FEATURE_TYPE_LOW_NUMBER_PRESENT",
    "FEATURE_TYPE_NOT_PRESENT",
}
_SHAPE = {
    "INVALID_FEATURE_SHAPE",
    "FEATURE_TYPE_HIGH_NUMBER_VALUES",
    "FEATURE_TYPE_LOW_NUMBER_VALUES",
}
_WHAT = {
    "SCHEMA_NEW_COLUMN": "new column",
    "SCHEMA_MISSING_COLUMN": "missing column",
    "UNEXPECTED_DATA_TYPE": "type",
    "ENUM_TYPE_UNEXPECTED_STRING_VALUES": "domain",
    **dict.fromkeys(_RANGE, "range"),
    **dict.fromkeys(_PRESENCE, "presence"),
    **dict.fromkeys(_SHAPE, "shape"),
}


@dataclass(frozen=True)
class Difference:
    """One difference of a feature, in one split or in several; of no column, of whole splits."""

    feature: str
    what: str
    schema_says: str
    data_says: str
    stops: bool
    splits: tuple[str, ...]
    is_column: bool
    values: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the difference without values (rule 3)."""
        return {
            "feature": self.feature,
            "what": self.what,
            "schema_says": self.schema_says,
            "data_says": self.data_says,
            "stops_a_run": self.stops,
            "splits": list(self.splits),
        }


def environment_of(schema: schema_pb2.Schema, asked: str | None) -> str | None:
    """Return the environment to hold data against; None for a schema that knows none.

    Raises SettingsError for one that was asked for and that the schema does not know.
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


def as_served(statistics: Statistics, label: str) -> Statistics:
    """Return the statistics of the same rows without their label."""
    served = statistics_pb2.DatasetFeatureStatisticsList()
    served.CopyFrom(statistics)
    kept = [feature for feature in served.datasets[0].features if name_of(feature) != label]
    del served.datasets[0].features[:]
    served.datasets[0].features.extend(kept)
    return served


def differences(
    splits: Mapping[str, Statistics],
    schema: schema_pb2.Schema,
    checks: Checks,
    environment: str | None = None,
) -> list[Difference]:
    """Return every difference, sorted by feature; what several splits say alike is said once."""
    found: dict[tuple[str, ...], Difference] = {}
    for split, statistics in splits.items():
        sides = _Sides(schema, statistics, checks)
        anomalies = tfdv.validate_statistics(statistics, schema, environment=environment)
        for anomaly in listed(anomalies, split, checks):
            made = _difference(anomaly, sides)
            key = (made.feature, made.what, made.schema_says, made.data_says)
            found[key] = _together(found.get(key), made)
    return [found[key] for key in sorted(found)]


def _together(before: Difference | None, made: Difference) -> Difference:
    """Return one difference for what two anomalies say alike: of two splits, or of two types."""
    if before is None:
        return made
    splits = tuple(dict.fromkeys((*before.splits, *made.splits)))
    return replace(made, splits=splits, stops=before.stops or made.stops)


@dataclass(frozen=True)
class _Sides:
    """Both sides of a comparison, and how it is judged."""

    schema: schema_pb2.Schema
    statistics: Statistics
    checks: Checks

    def feature(self, name: str) -> Any:
        return next((f for f in self.schema.feature if f.name == name), None)

    def data(self, name: str) -> Any:
        features = self.statistics.datasets[0].features
        return next((f for f in features if name_of(f) == name), None)


def _difference(anomaly: Anomaly, sides: _Sides) -> Difference:
    feature, data = sides.feature(anomaly.feature), sides.data(anomaly.feature)
    what = _WHAT.get(anomaly.type, anomaly.type.lower().replace("_", " "))
    new = new_values(feature, data, sides.schema) if what == "domain" else NewValues()
    is_few = what == "domain" and new.share <= sides.checks.new_values
    return Difference(
        feature=anomaly.feature,
        what=what,
        schema_says=schema_says(what, feature, sides.schema),
        data_says=data_says(what, feature, data, new, anomaly.short),
        stops=anomaly.severity == "error" and not is_few,
        splits=(anomaly.split,),
        is_column=feature is not None or data is not None,
        values=new.shown,
    )
