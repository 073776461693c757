"""The parts that the families share in PyTorch, and their weights under the families' names.

Rules: names, shapes, epsilons and the momentum are those of components.training.families.weights.
PyTorch's own batch normalisation keeps the unbiased variance and refuses a batch of one row in
training; the one here keeps the biased variance, as Keras does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from components.core.features import FeatureSpec
from components.core.model_settings import ModelFamily
from components.training.families.weights import (
    BATCH_EPSILON,
    LAYER_EPSILON,
    MOMENTUM,
    check_names,
    id_offsets,
    id_rows,
    stack_layers,
)

Array = np.ndarray[Any, Any]
# The families' name of a part of a layer, where PyTorch has another.
NAMES = {
    nn.Linear: {"weight": "kernel"},
    nn.Embedding: {"weight": "table"},
    nn.LayerNorm: {"weight": "scale", "bias": "shift"},
}


class IdTable(nn.Embedding):  # type: ignore[misc]
    """One table for all id features: ids [batch, K] to rows of it, [batch, K, width]."""

    def __init__(self, spec: FeatureSpec, width: int) -> None:
        super().__init__(id_rows(spec), width)
        self.register_buffer("offsets", torch.from_numpy(id_offsets(spec)), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Return the rows."""
        return super().forward(ids + self.offsets)


class Inputs(nn.Module):  # type: ignore[misc]
    """The dense features and the embeddings of the ids side by side: [batch, inputs_width]."""

    def __init__(self, spec: FeatureSpec, family: ModelFamily) -> None:
        super().__init__()
        self.has_dense, self.has_ids = bool(spec.dense), bool(spec.ids)
        if self.has_ids:
            self.embedding = IdTable(spec, family.embedding_dim)

    def forward(self, dense: Tensor, ids: Tensor) -> Tensor:
        """Return the row of inputs."""
        if not self.has_ids:
            return dense
        embedded = self.embedding(ids).flatten(1)
        return torch.cat([dense, embedded], dim=1) if self.has_dense else embedded


class BatchNormalisation(nn.Module):  # type: ignore[misc]
    """Normalises each column by its batch in training, by the running statistics otherwise."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))

    def forward(self, values: Tensor) -> Tensor:
        """Return the normalised values; in training the running statistics move."""
        mean, variance = self.mean, self.variance
        if self.training:
            values = values.float()  # statistics in 16 bits would be too rough
            mean, variance = values.mean(0), values.var(0, correction=0)
            with torch.no_grad():
                self.mean.lerp_(mean, 1 - MOMENTUM)
                self.variance.lerp_(variance, 1 - MOMENTUM)
        return (values - mean) * torch.rsqrt(variance + BATCH_EPSILON) * self.scale + self.shift


def normalisation(width: int, kind: str) -> nn.Module:
    """Return a normalisation of that kind: none, layer or batch."""
    if kind == "none":
        return nn.Identity()
    if kind == "batch":
        return BatchNormalisation(width)
    return nn.LayerNorm(width, eps=LAYER_EPSILON)


class Stack(nn.Sequential):  # type: ignore[misc]
    """Dense layers, each with its normalisation, relu and dropout."""

    def __init__(self, inputs: int, family: ModelFamily) -> None:
        super().__init__()
        for number, (wide, units) in enumerate(stack_layers(inputs, family)):
            dense = nn.Linear(wide, units, bias=family.normalisation != "batch")
            self.add_module(f"hidden_{number}", dense)
            self.add_module(f"normal_{number}", normalisation(units, family.normalisation))
            self.add_module(f"relu_{number}", nn.ReLU())
            self.add_module(f"dropout_{number}", nn.Dropout(family.dropout))


def get_weights(model: nn.Module) -> dict[str, Array]:
    """Return a copy of the weights under the family's names."""
    return {name: part.detach().numpy().copy() for name, part in _tensors(model).items()}


def set_weights(model: nn.Module, weights: Mapping[str, Array]) -> None:
    """Replace all weights; ValueError unless names and shapes are the model's."""
    tensors = _tensors(model)
    check_names(weights, {name: tuple(part.shape) for name, part in tensors.items()})
    with torch.no_grad():
        for name, part in tensors.items():
            part.copy_(torch.from_numpy(weights[name]))


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return parameters and running statistics by name; kernels are seen as [inputs, outputs]."""
    found: dict[str, Tensor] = {}
    for path, tensor in model.state_dict(keep_vars=True).items():
        layer, _, kind = path.rpartition(".")
        module = model.get_submodule(layer)
        names = next((names for type_, names in NAMES.items() if isinstance(module, type_)), {})
        is_kernel = isinstance(module, nn.Linear) and kind == "weight"
        found[f"{layer}.{names.get(kind, kind)}"] = tensor.T if is_kernel else tensor
    return found
