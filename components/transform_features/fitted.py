"""What the analysis found: means, standard deviations and vocabularies, as one frozen value.

Why: the fitted values are what an auditor asks for and what the ONNX form is built of; they are
read back from TFT's saved graph and its assets, never computed a second time.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

from components.core.artifacts import write_json
from components.core.errors import IntegrityError
from components.core.examples import InputType
from components.core.settings import Section
from components.transform_features.declared import DeclaredFeatures

FILE_NAME = "preprocessing.json"
MEAN_NODE = "fitted_mean"
VARIANCE_NODE = "fitted_variance"
# A deviation this small beside the mean is rounding: the column is constant and stays unscaled.
RELATIVE_ZERO = 1e-12


class RawInput(Section):
    """One raw input, rank 1."""

    name: str
    dtype: InputType


class ScaledColumn(Section):
    """(x - mean) / standard_deviation; a constant column has deviation 0 and is divided by 1."""

    name: str
    kind: Literal["zscore", "log_zscore"]
    mean: float
    standard_deviation: float

    @property
    def divisor(self) -> float:
        """Return what x - mean is divided by."""
        return self.standard_deviation or 1.0


class CyclicColumn(Section):
    """sin or cos of 2 pi x / period."""

    name: str
    kind: Literal["sin", "cos"]
    column: str
    period: float


class IdColumn(Section):
    """An id for each text of the vocabulary, in its order; everything else has the id `size`."""

    name: str
    size: int
    vocabulary: tuple[str, ...]


class FittedTransform(Section):
    """The whole transform; `dense` and `ids` are in the order of the features' columns."""

    version: Literal[1] = 1
    inputs: tuple[RawInput, ...]
    dense: tuple[ScaledColumn | CyclicColumn, ...]
    ids: tuple[IdColumn, ...]

    def write(self, folder: Path) -> None:
        """Write preprocessing.json; equal values give equal bytes."""
        write_json(folder / FILE_NAME, self.model_dump(mode="json"))


def read_fitted(transform_graph: Path, declared: DeclaredFeatures) -> FittedTransform:
    """Return the fitted values of TFT's output folder.

    Raises IntegrityError where the graph does not hold them as the declared features need.
    """
    scaled = _scaled_columns(transform_graph, declared)
    computed: list[ScaledColumn | CyclicColumn] = [*scaled]
    for part in ("sin", "cos"):
        computed += [_cyclic_column(part, f.column, f.period) for f in declared.cyclic]
    return FittedTransform(
        inputs=tuple(RawInput(name=n, dtype=kind) for n, kind in declared.inputs.items()),
        dense=tuple(computed[place] for place in declared.dense_order),
        ids=_id_columns(transform_graph, declared),
    )


def _cyclic_column(part: Any, column: str, period: float) -> CyclicColumn:
    return CyclicColumn(name=f"{column}_{part}", kind=part, column=column, period=period)


def _scaled_columns(folder: Path, declared: DeclaredFeatures) -> list[ScaledColumn]:
    if not declared.scaled:
        return []
    means, variances = _constants(folder, (MEAN_NODE, VARIANCE_NODE))
    return [
        ScaledColumn(
            name=feature.column,
            kind="log_zscore" if feature.logged else "zscore",
            mean=mean,
            standard_deviation=_deviation(mean, variance),
        )
        for feature, mean, variance in zip(declared.scaled, means, variances, strict=True)
    ]


def _deviation(mean: float, variance: float) -> float:
    deviation = math.sqrt(variance)
    return 0.0 if deviation <= RELATIVE_ZERO * abs(mean) else deviation


def _constants(folder: Path, names: tuple[str, ...]) -> list[list[float]]:
    """Return the values that the saved function captured under the names given to them."""
    import tensorflow as tf

    function = tf.saved_model.load(str(folder / "transform_fn")).transform_fn
    captured = function.captured_inputs
    placeholders = [tensor.name for tensor in function.inputs[-len(captured) :]]
    values = dict(zip(placeholders, captured, strict=True))
    found = []
    for name in names:
        source = function.graph.get_operation_by_name(name).inputs[0].name
        if source not in values:
            raise IntegrityError(
                f"the transform graph does not hold {name} as a constant",
                remedy="this TFT version stores analyzer results differently: use the locked one",
            )
        found.append([float(value) for value in values[source].numpy()])
    return found


def _id_columns(folder: Path, declared: DeclaredFeatures) -> tuple[IdColumn, ...]:
    import tensorflow_transform as tft

    output = tft.TFTransformOutput(str(folder))
    columns = []
    for feature in declared.vocabularies:
        words = [word.decode("utf-8") for word in output.vocabulary_by_name(feature.column)]
        columns.append(IdColumn(name=feature.column, size=len(words), vocabulary=tuple(words)))
    return tuple(columns)
