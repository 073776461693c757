"""DCN-v2 in PyTorch; components.training.families.dcn_v2 says what it computes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from components.core.features import FeatureSpec
from components.core.model_settings import ModelFamily
from components.train_pytorch.families.layers import Inputs, Stack, set_weights
from components.training.families import dcn_v2
from components.training.families.weights import inputs_width

FAMILY = dcn_v2.FAMILY


class Cross(nn.Module):  # type: ignore[misc]
    """One cross layer, of a low rank if `rank` is given."""

    def __init__(self, width: int, rank: int | None) -> None:
        super().__init__()
        self.down = nn.Linear(width, rank, bias=False) if rank else nn.Identity()
        self.up = nn.Linear(rank or width, width)

    def forward(self, first: Tensor, values: Tensor) -> Tensor:
        """Return what crosses the layer."""
        return first * self.up(self.down(values)) + values


class DcnV2(nn.Module):  # type: ignore[misc]
    """Maps dense float32 [batch, D] and ids int32 [batch, K] to [batch, outputs]."""

    def __init__(self, spec: FeatureSpec, family: ModelFamily) -> None:
        super().__init__()
        self.parallel, self.cross_layers = family.structure == "parallel", family.cross_layers
        self.inputs = Inputs(spec, family)
        width = inputs_width(spec, family)
        for number in range(family.cross_layers):
            self.add_module(f"cross_{number}", Cross(width, family.cross_rank))
        self.deep = Stack(width, family)
        self.output = nn.Linear(dcn_v2.last_width(spec, family), spec.outputs)

    def forward(self, dense: Tensor, ids: Tensor) -> Tensor:
        """Return the outputs."""
        first = crossed = self.inputs(dense, ids)
        for number in range(self.cross_layers):
            crossed = getattr(self, f"cross_{number}")(first, crossed)
        if self.parallel:
            return self.output(torch.cat([crossed, self.deep(first)], dim=1))
        return self.output(self.deep(crossed))


def build_model(spec: FeatureSpec, family: ModelFamily, seed: int) -> DcnV2:
    """Return the model with the weights that the seed gives."""
    model = DcnV2(spec, family)
    set_weights(model, dcn_v2.initial_weights(spec, family, seed))
    return model
