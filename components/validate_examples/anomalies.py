"""What TFDV says of examples against their schema, as findings.

Rules:
1. a run reads the schema and never changes it;
2. the severity of an anomaly is what `checks.severities` says of its type, else TFDV's own; an
   error is a gate, a warning is only listed, and what is to be ignored is listed as such;
3. a gate is named after the feature and the kind of anomaly, and judged by the share of rows where
   that can be counted: text outside its domain may be in a share `checks.new_values` of the rows;
4. TFDV's own words may quote values and go to validation.json alone; a finding's words do not.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.core.data_settings import Checks
from components.core.examples import SPLITS, ExamplesManifest
from components.core.outcome import Gate
from components.core.words import counted
from components.validate_examples.broken_rows import of_another_type
from components.validate_examples.findings import Finding
from components.validate_examples.rows import Answer, Question
from components.validate_examples.schema import domain_of, environment_of, is_validated
from components.validate_examples.statistics import Statistics

_NEW_VALUES = "ENUM_TYPE_UNEXPECTED_STRING_VALUES"
_KINDS = {
    "SCHEMA_MISSING_COLUMN": "missing_column",
    "SCHEMA_NEW_COLUMN": "new_column",
    "UNEXPECTED_DATA_TYPE": "type",
    _NEW_VALUES: "new_values",
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
_WORDS = {
    "missing_column": ("a column of this name", "there is none"),
    "new_column": ("a column that the schema knows", "the schema does not know it"),
}


@dataclass(frozen=True)
class Anomaly:
    """One reason of TFDV's; `severity` is the one that counts (rule 2)."""

    split: str
    feature: str
    type: str
    severity: str
    short: str
    description: str

    @property
    def kind(self) -> str:
        """What gates and waivers call it."""
        return _KINDS.get(self.type, self.type.lower())

    def to_dict(self) -> dict[str, str]:
        """Return the anomaly in TFDV's own words, for validation.json."""
        named = {"split": self.split, "feature": self.feature, "severity": self.severity.upper()}
        return named | {"type": self.type, "description": self.description}


def required_columns(schema: schema_pb2.Schema, checks: Checks) -> set[str]:
    """Return the columns whose absence is an error of the data, by a gate of its own."""
    if checks.severities.get("SCHEMA_MISSING_COLUMN", "error") != "error":
        return set()
    return {f.name for f in schema.feature if f.presence.min_fraction or f.presence.min_count}


def find_anomalies(statistics: Statistics, schema: schema_pb2.Schema) -> anomalies_pb2.Anomalies:
    """Return TFDV's anomalies of one split, in the schema's environment for training, if any."""
    return tfdv.validate_statistics(statistics, schema, environment=environment_of(schema))


def listed(anomalies: anomalies_pb2.Anomalies, split: str, checks: Checks) -> list[Anomaly]:
    """Return every reason of every anomaly, sorted by feature."""
    return [
        Anomaly(
            split,
            name,
            type_name := anomalies_pb2.AnomalyInfo.Type.Name(reason.type),
            checks.severities.get(type_name, _own_severity(info)),
            reason.short_description,
            reason.description,
        )
        for name, info in _infos(anomalies)
        for reason in info.reason
    ]


def _own_severity(info: Any) -> str:
    """Return TFDV's severity; one that it leaves open is an error."""
    return "warning" if info.severity == anomalies_pb2.AnomalyInfo.WARNING else "error"


def _infos(anomalies: anomalies_pb2.Anomalies) -> list[tuple[str, Any]]:
    """Return (feature, info) sorted by name; what concerns the whole split goes by `dataset`."""
    infos = sorted(
        (".".join(info.path.step) or name, info) for name, info in anomalies.anomaly_info.items()
    )
    if anomalies.HasField("dataset_anomaly_info"):
        infos.append(("dataset", anomalies.dataset_anomaly_info))
    return infos


