"""The declared features in the order and grouping that the graph, the ONNX form and the files use.

Rules:
1. features are sorted by column name; `dense` and `ids` keep that order, a cyclic feature is two
   neighbours, sine before cosine;
2. columns of one kind are computed as one tensor and put in order afterwards, so that the number
   of TFT's analyzers does not grow with the number of numeric columns;
3. a vocabulary takes text, or whole numbers as their decimal digits; the other kinds take numbers;
   a feature of the label, of a leakage column or of no column at all is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from components.core.errors import SettingsError
from components.core.examples import ExamplesManifest, InputType
from components.core.settings import Feature, Source, Transform


@dataclass(frozen=True)
class Scaled:
    """A z-scored column, of log(1 + max(x, 0)) where `logged`."""

    column: str
    logged: bool


@dataclass(frozen=True)
class Cyclic:
    """A column on a circle of the given period."""

    column: str
    period: float


@dataclass(frozen=True)
class Vocabulary:
    """A column whose values are looked up among the `top_k` most frequent."""

    column: str
    top_k: int


@dataclass(frozen=True)
class DeclaredFeatures:
    """What the settings declare, grouped by kind, each group sorted by column."""

    scaled: tuple[Scaled, ...]
    cyclic: tuple[Cyclic, ...]
    vocabularies: tuple[Vocabulary, ...]

    @property
    def inputs(self) -> dict[str, InputType]:
        """Return the raw inputs by name, sorted."""
        kinds: dict[str, InputType] = {f.column: "string" for f in self.vocabularies}
        for column in (*(f.column for f in self.scaled), *(f.column for f in self.cyclic)):
            kinds[column] = "float32"
        return dict(sorted(kinds.items()))

    @property
    def dense(self) -> tuple[str, ...]:
        """Return the names of the columns of `dense` (rule 1)."""
        return tuple(self._computed()[place] for place in self.dense_order)

    @property
    def dense_order(self) -> tuple[int, ...]:
        """Return the place, among scaled, sines and cosines, of each column of `dense`."""
        circles = [f.column for f in self.cyclic]
        owners = [*(f.column for f in self.scaled), *circles, *circles]
        return tuple(sorted(range(len(owners)), key=lambda place: (owners[place], place)))

    def _computed(self) -> tuple[str, ...]:
        return (
            *(f.column for f in self.scaled),
            *(f"{f.column}_sin" for f in self.cyclic),
            *(f"{f.column}_cos" for f in self.cyclic),
        )


def declare(transform: Transform, source: Source, manifest: ExamplesManifest) -> DeclaredFeatures:
    """Return the declared features after checking each against the examples (rule 3).

    Raises SettingsError naming the feature.
    """
    features = dict(sorted(transform.features.items()))
    for name, feature in features.items():
        _check(name, feature, source, manifest.columns, manifest.label)
    return DeclaredFeatures(
        scaled=tuple(
            Scaled(name, feature.kind == "log_zscore")
            for name, feature in features.items()
            if feature.kind in ("zscore", "log_zscore")
        ),
        cyclic=tuple(Cyclic(n, f.period) for n, f in features.items() if f.period is not None),
        vocabularies=tuple(
            Vocabulary(n, f.top_k) for n, f in features.items() if f.kind == "vocabulary"
        ),
    )


def _check(
    name: str, feature: Feature, source: Source, columns: Mapping[str, str], label: str
) -> None:
    if name in (*source.leakage, source.target.column, label):
        raise SettingsError(
            f"feature {name} is known only after the prediction",
            remedy="remove it from transform.features",
        )
    if name in ("dense", "ids"):
        raise SettingsError(
            f"feature {name} has the name of an output of the transform",
            remedy="rename the column in the source, or join it with a prefix",
        )
    if name not in columns:
        raise SettingsError(
            f"feature {name} is not a column of the examples",
            remedy=f"declare features of: {', '.join(c for c in columns if c != label)}",
        )
    wanted = ("string", "int64") if feature.kind == "vocabulary" else ("int64", "float64")
    if columns[name] not in wanted:
        raise SettingsError(
            f"feature {name} is {feature.kind}, but its column holds {columns[name]}",
            remedy=f"declare {feature.kind} for columns of {' or '.join(wanted)} only",
            expected=wanted,
            actual=columns[name],
        )
