"""Both sides of a difference in words: what a schema says of a feature, and what its data says.

Rules: names of types, shares, counts and ranges; of texts only how many a domain lacks, and the
most frequent ones apart (`NewValues.shown`), which the caller shows to a person or to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from components.core.words import counted
from components.validate_examples.schema import domain_of

SHOWN_VALUES = 10


@dataclass(frozen=True)
class NewValues:
    """Texts that a domain lacks: how many, in which share of all rows, the most frequent ones."""

    number: int = 0
    exact: bool = True
    share: float = 0.0
    shown: tuple[str, ...] = ()


def new_values(feature: Any, data: Any, schema: schema_pb2.Schema) -> NewValues:
    """Count what the domain lacks; `exact` where the statistics list every text of the column."""
    if feature is None or data is None:
        return NewValues()
    known, strings = set(domain_of(feature, schema)), data.string_stats
    buckets = [b for b in strings.rank_histogram.buckets if b.label not in known]
    rows = strings.common_stats.num_non_missing + strings.common_stats.num_missing
    return NewValues(
        number=len(buckets),
        exact=strings.unique <= len(strings.rank_histogram.buckets),
        share=sum(bucket.sample_count for bucket in buckets) / max(rows, 1),
        shown=tuple(bucket.label for bucket in buckets[:SHOWN_VALUES]),
    )


def schema_says(what: str, feature: Any, schema: schema_pb2.Schema) -> str:
    """Return what the schema says where `what` differs; `feature` is None for a new column."""
    if feature is None:
        return "no such column"
    if what == "new column":  # the schema has it, for another environment
        return f"not in {', '.join(feature.not_in_environment) or 'this environment'}"
    if what in ("type", "missing column"):
        return _type_name(feature)
    if what == "presence":
        return _presence(feature)
    if what == "domain":
        return counted(len(domain_of(feature, schema)), "value")
    if what == "range":
        return _range(feature)
    if what == "shape":
        return _shape(feature)
    return "otherwise"


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
        return "0 to 1"
    domain = feature.int_domain if feature.HasField("int_domain") else feature.float_domain
    low = f"{domain.min:.6g}" if domain.HasField("min") else "any"
    high = f"{domain.max:.6g}" if domain.HasField("max") else "any"
    return f"{low} to {high}"


def _shape(feature: Any) -> str:
    if feature.HasField("shape"):
        sizes = [dimension.size for dimension in feature.shape.dim]
        return "one value in every row" if sizes == [1] else f"shape {sizes}"
    return f"{feature.value_count.min} to {feature.value_count.max} values"


def data_says(what: str, feature: Any, data: Any, new: NewValues, short: str) -> str:
    """Return what the data says; for what has no words here, TFDV's short ones, without values."""
    if data is None:
        return "no such column"
    statistics = common_of(data)
    total = statistics.num_non_missing + statistics.num_missing
    present = f"in {_percent(statistics.num_non_missing / max(total, 1))} of the rows"
    kind = statistics_pb2.FeatureNameStatistics.Type.Name(data.type)
    if what == "type":
        return "text" if kind == "STRING" else str(kind)
    if what == "new column":
        return f"{'BYTES' if kind == 'STRING' else kind}, {present}"
    if what == "domain":
        least = "" if new.exact else "at least "
        return f"{least}{counted(new.number, 'new value')} in {_percent(new.share)} of the rows"
    if what == "range" and data.HasField("num_stats"):
        return f"{data.num_stats.min:.6g} to {data.num_stats.max:.6g}"
    if what in ("presence", "shape"):
        return f"missing in {_count(statistics.num_missing)} of {_count(total)} rows"
    return f"TFDV says: {short.lower()}"


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _percent(share: float) -> str:
    """Return a share in percent; what is not all is never called 100 %."""
    text = f"{100 * share:.3g}"
    return "99.9+ %" if text == "100" and share < 1 else f"{text} %"


def common_of(data: Any) -> Any:
    """Return the counts that a column's statistics have whatever its type is."""
    for kind in ("num_stats", "string_stats", "bytes_stats"):
        if data.HasField(kind):
            return getattr(data, kind).common_stats
    return data.struct_stats.common_stats
