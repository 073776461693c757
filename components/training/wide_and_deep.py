"""The wide-and-deep family without a framework: its weights by name, and where they start.

Why: two models are comparable only if they are the same function. Both frameworks' model functions
load the weights that are drawn here, so both start from equal numbers.

The function (Cheng et al. 2016, arXiv:1606.07792), for dense d and ids i:
    rows  = i + offsets                  one table holds the rows of all id features
    deep  = W_out . relu(... relu(W_0 . [d, embedding[rows]] + b_0) ...) + b_out
    logit = deep + wide_dense . d + sum over features of wide_ids[rows]

Rules: kernels are [inputs, outputs]; draws happen in the order of `shapes`, from PCG64 and the
seed only; biases and wide weights start at zero, kernels are Glorot-uniform.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from components.core.features import FeatureSpec
from components.core.settings import ModelFamily

FAMILY = "wide_and_deep"
EMBEDDING_SCALE = 0.05
Array = np.ndarray[Any, Any]


def id_rows(spec: FeatureSpec) -> int:
    """Return the rows of the tables that all id features share."""
    return sum(feature.buckets for feature in spec.ids)


def id_offsets(spec: FeatureSpec) -> Array:
    """Return each id feature's first row in the shared tables: int32 [K]."""
    ends = np.cumsum([0, *(feature.buckets for feature in spec.ids)])
    return ends[:-1].astype(np.int32)


def shapes(spec: FeatureSpec, family: ModelFamily) -> dict[str, tuple[int, ...]]:
    """Return {weight: shape} in the order of drawing."""
    dense = len(spec.dense)
    found: dict[str, tuple[int, ...]] = {}
    if spec.ids:
        found["embedding"] = (id_rows(spec), family.embedding_dim)
        found["wide_ids"] = (id_rows(spec), 1)
    if dense:
        found["wide_dense"] = (dense, 1)
    width = dense + len(spec.ids) * family.embedding_dim
    for layer, units in enumerate(family.hidden_units):
        found[f"hidden_{layer}.kernel"] = (width, units)
        found[f"hidden_{layer}.bias"] = (units,)
        width = units
    return found | {"deep.kernel": (width, 1), "deep.bias": (1,)}


def initial_weights(spec: FeatureSpec, family: ModelFamily, seed: int) -> dict[str, Array]:
    """Return the weights that both frameworks start from, float32 by name."""
    random = np.random.default_rng(seed)
    return {name: _draw(random, name, shape) for name, shape in shapes(spec, family).items()}


def _draw(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> Array:
    if name == "embedding":
        return (random.standard_normal(shape) * EMBEDDING_SCALE).astype(np.float32)
    if name.endswith(".kernel"):
        limit = np.sqrt(6 / sum(shape))
        return random.uniform(-limit, limit, shape).astype(np.float32)
    return np.zeros(shape, dtype=np.float32)


def check_names(weights: Mapping[str, Array], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ValueError unless the weights have exactly the names and shapes expected."""
    actual = {name: array.shape for name, array in weights.items()}
    if actual != dict(expected):
        raise ValueError(f"weights {actual} are not those of the model: {dict(expected)}")
