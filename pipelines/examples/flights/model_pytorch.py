"""The flights model in PyTorch: wide and deep, the same function as model_tensorflow.

Copy this module for a model of your own; `build_model` is what the settings name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from components.core.features import FeatureSpec
from components.core.settings import ModelFamily
from components.training import wide_and_deep

FAMILY = wide_and_deep.FAMILY
Array = np.ndarray[Any, Any]


class WideAndDeep(nn.Module):  # type: ignore[misc]
    """Maps dense float32 [batch, D] and ids int32 [batch, K] to a logit [batch, 1]."""

    def __init__(self, spec: FeatureSpec, family: ModelFamily) -> None:
        super().__init__()
        weights = wide_and_deep.shapes(spec, family)
        self.has_dense, self.has_ids = bool(spec.dense), bool(spec.ids)
        if self.has_ids:
            self.register_buffer("offsets", torch.from_numpy(wide_and_deep.id_offsets(spec)))
            self.embedding = nn.Embedding(*weights["embedding"])
            self.wide_ids = nn.Embedding(*weights["wide_ids"])
        if self.has_dense:
            self.wide_dense = nn.Linear(*weights["wide_dense"], bias=False)
        self.hidden = nn.ModuleList(
            nn.Linear(*weights[f"hidden_{layer}.kernel"])
            for layer in range(len(family.hidden_units))
        )
        self.deep = nn.Linear(*weights["deep.kernel"])

    def forward(self, dense: Tensor, ids: Tensor) -> Tensor:
        """Return the logit."""
        wide, inputs = [], []
        if self.has_dense:
            wide.append(self.wide_dense(dense))
            inputs.append(dense)
        if self.has_ids:
            rows = ids + self.offsets
            wide.append(self.wide_ids(rows).sum(dim=1))
            inputs.append(self.embedding(rows).flatten(1))
        hidden = torch.cat(inputs, dim=1)
        for layer in self.hidden:
            hidden = torch.relu(layer(hidden))
        logit = self.deep(hidden)
        for part in wide:
            logit = logit + part
        return logit


def build_model(spec: FeatureSpec, family: ModelFamily, seed: int) -> WideAndDeep:
    """Return the model with the weights that the seed gives."""
    model = WideAndDeep(spec, family)
    set_weights(model, wide_and_deep.initial_weights(spec, family, seed))
    return model


def _parameters(model: WideAndDeep) -> dict[str, Tensor]:
    """Return the parameters under the family's names, seen as [inputs, outputs]."""
    found: dict[str, Tensor] = {}
    if model.has_ids:
        found |= {"embedding": model.embedding.weight, "wide_ids": model.wide_ids.weight}
    if model.has_dense:
        found["wide_dense"] = model.wide_dense.weight.T
    layers = {f"hidden_{n}": layer for n, layer in enumerate(model.hidden)} | {"deep": model.deep}
    for name, layer in layers.items():
        found |= {f"{name}.kernel": layer.weight.T, f"{name}.bias": layer.bias}
    return found


def get_weights(model: WideAndDeep) -> dict[str, Array]:
    """Return a copy of the weights under the family's names."""
    return {name: part.detach().numpy().copy() for name, part in _parameters(model).items()}


def set_weights(model: WideAndDeep, weights: Mapping[str, Array]) -> None:
    """Replace all weights; ValueError unless names and shapes are the model's."""
    parameters = _parameters(model)
    wide_and_deep.check_names(
        weights, {name: tuple(part.shape) for name, part in parameters.items()}
    )
    with torch.no_grad():
        for name, part in parameters.items():
            part.copy_(torch.from_numpy(weights[name]))
