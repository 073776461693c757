"""A schema inferred from data, and a schema changed for the features that a person names.

Rules:
1. TFDV infers and updates (tfdv.infer_schema, tfdv.update_schema); both splits count;
2. a new schema has the environments training and serving, and its label is in training alone;
   features and domains are sorted by name, so that equal data gives equal text;
3. an update takes over the features named and the domains that they use, nothing else: a new
   column as TFDV infers it; a column of another type as inferred, with the environments it had;
   a column that the data does not have any more becomes DEPRECATED, so that nothing asks for it,
   and one that is there without a value may be missing;
   a domain is dropped where there are more texts than the statistics list, for it would have
   holes;
4. the facts are those of a run's gates (window_data.py): NaN is a missing value, and the ends of an
   `int_domain` are the whole numbers of the rows, which TFDV knows as doubles.

TFDV infers no range of numbers, save 0 or 1; `with_ranges` adds those that were found.
This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2

from components.validate_examples.anomaly_kinds import NEW_COLUMN
from components.validate_examples.page_features import name_of
from components.validate_examples.schema import SERVING, TRAINING
from components.validate_examples.statistics import Statistics
from pipelines.schema_life.difference import Difference
from pipelines.schema_life.window_data import WindowData


def infer(data: WindowData) -> schema_pb2.Schema:
    """Return the first schema of the data (rules 1 and 2)."""
    schema = _inferred(data)
    schema.default_environment.extend((TRAINING, SERVING))
    for feature in schema.feature:
        if feature.name == data.manifest.label:
            feature.not_in_environment.append(SERVING)
    return schema


def _inferred(data: WindowData) -> schema_pb2.Schema:
    """Return the schema that all splits obey, in any environment."""
    rounds = _rounds(data)
    found = tfdv.infer_schema(rounds[0])
    for statistics in rounds:
        found = tfdv.update_schema(found, statistics)
    schema = schema_pb2.Schema()
    schema.feature.extend(sorted(found.feature, key=lambda feature: feature.name))
    schema.string_domain.extend(sorted(found.string_domain, key=lambda domain: domain.name))
    for feature in schema.feature:
        _put_whole_ends(feature, None, data)
        _keep_alive(feature, data)
    return schema


def with_ranges(schema: schema_pb2.Schema, data: WindowData) -> schema_pb2.Schema:
    """Return the schema with the finite range of each number, where it has no domain yet."""
    changed, splits = _copy(schema), list(data.splits.values())
    for feature in changed.feature:
        if feature.WhichOneof("domain_info"):
            continue
        whole = _whole_range(feature.name, data)
        if feature.type == schema_pb2.INT and whole:
            feature.int_domain.min, feature.int_domain.max = whole
        elif feature.type == schema_pb2.FLOAT and (found := _range(feature.name, splits)):
            feature.float_domain.min, feature.float_domain.max = found
    return changed


def _whole_range(name: str, data: WindowData) -> tuple[int, int] | None:
    """Return the range of all splits; None where the column has no whole number."""
    ranges = [ranges[name] for ranges in data.whole.values() if name in ranges]
    if not ranges:
        return None
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _put_whole_ends(feature: Any, before: Any, data: WindowData) -> None:
    """Widen the ends that a range of whole numbers has to the numbers of the rows (rule 4).

    `before` is the feature as it was, whose range stays inside; None where it is new.
    """
    found = _whole_range(feature.name, data)
    if found is None or not feature.HasField("int_domain"):
        return
    low, high = found
    was = (schema_pb2.Feature() if before is None else before).int_domain
    if feature.int_domain.HasField("min"):
        feature.int_domain.min = min(low, was.min) if was.HasField("min") else low
    if feature.int_domain.HasField("max"):
        feature.int_domain.max = max(high, was.max) if was.HasField("max") else high


def _keep_alive(feature: Any, data: WindowData) -> None:
    """Let a column be missing that is there without a value: TFDV takes it for one that is gone."""
    if feature.lifecycle_stage == schema_pb2.DEPRECATED and feature.name in data.manifest.columns:
        feature.ClearField("lifecycle_stage")
        feature.ClearField("shape")
        feature.presence.Clear()
        feature.presence.min_count = 0


def _range(name: str, splits: Sequence[Statistics]) -> tuple[float, float] | None:
    """Return the range of all splits; None where there is no number or one is infinite."""
    ranges = [_range_in(name, statistics) for statistics in splits]
    known = [pair for pair in ranges if pair is not None]
    if not known:
        return None
    low, high = min(pair[0] for pair in known), max(pair[1] for pair in known)
    return (low, high) if math.isfinite(high - low) else None


def _range_in(name: str, statistics: Statistics) -> tuple[float, float] | None:
    """Return the smallest and the largest value; None where there is no number."""
    for data in statistics.datasets[0].features:
        if name_of(data) == name and data.HasField("num_stats"):
            numbers = data.num_stats
            if numbers.common_stats.num_non_missing:
                return numbers.min, numbers.max
    return None


def update(
    schema: schema_pb2.Schema, data: WindowData, found: Collection[Difference]
) -> schema_pb2.Schema:
    """Return the schema changed by what a review of the same data found (rule 3).

    Nothing of these features differs afterwards, save what no schema lets pass: an infinite number.
    """
    changed, inferred = _copy(schema), _inferred(data)
    names = {difference.feature for difference in found}
    for difference in found:
        if difference.what in ("type", NEW_COLUMN):
            _take_inferred(changed, inferred, difference.feature)
    for statistics in _rounds(data):
        updated = tfdv.update_schema(changed, statistics)
        for name in sorted(names):
            _take(changed, updated, name)
            _drop_domain_with_holes(_named(changed.feature, name), statistics)
    for name in names:
        if feature := _named(changed.feature, name):
            _put_whole_ends(feature, _named(schema.feature, name), data)
            _keep_alive(feature, data)
    _drop_unused_domains(changed, schema)
    return changed


def _rounds(data: WindowData) -> list[Statistics]:
    """Return the splits that have rows in turn, twice; a split without rows says nothing.

    Where one split breaks a 0-or-1 domain, TFDV's range for it knows that split alone; the second
    round widens it to the others.
    """
    splits = list(data.splits.values())
    return 2 * ([split for split in splits if split.datasets[0].num_examples] or splits)


def _copy(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    copied = schema_pb2.Schema()
    copied.CopyFrom(schema)
    return copied


def _named(messages: Any, name: str) -> Any:
    return next((message for message in messages if message.name == name), None)


def _take_inferred(changed: schema_pb2.Schema, inferred: schema_pb2.Schema, name: str) -> None:
    """Put the inferred feature in place of the one of this name, or add it."""
    fresh = _named(inferred.feature, name)
    there = _named(changed.feature, name)
    if there is None:
        there = changed.feature.add()
    else:
        for field in ("in_environment", "not_in_environment"):
            getattr(fresh, field).extend(getattr(there, field))
        if there.HasField("annotation"):
            fresh.annotation.CopyFrom(there.annotation)
    there.CopyFrom(fresh)
    domain = _named(inferred.string_domain, fresh.domain)
    if domain is None:
        return
    if _named(changed.string_domain, domain.name) is None:
        changed.string_domain.add().CopyFrom(domain)
    else:  # the name is taken: the feature keeps its values to itself
        there.string_domain.CopyFrom(domain)


def _take(changed: schema_pb2.Schema, updated: schema_pb2.Schema, name: str) -> None:
    """Take over one feature and the domain that it uses."""
    feature = _named(updated.feature, name)
    if feature is None:
        return
    _named(changed.feature, name).CopyFrom(feature)
    domain = _named(updated.string_domain, feature.domain) if feature.domain else None
    there = _named(changed.string_domain, feature.domain)
    if domain is not None and there is not None:
        there.CopyFrom(domain)


def _drop_domain_with_holes(feature: Any, statistics: Statistics) -> None:
    """Drop a text feature's domain where the column has more texts than its statistics list."""
    if feature is None or feature.WhichOneof("domain_info") not in ("domain", "string_domain"):
        return
    for data in statistics.datasets[0].features:
        texts = data.string_stats
        if name_of(data) == feature.name and texts.unique > len(texts.rank_histogram.buckets):
            feature.ClearField("domain_info")


def _drop_unused_domains(changed: schema_pb2.Schema, before: schema_pb2.Schema) -> None:
    """Take out the domains that the change left without a feature."""
    used = {feature.domain for feature in changed.feature}
    freed = {feature.domain for feature in before.feature} - used
    kept = [domain for domain in changed.string_domain if domain.name not in freed]
    del changed.string_domain[:]
    changed.string_domain.extend(kept)