class SchemaGates:
    """The gates on anomalies: what must be asked of the rows, and the findings from its answers."""

    def __init__(
        self,
        found: Sequence[Anomaly],
        schema: schema_pb2.Schema,
        manifest: ExamplesManifest,
        checks: Checks,
    ) -> None:
        self._errors = _once([anomaly for anomaly in found if anomaly.severity == "error"])
        self._schema = schema
        self._features = {feature.name: feature for feature in schema.feature}
        self._manifest = manifest
        self._checks = checks
        self._unseen = list(self._maybe_unseen())
        asked = [(anomaly, self._question(anomaly)) for anomaly in (*self._errors, *self._unseen)]
        self._asked = [(anomaly, question) for anomaly, question in asked if question is not None]

    @property
    def questions(self) -> list[Question]:
        """What must be known of the rows; the answers are given in the same order."""
        return [question for _, question in self._asked]

    def findings(self, answers: Sequence[Answer]) -> Iterator[Finding]:
        """Yield for each split one passing gate or one for each kind of error of each feature."""
        answered = dict(zip((anomaly for anomaly, _ in self._asked), answers, strict=True))
        for split in SPLITS:
            unseen = [a for a in self._unseen if a in answered and self._is_error(a, answered[a])]
            errors = [anomaly for anomaly in (*self._errors, *unseen) if anomaly.split == split]
            if not errors:
                gate = Gate("schema", "anomalies", 0, "==", 0, split, self._manifest.rows_of(split))
                yield Finding(gate, "no anomaly", "found none")
            for anomaly in errors:
                yield self._finding(anomaly, answered.get(anomaly))

    def _maybe_unseen(self) -> Iterator[Anomaly]:
        """Yield an anomaly for each text with a domain that TFDV found none of.

        TFDV holds the 1,000 most frequent texts of a feature against its domain; here all are.
        """
        if self._checks.severities.get(_NEW_VALUES, "error") != "error":
            return
        found = {(anomaly.split, anomaly.feature, anomaly.type) for anomaly in self._errors}
        for name in self._texts_with_domains():
            for split in SPLITS:
                if (split, name, _NEW_VALUES) not in found:
                    yield Anomaly(split, name, _NEW_VALUES, "error", "new values", "new values")

    def _texts_with_domains(self) -> list[str]:
        """Return the text columns whose domain is to be held against them."""
        return [
            name
            for name, feature in self._features.items()
            if self._manifest.columns.get(name) == "string"
            and is_validated(feature)
            and domain_of(feature, self._schema)
        ]

    def _is_error(self, anomaly: Anomaly, answer: Answer) -> bool:
        """Say whether rows are outside a domain by more than its schema allows."""
        constraints = self._features[anomaly.feature].distribution_constraints
        allowed = (1 - constraints.min_domain_mass) * self._manifest.rows_of(anomaly.split)
        return bool(answer.count > allowed)

    def _question(self, anomaly: Anomaly) -> Question | None:
        """Return which rows to look for, None where no single row is at fault."""
        kind, name = anomaly.kind, anomaly.feature
        feature, column = self._features.get(name), self._manifest.columns.get(name)
        if feature is None or column is None:
            return None
        if kind in ("presence", "shape"):
            return Question(anomaly.split, name, pc.is_null)
        if kind == "new_values" and column == "string":
            known = pa.array(domain_of(feature, self._schema), pa.string())
            return Question(anomaly.split, name, lambda rows: _outside(rows, known))
        if kind == "range" and column != "string":
            low, high = _range(feature)
            return Question(
                anomaly.split,
                name,
                lambda rows: _beyond(rows, low, high),
            )
        if kind == "type" and (mask := of_another_type(feature.type, column)) is not None:
            return Question(anomaly.split, name, mask)
        if kind in ("nan", "infinity") and column == "float64":
            return Question(anomaly.split, name, pc.is_nan if kind == "nan" else pc.is_inf)
        return None

    def _finding(self, anomaly: Anomaly, answer: Answer | None) -> Finding:
        """Return one anomaly as a gate, with the number that broke it where it can be counted."""
        kind, rows = anomaly.kind, self._manifest.rows_of(anomaly.split)
        gate = Gate(f"schema:{anomaly.feature}:{kind}", "anomaly", 1, "==", 0, anomaly.split, rows)
        by_share = self._by_share(gate, anomaly, answer) if answer is not None else None
        if by_share is not None:
            return by_share
        if kind in _WORDS:
            return Finding(gate, *_WORDS[kind])
        feature = self._features.get(anomaly.feature)
        if kind == "type" and feature is not None:
            found = self._manifest.columns.get(anomaly.feature, "another")
            return Finding(gate, self._expected(kind, feature), f"found {found}")
        said = f"TFDV's {anomaly.type}: {anomaly.short.lower()}"
        return Finding(gate, "what the schema says", said)

    def _by_share(self, gate: Gate, anomaly: Anomaly, answer: Answer) -> Finding | None:
        """Return the finding by the share of rows; None where that would not say what TFDV says.

        Only `checks.new_values` may let an error pass: a count of rows that breaks nothing is not
        what TFDV means.
        """
        kind, feature = anomaly.kind, self._features[anomaly.feature]
        share = answer.count / gate.n if gate.n else 1.0
        if kind in ("presence", "shape"):
            least = 1.0 if kind == "shape" else feature.presence.min_fraction
            judged = replace(
                gate, metric="share_present", value=1 - share, operator=">=", threshold=least
            )
            words = f"a value in a share of {least:g} of the rows", f"found {1 - share:.4f}"
            if judged.passed and kind == "presence":
                judged, words = _by_number(gate, feature.presence.min_count, answer)
        else:
            limit = self._checks.new_values if kind == "new_values" else 0.0
            judged = replace(gate, metric="share", value=share, operator="<=", threshold=limit)
            rest = f" in all but a share of {limit:g} of the rows" if limit else ""
            expected = f"{self._expected(kind, feature)}{rest}"
            words = expected, f"found {self._others(anomaly)} in {counted(answer.count, 'row')}"
        if judged.passed and not (kind == "new_values" and answer.count):
            return None
        return Finding(judged, *words, tuple(answer.first))

    def _expected(self, kind: str, feature: Any) -> str:
        if kind == "new_values":
            return f"one of {counted(len(domain_of(feature, self._schema)), 'known value')}"
        if kind == "range":
            low, high = _range(feature)
            return f"values from {low:g} to {high:g}"
        if kind == "type":
            return f"type {schema_pb2.FeatureType.Name(feature.type)}"
        return "finite numbers"

    def _others(self, anomaly: Anomaly) -> str:
        """Return what was found instead; of a type the column's, and what made it so."""
        if anomaly.kind != "type":
            return "others"
        whole = self._features[anomaly.feature].type == schema_pb2.INT
        found = self._manifest.columns[anomaly.feature]
        return f"{found}, with what is no {'whole number' if whole else 'number'}"


