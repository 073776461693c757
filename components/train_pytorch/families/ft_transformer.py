"""FT-Transformer in PyTorch; components.training.families.ft_transformer says what it computes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu, scaled_dot_product_attention

from components.core.features import FeatureSpec
from components.core.model_settings import ModelFamily
from components.train_pytorch.families.layers import IdTable, normalisation, set_weights
from components.training.families import ft_transformer

FAMILY = ft_transformer.FAMILY


class Tokens(nn.Module):  # type: ignore[misc]
    """The [CLS] token and one for each feature: [batch, 1 + D + K, token_dim]."""

    def __init__(self, spec: FeatureSpec, width: int) -> None:
        super().__init__()
        self.has_dense, self.has_ids = bool(spec.dense), bool(spec.ids)
        self.cls = nn.Parameter(torch.zeros(1, width))
        if self.has_dense:
            self.dense = nn.Parameter(torch.zeros(len(spec.dense), width))
        self.bias = nn.Parameter(torch.zeros(len(spec.dense) + len(spec.ids), width))
        if self.has_ids:
            self.embedding = IdTable(spec, width)

    def forward(self, dense: Tensor, ids: Tensor) -> Tensor:
        """Return the tokens."""
        parts = [dense.unsqueeze(2) * self.dense] if self.has_dense else []
        if self.has_ids:
            parts.append(self.embedding(ids))
        features = torch.cat(parts, dim=1) + self.bias
        cls = self.cls.expand(features.shape[0], -1, -1)
        return torch.cat([cls, features], dim=1)


class Block(nn.Module):  # type: ignore[misc]
    """One pre-norm block; `only_cls` asks with the first token and gives that one only."""

    def __init__(self, family: ModelFamily, *, first: bool, only_cls: bool) -> None:
        super().__init__()
        width, between = family.token_dim, ft_transformer.feed_forward_width(family)
        self.heads, self.only_cls = family.attention_heads, only_cls
        self.attention_normal = normalisation(width, "none" if first else "layer")
        self.query, self.value = nn.Linear(width, width), nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.merge = nn.Linear(width, width)
        self.feed_forward_normal = normalisation(width, "layer")
        self.expand, self.contract = nn.Linear(width, 2 * between), nn.Linear(between, width)
        self.dropout = nn.Dropout(family.dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the tokens after the block."""
        normal = self.attention_normal(tokens)
        asking, tokens = (normal[:, :1], tokens[:, :1]) if self.only_cls else (normal, tokens)
        tokens = tokens + self.merge(self._attend(asking, normal))
        linear, gate = self.expand(self.feed_forward_normal(tokens)).chunk(2, dim=-1)
        return tokens + self.contract(self.dropout(linear * relu(gate)))

    def _attend(self, asking: Tensor, asked: Tensor) -> Tensor:
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(asking), self.key(asked), self.value(asked))
        )
        dropout = self.dropout.p if self.training else 0.0
        attended = scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        return attended.transpose(1, 2).flatten(2)


class FtTransformer(nn.Module):  # type: ignore[misc]
    """Maps dense float32 [batch, D] and ids int32 [batch, K] to [batch, outputs]."""

    def __init__(self, spec: FeatureSpec, family: ModelFamily) -> None:
        super().__init__()
        self.blocks = family.blocks
        self.tokens = Tokens(spec, family.token_dim)
        for number in range(self.blocks):
            ends = {"first": number == 0, "only_cls": number == self.blocks - 1}
            self.add_module(f"block_{number}", Block(family, **ends))
        self.output_normal = normalisation(family.token_dim, "layer")
        self.output = nn.Linear(family.token_dim, spec.outputs)

    def forward(self, dense: Tensor, ids: Tensor) -> Tensor:
        """Return the outputs."""
        tokens = self.tokens(dense, ids)
        for number in range(self.blocks):
            tokens = getattr(self, f"block_{number}")(tokens)
        return self.output(relu(self.output_normal(tokens[:, 0])))


def build_model(spec: FeatureSpec, family: ModelFamily, seed: int) -> FtTransformer:
    """Return the model with the weights that the seed gives."""
    model = FtTransformer(spec, family)
    set_weights(model, ft_transformer.initial_weights(spec, family, seed))
    return model
