"""The declared features in the order and grouping that the graph, the ONNX form and the files use.

Rules:
1. features are sorted by name; `dense` and `ids` keep that order. A feature that is several columns
   of `dense` has them as neighbours: its value, or of each circle the sine before the cosine, then
   its missing indicator; the parts of a date are in the order of DatePart;
2. numbers of one kind are computed as one tensor and put in order afterwards, so that the number of
   TFT's analyzers does not grow with the number of numeric columns;
3. vocabulary, hashing and cross take text, or whole numbers as their decimal digits; a date takes
   what source.dates keeps; the other kinds take numbers. A column enters a model once: no column is
   both text and number;
4. a feature of the label, of a leakage column or of no column at all is refused, and so are two
   features with one name in `dense`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Protocol, get_args

from components.core.data_settings import Feature, Source, Transform, date_columns, date_part_column
from components.core.errors import SettingsError
from components.core.examples import InputType
from components.core.words import nearest
from components.transform_features.civil_dates import PERIODS
from components.transform_features.feature_kinds import (
    Bucketized,
    Circle,
    Hashed,
    IdSource,
    Missing,
    Scaled,
    ScaleKind,
    Vocabulary,
    columns_of,
)

TEXT_KINDS = ("vocabulary", "hashing", "cross")
NUMBER_KINDS = ("zscore", "min_max", "log", "log_zscore", "cyclic", "bucketize")


class Columns(Protocol):
    """What is known of the examples: each column's type by its name, and which is the label."""

    @property
    def columns(self) -> Mapping[str, str]:
        """The types of the columns, the label's included."""

    @property
    def label(self) -> str:
        """The label's name."""


