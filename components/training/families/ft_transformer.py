"""The FT-Transformer family without a framework (Gorishniy et al. 2021, arXiv:2106.11959).

Section 3.3, for dense d and ids i, with t the token dimension:
    tokens = [cls, d_j * dense_j + bias_j for each j, table[row of i_k] + bias_(D+k) for each k]
    block  = x + merge . attention(query . n(x), key . n(x), value . n(x)), then
             x + contract . (a * relu(b)) with [a, b] = expand . n(x)          (ReGLU)
    output = W_out . relu(n(x_cls)) + b_out after the last block

n is a layer normalisation with weights of its own each time; the first block's attention has none
(appendix E.1). The last block asks with the [CLS] token only, since nothing else is read from it.

Rules: the feed-forward width is floor(t * feed_forward_factor); all of the tokens' weights start
uniformly in +-1/sqrt(t), as in the paper's code. `key` has no bias: softmax does not see it, so its
gradient would be rounding noise (rule 4 of components.training.families.weights). Dropout is on the
attention's weights and inside the feed-forward; the paper's third, on what a block adds, is left
out (it is 0 in the paper's defaults).
"""

from __future__ import annotations

import numpy as np

from components.core.features import FeatureSpec
from components.core.model_settings import ModelFamily
from components.training.families.weights import (
    Array,
    Shape,
    Weight,
    Weights,
    dense,
    draw,
    normalisation,
    table,
)

FAMILY = "ft_transformer"


def feed_forward_width(family: ModelFamily) -> int:
    """Return the width between `expand` and `contract`, 1 at least."""
    return max(1, int(family.token_dim * family.feed_forward_factor))


def weights(spec: FeatureSpec, family: ModelFamily) -> Weights:
    """Return the weights in the order of drawing."""
    width, features = family.token_dim, len(spec.dense) + len(spec.ids)
    found = {"tokens.cls": Weight((1, width), _token)}
    if spec.dense:
        found["tokens.dense"] = Weight((len(spec.dense), width), _token)
    found["tokens.bias"] = Weight((features, width), _token)
    found |= table("tokens.embedding", spec, width, start=_token)
    for number in range(family.blocks):
        found |= _block(f"block_{number}", family, first=number == 0)
    found |= normalisation("output_normal", width, "layer")
    return found | dense("output", width, spec.outputs)


def initial_weights(spec: FeatureSpec, family: ModelFamily, seed: int) -> dict[str, Array]:
    """Return the weights that both frameworks start from, float32 by name."""
    return draw(weights(spec, family), seed)


def _block(name: str, family: ModelFamily, *, first: bool) -> Weights:
    width, between = family.token_dim, feed_forward_width(family)
    return {
        **normalisation(f"{name}.attention_normal", width, "none" if first else "layer"),
        **dense(f"{name}.query", width, width),
        **dense(f"{name}.key", width, width, bias=False),
        **dense(f"{name}.value", width, width),
        **dense(f"{name}.merge", width, width),
        **normalisation(f"{name}.feed_forward_normal", width, "layer"),
        **dense(f"{name}.expand", width, 2 * between),
        **dense(f"{name}.contract", between, width),
    }


def _token(random: np.random.Generator, shape: Shape) -> Array:
    limit = 1 / np.sqrt(shape[-1])
    return random.uniform(-limit, limit, shape)
