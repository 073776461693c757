"""What the families' weights are made of: names, shapes, and where each starts.

Why: two models are comparable only if they are the same function. Both frameworks load the weights
that are drawn here, so both start from equal numbers.

Rules:
1. a family's weights are a mapping in the order of drawing, from PCG64 and the seed only;
2. kernels are [inputs, outputs] and Glorot-uniform (Glorot and Bengio 2010); biases start at zero;
3. one table holds the rows of all id features, one feature after the other; its rows are normal
   with the deviation TABLE_DEVIATION;
4. a bias that a batch normalisation follows is left out: its gradient is rounding noise, which
   Adam would turn into steps of full length, other ones in each framework.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from components.core.features import FeatureSpec
from components.core.model_settings import ModelFamily

# Epsilons are added to the variance. The momentum is the share of a running statistic that a batch
# leaves: statistic = MOMENTUM * statistic + (1 - MOMENTUM) * that of the batch.
LAYER_EPSILON = 1e-5
BATCH_EPSILON = 1e-3
MOMENTUM = 0.99
TABLE_DEVIATION = 0.05

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
Start = Callable[[np.random.Generator, Shape], Array]


class Weight(NamedTuple):
    """A weight's shape, and what draws its first value."""

    shape: Shape
    start: Start


Weights = dict[str, Weight]


def draw(weights: Mapping[str, Weight], seed: int) -> dict[str, Array]:
    """Return the first values, float32 by name (rule 1)."""
    random = np.random.default_rng(seed)
    return {
        name: weight.start(random, weight.shape).astype(np.float32)
        for name, weight in weights.items()
    }


def shapes(weights: Mapping[str, Weight]) -> dict[str, Shape]:
    """Return {weight: shape}."""
    return {name: weight.shape for name, weight in weights.items()}


def check_names(weights: Mapping[str, Array], expected: Mapping[str, Shape]) -> None:
    """Raise ValueError unless the weights have exactly the names and shapes expected."""
    actual = {name: array.shape for name, array in weights.items()}
    if actual != dict(expected):
        raise ValueError(f"weights {actual} are not those of the model: {dict(expected)}")


def zeros(_: np.random.Generator, shape: Shape) -> Array:
    """Start at zero."""
    return np.zeros(shape)


def ones(_: np.random.Generator, shape: Shape) -> Array:
    """Start at one."""
    return np.ones(shape)


def glorot(random: np.random.Generator, shape: Shape) -> Array:
    """Draw from U(-a, a) with a = sqrt(6 / (inputs + outputs))."""
    limit = np.sqrt(6 / sum(shape))
    return random.uniform(-limit, limit, shape)


def table_rows(random: np.random.Generator, shape: Shape) -> Array:
    """Draw from N(0, TABLE_DEVIATION^2)."""
    return random.standard_normal(shape) * TABLE_DEVIATION


def id_rows(spec: FeatureSpec) -> int:
    """Return the rows of a table that all id features share."""
    return sum(feature.buckets for feature in spec.ids)


def id_offsets(spec: FeatureSpec) -> Array:
    """Return each id feature's first row in a shared table: int32 [K]."""
    ends = np.cumsum([0, *(feature.buckets for feature in spec.ids)])
    return ends[:-1].astype(np.int32)


def table(name: str, spec: FeatureSpec, width: int, start: Start = table_rows) -> Weights:
    """Return the table of all id features; nothing where there are none."""
    return {f"{name}.table": Weight((id_rows(spec), width), start)} if spec.ids else {}


def inputs_width(spec: FeatureSpec, family: ModelFamily) -> int:
    """Return the width of [d, embedding of each id]."""
    return len(spec.dense) + len(spec.ids) * family.embedding_dim


def dense(
    name: str, inputs: int, outputs: int, *, bias: bool = True, start: Start = glorot
) -> Weights:
    """Return the weights of W . x + b."""
    found = {f"{name}.kernel": Weight((inputs, outputs), start)}
    return found | ({f"{name}.bias": Weight((outputs,), zeros)} if bias else {})


def normalisation(name: str, width: int, kind: str) -> Weights:
    """Return scale and shift, with the running mean and variance of a batch normalisation."""
    starts = {"none": {}, "layer": {"scale": ones, "shift": zeros}}
    starts["batch"] = starts["layer"] | {"mean": zeros, "variance": ones}
    return {f"{name}.{part}": Weight((width,), start) for part, start in starts[kind].items()}


def stack(name: str, inputs: int, family: ModelFamily) -> Weights:
    """Return the weights of dropout(relu(normalise(W_n . x + b_n))) for each of hidden_units."""
    found: Weights = {}
    for number, (wide, units) in enumerate(stack_layers(inputs, family)):
        has_bias = family.normalisation != "batch"
        found |= dense(f"{name}.hidden_{number}", wide, units, bias=has_bias)
        found |= normalisation(f"{name}.normal_{number}", units, family.normalisation)
    return found


def stack_layers(inputs: int, family: ModelFamily) -> tuple[tuple[int, int], ...]:
    """Return the (inputs, outputs) of each hidden layer."""
    widths = (inputs, *family.hidden_units)
    return tuple(pairwise(widths))


def stack_width(inputs: int, family: ModelFamily) -> int:
    """Return the width of what a stack gives."""
    return family.hidden_units[-1] if family.hidden_units else inputs
