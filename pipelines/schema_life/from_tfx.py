"""A schema of TFX's made one of the examples that ingestion makes of the same rows.

Why: SchemaGen describes the rows of a source, and a run's schema the examples: with the label,
without what it was made of and what is known later.

Rules:
1. what ingestion leaves out goes, what it adds comes: the label, the day of the week, the numbers
   of a date, the split that a file's place names; columns of joins, and those that a query on the
   rows makes, are in no schema of the source;
2. `types` of the table count here as they do for the rows;
3. TFX's generators write an empty list where a row has no value, and TFDV takes that for a value: a
   feature that need not have one in each row may be missing here;
4. all else stays: types, domains, ranges, comparators, environments; no data is looked at.

Nothing here loads TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from components.core.data_settings import Source, Target, date_columns
from components.core.errors import SettingsError
from components.core.words import nearest
from components.reading.patterns import SPLIT
from components.reading.split_column import SPLIT_COLUMN
from components.validate_examples.schema import SERVING, TRAINING, is_of_one_value

TYPES = {"int64": schema_pb2.INT, "float64": schema_pb2.FLOAT, "string": schema_pb2.BYTES}
_ROWS = (schema_pb2.INT, schema_pb2.FLOAT, schema_pb2.BYTES)
_WEEK = (1, 7)


def schema_of_examples(stock: schema_pb2.Schema, source: Source) -> schema_pb2.Schema:
    """Return the schema of the examples; SettingsError for one that is not of the source's rows."""
    _require_rows(stock)
    _require_columns({feature.name for feature in stock.feature}, source)
    left_out, made = _left_out(source), schema_pb2.Schema()
    made.CopyFrom(stock)
    made.ClearField("feature")
    made.ClearField("tensor_representation_group")
    kept = [_kept(f, source.table.types) for f in stock.feature if f.name not in left_out]
    features = [*kept, *_added(source)]
    made.feature.extend(sorted(features, key=lambda feature: str(feature.name)))
    for environment in (TRAINING, SERVING):
        if environment not in made.default_environment:
            made.default_environment.append(environment)
    _drop_unused_domains(made)
    return made


def _require_rows(stock: schema_pb2.Schema) -> None:
    """Raise SettingsError for features that no column of single values can be."""
    for feature in stock.feature:
        if feature.type not in _ROWS or feature.HasField("value_counts"):
            kind = schema_pb2.FeatureType.Name(feature.type)
            raise _refused(feature.name, f"is nested or of type {kind}")
        if not is_of_one_value(feature):
            raise _refused(feature.name, "has several values in a row")
    for feature in (*stock.sparse_feature, *stock.weighted_feature):
        raise _refused(feature.name, "is made of several features")


def _refused(name: str, how: str) -> SettingsError:
    return SettingsError(
        f"the schema's {name} {how}, and a row here has one number or text of each column",
        remedy="write the rows with a feature for each value",
    )


def _require_columns(columns: set[str], source: Source) -> None:
    """Raise SettingsError where the settings are of other rows.

    Joins may bring any column, and a query may make any.
    """
    may_be_made = bool(source.joins or source.table.query)
    asked = {"target.column": [source.target.column]}
    asked |= {"leakage": list(source.leakage), "leave_out": list(source.leave_out)}
    for key, names in asked.items():
        for name in names:
            if name not in columns | {_split_of(source)} and not may_be_made:
                raise SettingsError(
                    f"the schema has no {name}, which source.{key} names{nearest(name, columns)}",
                    remedy=f"give the schema of the source's rows; this one has: "
                    f"{', '.join(sorted(columns))}",
                )
    for feature in _added(source):
        if feature.name in columns:
            raise SettingsError(
                f"the schema has {feature.name}, which ingestion adds to the rows",
                remedy="give it another name in the settings' section source",
            )


def _left_out(source: Source) -> set[str]:
    times = {name for name, kind in source.table.types.items() if kind == "timestamp"}
    return {source.target.column, *source.leakage, *source.leave_out, *source.dates, *times}


def _kept(stock: Any, types: Mapping[str, str]) -> Any:
    """Return a feature as the examples have it (rules 2 and 3)."""
    feature = schema_pb2.Feature()
    feature.CopyFrom(stock)
    kind = TYPES.get(types.get(feature.name, ""), feature.type)
    if feature.type != kind:
        feature.type = kind
        feature.ClearField("domain_info")
    if not feature.HasField("shape") and feature.value_count.min < 1:
        feature.presence.ClearField("min_fraction")
    return feature


def _added(source: Source) -> list[Any]:
    """Return the features of what ingestion adds to the rows (rule 1)."""
    added = [_label(source.target)]
    if source.weekday:
        added.append(_complete(source.weekday, schema_pb2.INT))
        added[-1].int_domain.min, added[-1].int_domain.max = _WEEK
    for date in source.dates:
        for name in date_columns(date):
            added.append(schema_pb2.Feature(name=name, type=schema_pb2.INT))
    split = _split_of(source)
    if split and split not in source.leave_out:
        added.append(_complete(split, schema_pb2.BYTES))
    return added


def _split_of(source: Source) -> str:
    return SPLIT_COLUMN if SPLIT in (source.table.location or "") else ""


def _label(target: Target) -> Any:
    """Return the label's feature, which a row that is served does not have."""
    number = target.task == "regression"
    label = _complete(target.name, schema_pb2.FLOAT if number else schema_pb2.INT)
    if target.classes:
        label.int_domain.min, label.int_domain.max = 0, len(target.classes) - 1
    elif not number:
        label.bool_domain.SetInParent()
    label.not_in_environment.append(SERVING)
    return label


def _complete(name: str, kind: Any) -> Any:
    """Return a feature that every row has."""
    feature = schema_pb2.Feature(name=name, type=kind)
    feature.presence.min_fraction, feature.presence.min_count = 1.0, 1
    feature.shape.dim.add(size=1)
    return feature


def _drop_unused_domains(schema: schema_pb2.Schema) -> None:
    used = {feature.domain for feature in schema.feature}
    kept = [domain for domain in schema.string_domain if domain.name in used]
    schema.ClearField("string_domain")
    schema.string_domain.extend(sorted(kept, key=lambda domain: str(domain.name)))