def _by_number(gate: Gate, least: int, answer: Answer) -> tuple[Gate, tuple[str, str]]:
    """Return the gate on how many rows have a value, and its words."""
    present = (gate.n or 0) - answer.count
    judged = replace(gate, metric="rows_present", value=present, operator=">=", threshold=least)
    return judged, (f"a value in {counted(least, 'row')} or more", f"found {present} with one")


def _once(anomalies: Sequence[Anomaly]) -> list[Anomaly]:
    """Return the first anomaly of each kind of each feature and split: one gate is made of it."""
    first: dict[tuple[str, str, str], Anomaly] = {}
    for anomaly in anomalies:
        first.setdefault((anomaly.split, anomaly.feature, anomaly.kind), anomaly)
    return list(first.values())


def _outside(rows: pa.ChunkedArray, known: pa.Array) -> pa.ChunkedArray:
    return pc.and_(pc.invert(pc.is_in(rows, value_set=known)), pc.is_valid(rows))


def _beyond(rows: pa.ChunkedArray, low: float, high: float) -> pa.ChunkedArray:
    numbers = rows.cast(pa.float64(), safe=False)  # a bound is a double too
    return pc.or_(pc.less(numbers, low), pc.greater(numbers, high))


def _range(feature: Any) -> tuple[float, float]:
    """Return the bounds of a numeric domain; proto defaults stand for no bound."""
    if feature.HasField("bool_domain"):
        return 0.0, 1.0
    domain = feature.int_domain if feature.HasField("int_domain") else feature.float_domain
    low = domain.min if domain.HasField("min") else float("-inf")
    high = domain.max if domain.HasField("max") else float("inf")
    return float(low), float(high)
