"""What the analysis found: means, limits, quantiles and vocabularies, as one frozen value.

Why: the fitted values are what an auditor asks for and what the ONNX form is built of; they are
read back from TFT's saved graph and its assets, never computed a second time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from components.core.artifacts import write_json
from components.core.errors import DataError, IntegrityError
from components.core.examples import InputType
from components.core.features import IdFeature
from components.core.settings import Section
from components.transform_features import text_hash
from components.transform_features.declared import DeclaredFeatures
from components.transform_features.feature_kinds import (
    Bucketized,
    Circle,
    Hashed,
    IdSource,
    Scaled,
    Vocabulary,
)
from components.transform_features.fitted_columns import (
    AffineColumn,
    BucketColumn,
    CyclicColumn,
    DenseColumn,
    HashColumn,
    IdColumn,
    LogColumn,
    MissingColumn,
    RangedColumn,
    ScaledColumn,
    VocabularyColumn,
)

FILE_NAME = "preprocessing.json"
MEAN_NODE = "fitted_mean"
VARIANCE_NODE = "fitted_variance"
LIMITS_NODE = "fitted_limits"
# A deviation this small beside the mean is rounding: the column is constant and stays unscaled.
RELATIVE_ZERO = 1e-12
# The smallest float32 of full precision; what lies nearer to 0 is 0 to bucketize.
SMALLEST = 2.0**-126
NOTHING = "no text occurs often enough: 4c6b7ea1-ff5d-4d2f-9c25-6f86bb1f0a3c"


def quantiles_node(buckets: int) -> str:
    """Return the name of the graph's node that holds the boundaries of so many buckets."""
    return f"fitted_quantiles_{buckets}"


def rank_error(buckets: int) -> float:
    """Return how far a boundary's rank may be off, as a share of the rows: a tenth of a bucket.

    TFT's quantiles are those of a sketch (tfx_bsl's weighted quantiles summary), which keeps this
    bound, at most 0.001, in little memory.
    """
    return min(0.001, 0.1 / buckets)


class RawInput(Section):
    """One raw input, rank 1."""

    name: str
    dtype: InputType


class FittedTransform(Section):
    """The whole transform; `dense` and `ids` are in the order of the features' columns."""

    version: Literal[1] = 1
    inputs: tuple[RawInput, ...]
    dense: tuple[DenseColumn, ...]
    ids: tuple[IdColumn, ...]

    @property
    def id_features(self) -> tuple[IdFeature, ...]:
        """Return what a model must know of each column of `ids`."""
        return tuple(IdFeature(name=c.name, size=c.size, further=c.further) for c in self.ids)

    def write(self, folder: Path) -> None:
        """Write preprocessing.json; equal values give equal bytes."""
        write_json(folder / FILE_NAME, self.model_dump(mode="json"))


def read_fitted(transform_graph: Path, declared: DeclaredFeatures) -> FittedTransform:
    """Return the fitted values of TFT's output folder.

    Raises IntegrityError where the graph does not hold them as the declared features need, and
    DataError for a vocabulary in which no text occurs often enough.
    """
    constants = Constants(transform_graph) if _needs_constants(declared) else None
    scaled = _scaled_columns(constants, declared.scaled)
    circles = [_circle_column(part, f) for part in ("sin", "cos") for f in declared.circles]
    missing = [MissingColumn(name=f"{f.name}_missing", column=f.column) for f in declared.missing]
    computed = list(chain[DenseColumn](scaled, circles, missing))
    return FittedTransform(
        inputs=tuple(RawInput(name=n, dtype=kind) for n, kind in declared.inputs.items()),
        dense=tuple(computed[place] for place in declared.dense_order),
        ids=_id_columns(transform_graph, constants, declared.id_sources),
    )


def _circle_column(wave: Any, circle: Circle) -> CyclicColumn:
    return CyclicColumn(
        name=f"{circle.name}_{wave}",
        kind=wave,
        column=circle.column,
        period=circle.period,
        part=circle.part,
    )


def _needs_constants(declared: DeclaredFeatures) -> bool:
    fits = any(feature.kind != "log" for feature in declared.scaled)
    return fits or any(isinstance(feature, Bucketized) for feature in declared.id_sources)