@dataclass(frozen=True)
class DeclaredFeatures:
    """What the settings declare, grouped by how it is computed, each group sorted by feature."""

    scaled: tuple[Scaled, ...] = ()
    circles: tuple[Circle, ...] = ()
    missing: tuple[Missing, ...] = ()
    id_sources: tuple[IdSource, ...] = ()

    @property
    def vocabularies(self) -> tuple[Vocabulary, ...]:
        """Return the features that are looked up."""
        return tuple(f for f in self.id_sources if isinstance(f, Vocabulary))

    @property
    def hashed_columns(self) -> tuple[str, ...]:
        """Return the columns whose texts are hashed, sorted."""
        hashed = chain(
            *(f.columns for f in self.id_sources if isinstance(f, Hashed)),
            (f.column for f in self.vocabularies if f.oov_buckets > 1),
        )
        return tuple(sorted(set(hashed)))

    @property
    def inputs(self) -> dict[str, InputType]:
        """Return the raw inputs by name, sorted."""
        kinds: dict[str, InputType] = {}
        numbers: tuple[Scaled | Circle | Missing, ...]
        numbers = (*self.scaled, *self.circles, *self.missing)
        kinds |= {feature.column: "float32" for feature in numbers}
        for source in self.id_sources:
            numeric = isinstance(source, Bucketized)
            kinds |= dict.fromkeys(columns_of(source), "float32" if numeric else "string")
        return dict(sorted(kinds.items()))

    @property
    def dense(self) -> tuple[str, ...]:
        """Return the names of the columns of `dense` (rule 1)."""
        computed = self.computed
        return tuple(computed[place] for place in self.dense_order)

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the names of the columns of `ids` (rule 1)."""
        return tuple(feature.name for feature in self.id_sources)

    @property
    def computed(self) -> tuple[str, ...]:
        """Return the columns of `dense` as they are computed: scaled, sines, cosines, missing."""
        return (
            *(f.name for f in self.scaled),
            *(f"{f.name}_sin" for f in self.circles),
            *(f"{f.name}_cos" for f in self.circles),
            *(f"{f.name}_missing" for f in self.missing),
        )

    @property
    def dense_order(self) -> tuple[int, ...]:
        """Return the place, in `computed`, of each column of `dense`."""
        keys = [
            *((owner(f), 0, 0) for f in self.scaled),
            *((owner(f), _rank(f), 0) for f in self.circles),
            *((owner(f), _rank(f), 1) for f in self.circles),
            *((owner(f), len(PERIODS), 0) for f in self.missing),
        ]
        return tuple(sorted(range(len(keys)), key=keys.__getitem__))


def owner(feature: Scaled | Circle | Missing) -> str:
    """Return the name of the declared feature that a column of `dense` belongs to."""
    if isinstance(feature, Circle) and feature.part:
        return feature.name.removesuffix(f"_{feature.part}")
    return feature.name


def _rank(circle: Circle) -> int:
    return list(PERIODS).index(circle.part) if circle.part else 0


def declare(transform: Transform, source: Source, examples: Columns) -> DeclaredFeatures:
    """Return the declared features after checking each against the examples (rules 3 and 4).

    Raises SettingsError naming the feature.
    """
    features = dict(sorted(transform.features.items()))
    for name, feature in features.items():
        _check(name, feature, source, examples)
    _check_one_type(features)
    declared = DeclaredFeatures(
        scaled=tuple(chain.from_iterable(_scaled(n, f) for n, f in features.items())),
        circles=tuple(chain.from_iterable(_circles(n, f) for n, f in features.items())),
        missing=tuple(
            Missing(n, f.column or n) for n, f in features.items() if f.missing_indicator
        ),
        id_sources=tuple(chain.from_iterable(_id_source(n, f) for n, f in features.items())),
    )
    _check_names(declared)
    return declared


def _scaled(name: str, feature: Feature) -> Iterator[Scaled]:
    for kind in get_args(ScaleKind):
        if feature.kind == kind:
            yield Scaled(name, feature.column or name, kind)


def _circles(name: str, feature: Feature) -> Iterator[Circle]:
    column = feature.column or name
    if feature.period is not None:
        yield Circle(name, column, feature.period)
    for part, period in PERIODS.items():
        if part in feature.parts:
            yield Circle(f"{name}_{part}", date_part_column(column, part), period, part)


def _id_source(name: str, feature: Feature) -> Iterator[IdSource]:
    column = feature.column or name
    if feature.kind == "vocabulary":
        yield Vocabulary(name, column, feature.top_k, feature.minimum_count, feature.oov_buckets)
    elif feature.buckets is not None and feature.kind == "bucketize":
        yield Bucketized(name, column, feature.buckets)
    elif feature.buckets is not None:
        yield Hashed(name, feature.columns or (column,), feature.buckets)


def _check(name: str, feature: Feature, source: Source, examples: Columns) -> None:
    known_later = {*source.leakage, source.target.column, examples.label}
    named = {feature.column or name, *feature.columns}
    if feature.kind == "date" and not named <= set(source.dates):
        raise SettingsError(
            f"feature {name} is a date, but source.dates does not keep its column",
            remedy="add the column to source.dates",
        )
    for column in feature.inputs(name):
        if known_later & {column, *named, *_dates_of(column, source)}:
            raise SettingsError(
                f"feature {name} is known only after the prediction",
                remedy="remove it from transform.features",
            )
        if column in ("dense", "ids"):
            raise SettingsError(
                f"feature {name} is made of {column}, which is the name of an output of the "
                "transform",
                remedy="rename the column in the source, or join it with a prefix",
            )
        _check_type(name, feature.kind, column, examples)


def _dates_of(column: str, source: Source) -> list[str]:
    """Return the date that a column of whole numbers was made of."""
    return [date for date in source.dates if column in date_columns(date)]


def _check_type(name: str, kind: str, column: str, examples: Columns) -> None:
    columns = examples.columns
    if column not in columns:
        subject = "" if column == name else f" made of {column}, which is"
        raise SettingsError(
            f"feature {name} is{subject} not a column of the examples",
            remedy=f"declare features of: {', '.join(c for c in columns if c != examples.label)}",
        )
    wanted = ("string", "int64") if kind in TEXT_KINDS else ("int64", "float64")
    if (found := columns[column]) not in wanted:
        near = nearest(column, (name for name in columns if columns[name] in wanted))
        kinds = TEXT_KINDS if found == "string" else NUMBER_KINDS
        raise SettingsError(
            f"feature {name} is {kind}, but its column {column} holds {found}{near}",
            remedy=f"declare {kind} for columns of {' or '.join(wanted)} only; {found} is for "
            f"{', '.join(kinds)}",
            expected=wanted,
            actual=found,
        )


def _check_one_type(features: Mapping[str, Feature]) -> None:
    uses: dict[str, dict[bool, str]] = {}
    for name, feature in features.items():
        for column in feature.inputs(name):
            uses.setdefault(column, {})[feature.kind in TEXT_KINDS] = name
    for column, by_text in uses.items():
        if len(by_text) > 1:
            raise SettingsError(
                f"column {column} is text for feature {by_text[True]} and a number for feature "
                f"{by_text[False]}, but a column enters a model once",
                remedy="use bucketize for numbers, or add the column to the source once more",
            )


def _check_names(declared: DeclaredFeatures) -> None:
    counts = Counter((*declared.computed, *declared.ids))
    for name, count in counts.items():
        if count > 1:
            raise SettingsError(
                f"{count} features are called {name} once they are computed",
                remedy="rename one of them in transform.features",
            )
