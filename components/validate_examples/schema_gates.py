"""Gates on what is wrong with examples by their schema, as findings that point at rows.

Rules: an anomaly that is an error is a gate, named after the feature and the kind of anomaly, and
judged by the share of rows where that can be counted: text outside its domain may be in a share
`checks.new_values` of the rows. A finding's words quote no value.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from components.core.data_settings import Checks
from components.core.examples import SPLITS, ExamplesManifest
from components.core.outcome import Gate
from components.core.words import counted
from components.validate_examples.anomalies import Anomaly
from components.validate_examples.anomaly_kinds import (
    EXPECTED_TEXTS,
    WHOLE_SPLIT,
)
from components.validate_examples.broken_rows import broken
from components.validate_examples.findings import Finding
from components.validate_examples.rows import SHOWN, Answer, Question
from components.validate_examples.schema import (
    domain_of,
    is_of_one_value,
    range_of,
    shape_words,
)
from components.validate_examples.unlisted import is_for_rows_to_say, is_there, may_be_there

_WORDS = {
    "missing_column": ("a column of this name", "there is none"),
    "new_column": ("a column that the schema knows", "the schema does not know it"),
}

_NOT_BY_ROWS = "by no row here: by rows of another split, or by the source's `types`"
_OF_SCHEMA = {
    "DOMAIN_INVALID_FOR_TYPE",
    "FEATURE_MISSING_TYPE",
    "INVALID_DOMAIN_SPECIFICATION",
    "INVALID_SCHEMA_SPECIFICATION",
    "BOOL_TYPE_INVALID_CONFIG",
}


class SchemaGates:
    """The gates on anomalies: what must be asked of the rows, and the findings from its answers."""

    def __init__(
        self,
        found: Sequence[Anomaly],
        schema: schema_pb2.Schema,
        manifest: ExamplesManifest,
        checks: Checks,
    ) -> None:
        self._listed = found
        self._schema = schema
        self._features = {feature.name: feature for feature in schema.feature}
        self._manifest = manifest
        self._checks = checks
        self._unlisted = list(may_be_there(found, schema, manifest, checks))
        asked = [(anomaly, self._question(anomaly)) for anomaly in (*found, *self._unlisted)]
        self._asked = [(anomaly, question) for anomaly, question in asked if question is not None]

    @property
    def questions(self) -> list[Question]:
        """What must be known of the rows; the answers are given in the same order."""
        return [question for _, question in self._asked]

    def answered(self, answers: Sequence[Answer]) -> dict[Anomaly, Answer]:
        """Return the answer to each anomaly that rows can be at fault for."""
        return dict(zip((anomaly for anomaly, _ in self._asked), answers, strict=True))

    def anomalies(self, answers: Sequence[Answer]) -> list[Anomaly]:
        """Return what TFDV listed, save what the answers refute, and what they alone show."""
        answered = self.answered(answers)
        listed = [
            anomaly
            for anomaly in self._listed
            if not (self._is_for_rows(anomaly) and answered[anomaly].count == 0)
        ]
        unlisted = [
            anomaly
            for anomaly in self._unlisted
            if (answer := answered.get(anomaly))
            and is_there(anomaly.type, self._features[anomaly.feature], answer)
        ]
        return [*listed, *unlisted]

    def findings(self, answers: Sequence[Answer]) -> Iterator[Finding]:
        """Yield for each split one passing gate or one for each kind of error of each feature."""
        answered = self.answered(answers)
        kinds = _by_kind([item for item in self.anomalies(answers) if item.severity == "error"])
        for split in SPLITS:
            errors = [alike for alike in kinds if alike[0].split == split]
            if not errors:
                gate = Gate("schema", "anomalies", 0, "==", 0, split, self._manifest.rows_of(split))
                yield Finding(gate, "no anomaly", "found none")
            for first, *others in errors:
                found = [answered[item] for item in (first, *others) if item in answered]
                yield self._finding(first, _together(first.kind, found))

    def _is_for_rows(self, anomaly: Anomaly) -> bool:
        column = self._manifest.columns.get(anomaly.feature)
        return is_for_rows_to_say(anomaly, self._features.get(anomaly.feature), column)

    def _question(self, anomaly: Anomaly) -> Question | None:
        """Return which rows to look for, None where no single row is at fault."""
        name = anomaly.feature
        feature, column = self._features.get(name), self._manifest.columns.get(name)
        if feature is None or column is None:
            return None
        mask = broken(anomaly.type, feature, self._schema, column)
        return None if mask is None else Question(anomaly.split, name, mask)

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
            which = "in every row" if answer is None else _NOT_BY_ROWS
            return Finding(gate, self._expected(kind, feature), f"found {found}, {which}")
        said = f"TFDV's {anomaly.type}: {anomaly.short.lower().rstrip('.: ')}"
        return Finding(gate, "what the schema says", f"{said}; {_of_no_row(anomaly)}")

    def _by_share(self, gate: Gate, anomaly: Anomaly, answer: Answer) -> Finding | None:
        """Return the finding by the share of rows; None where that would not say what TFDV says.

        Only `checks.new_values` may let an error pass: a count of rows that breaks nothing is not
        what TFDV means.
        """
        kind, feature = anomaly.kind, self._features[anomaly.feature]
        share = answer.count / gate.n if gate.n else 1.0
        if kind == "presence" or (kind == "shape" and is_of_one_value(feature)):
            least = 1.0 if kind == "shape" else feature.presence.min_fraction
            present = (gate.n - answer.count) / gate.n if gate.n else 0.0
            judged = replace(
                gate, metric="share_present", value=present, operator=">=", threshold=least
            )
            words = f"a value in a share of {least:g} of the rows", f"found {present:.4f}"
            if judged.passed and kind == "presence":
                judged, words = _by_number(gate, feature.presence.min_count, answer)
        else:
            limit = self._checks.new_values if kind == "new_values" else 0.0
            judged = replace(gate, metric="share", value=share, operator="<=", threshold=limit)
            rest = f" in all but a share of {limit:g} of the rows" if limit else ""
            expected = f"{self._expected(kind, feature)}{rest}"
            words = expected, f"found {self._found(anomaly)} in {counted(answer.count, 'row')}"
        if judged.passed and not (kind == "new_values" and answer.count):
            return None
        return Finding(judged, *words, tuple(answer.first))

    def _expected(self, kind: str, feature: Any) -> str:
        if kind == "new_values":
            return f"one of {counted(len(domain_of(feature, self._schema)), 'known value')}"
        if kind == "range":
            if feature.HasField("bool_domain"):
                return "0 or 1"
            low, high = map(_bound, range_of(feature))
            return f"values from {low} to {high}"
        if kind == "type":
            return f"type {schema_pb2.FeatureType.Name(feature.type)}"
        if kind == "shape":
            return shape_words(feature)
        return EXPECTED_TEXTS.get(kind, "finite numbers")

    def _found(self, anomaly: Anomaly) -> str:
        """Return what was found instead; of a type the column's, and what made it so."""
        if anomaly.kind == "shape":
            return "one value"
        if anomaly.kind != "type":
            return "others"
        whole = self._features[anomaly.feature].type == schema_pb2.INT
        found = self._manifest.columns[anomaly.feature]
        return f"{found}, with what is no {'whole number' if whole else 'number'}"


