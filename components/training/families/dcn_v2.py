"""The DCN-v2 family without a framework (Wang et al. 2021, arXiv:2008.13535).

For x_0 = [d, embedding[rows]], with * by element:
    x_(l+1)  = x_0 * (W_l . x_l + b_l) + x_l          a cross layer, section 3.2
    W_l      = U_l . V_l                              of a low rank, section 3.3, if `cross_rank`
    stacked  = stack(x_L)                             section 3.1
    parallel = [x_L, stack(x_0)]
    output   = W_out . (stacked or parallel) + b_out

Rules: U_l is `up`, V_l is `down`, and W_l is `up` where there is no `down`. The mixture of low-rank
experts of section 3.4 is left out.
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
)

FAMILY = "dcn_v2"


def weights(spec: FeatureSpec, family: ModelFamily) -> Weights:
    """Return the weights in the order of drawing."""
    width = inputs_width(spec, family)
    found = table("inputs.embedding", spec, family.embedding_dim)
    for number in range(family.cross_layers):
        found |= _cross(f"cross_{number}", width, family.cross_rank)
    found |= stack("deep", width, family)
    return found | dense("output", last_width(spec, family), spec.outputs)


def last_width(spec: FeatureSpec, family: ModelFamily) -> int:
    """Return the width of what the output layer takes."""
    width = inputs_width(spec, family)
    beside = width if family.structure == "parallel" else 0
    return beside + stack_width(width, family)


def initial_weights(spec: FeatureSpec, family: ModelFamily, seed: int) -> dict[str, Array]:
    """Return the weights that both frameworks start from, float32 by name."""
    return draw(weights(spec, family), seed)


def _cross(name: str, width: int, rank: int | None) -> Weights:
    down = dense(f"{name}.down", width, rank, bias=False) if rank else {}
    return down | dense(f"{name}.up", rank or width, width)
