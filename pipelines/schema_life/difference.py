"""Where data and a schema differ, a line for each: what the schema says and what the data says.

Rules:
1. what differs is what a run's gates go by: TFDV's anomalies of a split, save those that the rows
   refute, and those that the rows alone show;
2. a difference stops a run where its severity is error, by `checks.severities` or else by TFDV; of
   values outside a domain only where their share of the rows is over `checks.new_values`;
3. a line has names, types, shares, counts and ranges; `values`, the texts that a domain lacks, are
   for a person's own terminal and never part of `to_dict`.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from components.core.data_settings import Checks
from components.validate_examples.anomalies import Anomaly, find_anomalies, listed
from components.validate_examples.comparators import comparators
from components.validate_examples.names import check_severities
from components.validate_examples.page_features import name_of
from components.validate_examples.rows import Answer, answer
from components.validate_examples.schema import SERVING, environment_of
from components.validate_examples.schema_gates import SchemaGates
from pipelines.schema_life.window_data import WindowData
from pipelines.schema_life.words import NewValues, Seen, data_says, new_values, schema_says


@dataclass(frozen=True)
class Difference:
    """One difference of a feature, in one split or in several; of no column, of whole splits.

    `what` is the kind of anomaly, as gates and waivers call it.
    """

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


def differences(
    data: WindowData, schema: schema_pb2.Schema, checks: Checks, environment: str | None = None
) -> list[Difference]:
    """Return every difference, sorted by feature; what several splits say alike is said once.

    `environment` is training where none is asked for. Raises SettingsError where the schema lacks
    it, and for what a run refuses of the checks and the schema before it looks at data.
    """
    check_severities(checks)
    comparators(schema, checks)
    if environment_of(schema, environment) == SERVING:
        data = data.without_label()
    listed_by_tfdv = [
        anomaly
        for split, statistics in data.splits.items()
        for anomaly in listed(find_anomalies(statistics, schema, environment), split, checks)
    ]
    gates = SchemaGates(listed_by_tfdv, schema, data.manifest, checks)
    answers = answer(data.examples, data.manifest, gates.questions)
    answered = gates.answered(answers)
    found: dict[tuple[str, ...], Difference] = {}
    for anomaly in gates.anomalies(answers):
        made = _difference(anomaly, _Sides(schema, data, checks, answered.get(anomaly)))
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
    """Both sides of a comparison, how it is judged, and what the rows answered, if asked."""

    schema: schema_pb2.Schema
    data: WindowData
    checks: Checks
    answer: Answer | None

    def feature(self, name: str) -> Any:
        return next((f for f in self.schema.feature if f.name == name), None)

    def seen(self, name: str, split: str) -> Seen | None:
        """Return what one split holds of a column; None where it has no such column."""
        features = self.data.splits[split].datasets[0].features
        statistics = next((f for f in features if name_of(f) == name), None)
        if statistics is None:
            return None
        rows, whole = self.data.manifest.rows_of(split), self.data.whole[split].get(name)
        return Seen(statistics, rows, whole, self.answer.count if self.answer else None)


def _difference(anomaly: Anomaly, sides: _Sides) -> Difference:
    feature = sides.feature(anomaly.feature)
    seen = sides.seen(anomaly.feature, anomaly.split)
    what = anomaly.kind
    new = new_values(feature, seen, sides.schema) if what == "new_values" else NewValues()
    is_few = what == "new_values" and new.share <= sides.checks.new_values
    return Difference(
        feature=anomaly.feature,
        what=what,
        schema_says=schema_says(what, feature, sides.schema),
        data_says=data_says(what, feature, seen, new, anomaly.short),
        stops=anomaly.severity == "error" and not is_few,
        splits=(anomaly.split,),
        is_column=feature is not None or seen is not None,
        values=new.shown,
    )
