"""The wide-and-deep family without a framework (Cheng et al. 2016, arXiv:1606.07792).

For dense d and ids i, with `rows` the rows of i in a table:
    deep   = stack([d, embedding[rows]])
    output = W_out . deep + b_out + wide_dense . d + sum over features of wide_ids[rows]

Rules: wide weights start at zero; the others as components.training.families.weights says.
"""

from __future__ import annotations

from components.core.features import FeatureSpec
from components.core.model_settings import ModelFamily
from components.training.families.weights import (
    Array,
    Weights,
    dense,
    draw,
    inputs_width,
    stack,
    stack_width,
    table,
    zeros,
)

FAMILY = "wide_and_deep"


def weights(spec: FeatureSpec, family: ModelFamily) -> Weights:
    """Return the weights in the order of drawing."""
    width = inputs_width(spec, family)
    found = table("inputs.embedding", spec, family.embedding_dim)
    found |= table("wide_ids", spec, spec.outputs, start=zeros)
    if spec.dense:
        found |= dense("wide_dense", len(spec.dense), spec.outputs, bias=False, start=zeros)
    found |= stack("deep", width, family)
    return found | dense("output", stack_width(width, family), spec.outputs)


def initial_weights(spec: FeatureSpec, family: ModelFamily, seed: int) -> dict[str, Array]:
    """Return the weights that both frameworks start from, float32 by name."""
    return draw(weights(spec, family), seed)
