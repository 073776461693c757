"""Both sides of a difference in words: what a schema says of a feature, and what its data says.

Rules: names of types, shares, counts and ranges; of texts only how many a domain lacks, and the
most frequent ones apart (`NewValues.shown`), which the caller shows to a person or to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components.core.words import counted
from components.validate_examples.anomaly_kinds import EXPECTED_TEXTS, NEW_COLUMN
from components.validate_examples.schema import domain_of, is_of_one_value, shape_words

SHOWN_VALUES = 10


@dataclass(frozen=True)
class Seen:
    """What one split's `rows` rows hold of a column.

    `statistics` are TFDV's with NaN among the missing values, `whole` the range of whole numbers,
    `at_fault` how many rows differ from the schema, where rows were asked.
    """

    statistics: Any
    rows: int
    whole: tuple[int, int] | None = None
    at_fault: int | None = None

    @property
    def missing(self) -> int:
        """How many rows have no value."""
        return self.rows - int(_common(self.statistics).num_non_missing)


@dataclass(frozen=True)
class NewValues:
    """Texts that a domain lacks: how many, in which share of all rows, the most frequent ones."""

    number: int = 0
    exact: bool = True
    share: float = 0.0
    shown: tuple[str, ...] = ()


def new_values(feature: Any, seen: Seen | None, schema: schema_pb2.Schema) -> NewValues:
    """Count what the domain lacks; `exact` where the statistics list every text of the column."""
    if feature is None or seen is None:
        return NewValues()
    known, strings = set(domain_of(feature, schema)), seen.statistics.string_stats
    buckets = [b for b in strings.rank_histogram.buckets if b.label not in known]
    return NewValues(
        number=len(buckets) or int(bool(seen.at_fault)),
        exact=strings.unique <= len(strings.rank_histogram.buckets),
        share=(seen.at_fault or 0) / max(seen.rows, 1),
        shown=tuple(bucket.label for bucket in buckets[:SHOWN_VALUES]),
    )


def schema_says(what: str, feature: Any, schema: schema_pb2.Schema) -> str:
    """Return what the schema says where `what` differs; `feature` is None for a new column."""
    if feature is None:
        return "no such column"
    if what == NEW_COLUMN:  # the schema has it, for another environment
        return f"not in {', '.join(feature.not_in_environment) or 'this environment'}"
    if what in ("type", "missing_column"):
        return _type_name(feature)
    if what == "presence":
        return _presence(feature)
    if what == "new_values":
        return counted(len(domain_of(feature, schema)), "value")
    if what == "range":
        return _range(feature)
    if what == "shape":
        return shape_words(feature)
    finite = {"nan": "no NaN", "infinity": "finite numbers"}
    return finite.get(what) or EXPECTED_TEXTS.get(what, "otherwise")


def _type_name(feature: Any) -> str:
    return str(schema_pb2.FeatureType.Name(feature.type)) if feature.type else "any type"


def _presence(feature: Any) -> str:
    presence = feature.presence
    parts = []
    if presence.min_fraction:
        parts.append(f"in {_percent(presence.min_fraction)} of the rows or more")
    if presence.min_count:
        parts.append(f"in {presence.min_count} or more")
    return ", ".join(parts) or "may be missing"


def _range(feature: Any) -> str:
    if feature.HasField("bool_domain"):
        return "0 or 1"
    domain = feature.int_domain if feature.HasField("int_domain") else feature.float_domain
    low = _bound(domain.min) if domain.HasField("min") else "any"
    high = _bound(domain.max) if domain.HasField("max") else "any"
    return f"{low} to {high}"


def _bound(number: float) -> str:
    """Return the end of a range; of a whole one every digit counts."""
    return str(number) if isinstance(number, int) else f"{number:.6g}"


def data_says(what: str, feature: Any, seen: Seen | None, new: NewValues, short: str) -> str:
    """Return what the data says; for what has no words here, TFDV's short ones, without values."""
    if seen is None:
        return "no such column"
    kind = statistics_pb2.FeatureNameStatistics.Type.Name(seen.statistics.type)
    if what == "type":
        return "text" if kind == "STRING" else str(kind)
    if what == NEW_COLUMN:
        present = (seen.rows - seen.missing) / max(seen.rows, 1)
        return f"{'BYTES' if kind == 'STRING' else kind}, in {_percent(present)} of the rows"
    if what == "new_values":
        least = "" if new.exact else "at least "
        return f"{least}{counted(new.number, 'new value')} in {_percent(new.share)} of the rows"
    if what == "range" and seen.statistics.HasField("num_stats"):
        numbers = seen.statistics.num_stats
        low, high = seen.whole or (float(numbers.min), float(numbers.max))
        return f"{_bound(low)} to {_bound(high)}"
    if what == "shape" and not is_of_one_value(feature):
        return "one value in a row"
    if what in ("presence", "shape"):
        return f"missing in {_of_rows(seen.missing, seen.rows)}"
    if what in ("nan", "infinity") and seen.at_fault is not None:
        there = "NaN" if what == "nan" else "an infinite number"
        return f"{there} in {_of_rows(seen.at_fault, seen.rows)}"
    if seen.at_fault:
        return f"others in {_of_rows(seen.at_fault, seen.rows)}"
    return f"TFDV says: {short.lower()}"


def _of_rows(number: int, rows: int) -> str:
    return f"{_count(number)} of {_count(rows)} rows"


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _percent(share: float) -> str:
    """Return a share in percent; what is not all is never called 100 %."""
    text = f"{100 * share:.3g}"
    return "99.9+ %" if text == "100" and share < 1 else f"{text} %"


def _common(statistics: Any) -> Any:
    """Return the counts that a column's statistics have whatever its type is."""
    for kind in ("num_stats", "string_stats", "bytes_stats"):
        if statistics.HasField(kind):
            return getattr(statistics, kind).common_stats
    return statistics.struct_stats.common_stats
