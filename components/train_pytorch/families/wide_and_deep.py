"""Wide and deep in PyTorch; components.training.families.wide_and_deep says what it computes."""

from __future__ import annotations

from torch import Tensor, nn

from components.core.features import FeatureSpec
from components.core.model_settings import ModelFamily
from components.train_pytorch.families.layers import IdTable, Inputs, Stack, set_weights
from components.training.families import wide_and_deep
from components.training.families.weights import inputs_width, stack_width

FAMILY = wide_and_deep.FAMILY


class WideAndDeep(nn.Module):  # type: ignore[misc]
    """Maps dense float32 [batch, D] and ids int32 [batch, K] to [batch, outputs]."""

    def __init__(self, spec: FeatureSpec, family: ModelFamily) -> None:
        super().__init__()
        self.inputs = Inputs(spec, family)
        if spec.ids:
            self.wide_ids = IdTable(spec, spec.outputs)
        if spec.dense:
            self.wide_dense = nn.Linear(len(spec.dense), spec.outputs, bias=False)
        width = inputs_width(spec, family)
        self.deep = Stack(width, family)
        self.output = nn.Linear(stack_width(width, family), spec.outputs)

    def forward(self, dense: Tensor, ids: Tensor) -> Tensor:
        """Return the outputs."""
        output = self.output(self.deep(self.inputs(dense, ids)))
        if self.inputs.has_dense:
            output = output + self.wide_dense(dense)
        if self.inputs.has_ids:
            output = output + self.wide_ids(ids).sum(dim=1)
        return output


def build_model(spec: FeatureSpec, family: ModelFamily, seed: int) -> WideAndDeep:
    """Return the model with the weights that the seed gives."""
    model = WideAndDeep(spec, family)
    set_weights(model, wide_and_deep.initial_weights(spec, family, seed))
    return model