def _of_no_row(anomaly: Anomaly) -> str:
    """Return what an anomaly is about that no row alone is at fault for."""
    if anomaly.type in _OF_SCHEMA:
        return "it is about the schema itself, so no row is shown"
    what = "split" if anomaly.feature == WHOLE_SPLIT else "column"
    return f"it is about the {what} as a whole, so no row is shown"


def _by_number(gate: Gate, least: int, answer: Answer) -> tuple[Gate, tuple[str, str]]:
    """Return the gate on how many rows have a value, and its words."""
    present = (gate.n or 0) - answer.count
    judged = replace(gate, metric="rows_present", value=present, operator=">=", threshold=least)
    return judged, (f"a value in {counted(least, 'row')} or more", f"found {present} with one")


def _bound(number: float) -> str:
    """Return a bound in words; of a whole one every digit counts."""
    return str(number) if isinstance(number, int) else f"{number:g}"


def _by_kind(anomalies: Sequence[Anomaly]) -> list[list[Anomaly]]:
    """Return together what is of one kind of one feature in one split: one gate is made of it."""
    alike: dict[tuple[str, str, str], list[Anomaly]] = {}
    for anomaly in anomalies:
        alike.setdefault((anomaly.split, anomaly.feature, anomaly.kind), []).append(anomaly)
    return list(alike.values())


def _together(kind: str, answers: Sequence[Answer]) -> Answer | None:
    """Return one answer for anomalies of one kind; those of a range are about different rows."""
    if kind != "range" or len(answers) < 2:
        return answers[0] if answers else None
    first = sorted((row for a in answers for row in a.first), key=lambda row: (row.span, row.row))
    return Answer(sum(a.count for a in answers), answers[0].present, first[:SHOWN])