def _scaled_columns(constants: Constants | None, features: Sequence[Scaled]) -> list[AffineColumn]:
    normal = [f.name for f in features if f.kind in ("zscore", "log_zscore")]
    ranged = [f.name for f in features if f.kind == "min_max"]
    moments, limits = {}, {}
    if constants and normal:
        means, variances = constants.read(MEAN_NODE), constants.read(VARIANCE_NODE)
        moments = dict(zip(normal, zip(means, variances, strict=True), strict=True))
    if constants and ranged:
        largest, negated = np.split(constants.read(LIMITS_NODE), 2)
        limits = dict(zip(ranged, zip(-negated, largest, strict=True), strict=True))
    return [_scaled_column(f, moments.get(f.name), limits.get(f.name)) for f in features]


def _scaled_column(
    feature: Scaled, moments: tuple[Any, Any] | None, limits: tuple[Any, Any] | None
) -> AffineColumn:
    if moments and feature.kind != "min_max" and feature.kind != "log":
        return ScaledColumn(
            name=feature.name,
            kind=feature.kind,
            column=feature.column,
            mean=float(moments[0]),
            standard_deviation=_deviation(*map(float, moments)),
        )
    if limits:
        # Adding 0 turns -0 into 0.
        low, high = (float(limit) + 0.0 for limit in limits)
        return RangedColumn(name=feature.name, column=feature.column, minimum=low, maximum=high)
    return LogColumn(name=feature.name, column=feature.column)


def _deviation(mean: float, variance: float) -> float:
    deviation = math.sqrt(variance)
    return 0.0 if deviation <= RELATIVE_ZERO * abs(mean) else deviation


class Constants:
    """The values that the saved function captured, by the names given to them in graph.py."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        # The function holds the resources of what was loaded: it must stay referred to.
        self._loaded = tf.saved_model.load(str(folder / "transform_fn"))
        self._function = self._loaded.transform_fn
        captured = self._function.captured_inputs
        placeholders = [tensor.name for tensor in self._function.inputs[-len(captured) :]]
        self._values = dict(zip(placeholders, captured, strict=True))

    def read(self, name: str) -> np.ndarray[Any, Any]:
        """Return one constant."""
        source = self._function.graph.get_operation_by_name(name).inputs[0].name
        if source not in self._values:
            raise IntegrityError(
                f"the transform graph does not hold {name} as a constant",
                remedy="this TFT version stores analyzer results differently: use the locked one",
            )
        return np.asarray(self._values[source].numpy())


def _id_columns(
    folder: Path, constants: Constants | None, sources: Sequence[IdSource]
) -> tuple[IdColumn, ...]:
    boundaries = _boundaries(constants, [s for s in sources if isinstance(s, Bucketized)])
    columns: list[IdColumn] = []
    for source in sources:
        if isinstance(source, Vocabulary):
            columns.append(_vocabulary_column(folder, source))
        elif isinstance(source, Hashed):
            columns.append(
                HashColumn(
                    name=source.name,
                    kind="cross" if len(source.columns) > 1 else "hashing",
                    columns=source.columns,
                    size=source.buckets,
                )
            )
        else:
            columns.append(
                BucketColumn(
                    name=source.name,
                    column=source.column,
                    size=source.buckets,
                    boundaries=boundaries[source.name],
                    rank_error=rank_error(source.buckets),
                )
            )
    return tuple(columns)


def _boundaries(
    constants: Constants | None, features: Sequence[Bucketized]
) -> dict[str, tuple[float, ...]]:
    found: dict[str, tuple[float, ...]] = {}
    for buckets in {f.buckets for f in features} if constants else ():
        rows = constants.read(quantiles_node(buckets)) if constants else np.empty(0)
        names = [f.name for f in features if f.buckets == buckets]
        for name, row in zip(names, rows, strict=True):
            found[name] = tuple(float(boundary) + 0.0 for boundary in row)
    return found


def _vocabulary_column(folder: Path, feature: Vocabulary) -> VocabularyColumn:
    content = (folder / "transform_fn" / "assets" / feature.name).read_bytes().decode("utf-8")
    words = tuple(content.split("\n")[:-1])
    if words == (NOTHING,):
        raise DataError(
            f"feature {feature.name} has an empty vocabulary: no text occurs "
            f"{feature.minimum_count} times or more in the training split",
            remedy="lower its minimum_count, or remove the feature",
            expected=feature.minimum_count,
        )
    return VocabularyColumn(
        name=feature.name,
        column=feature.column,
        size=len(words),
        vocabulary=words,
        minimum_count=feature.minimum_count,
        oov_buckets=feature.oov_buckets,
        hash=text_hash.NAME if feature.oov_buckets > 1 else None,
    )
