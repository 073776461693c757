"""FT-Transformer in Keras; components.training.families.ft_transformer says what it computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers, ops

from components.core.features import FeatureSpec
from components.core.model_settings import ModelFamily
from components.train_tensorflow.families.layers import (
    feature_inputs,
    id_table,
    normalised,
    set_weights,
)
from components.training.families import ft_transformer

FAMILY = ft_transformer.FAMILY


class Tokens(layers.Layer):  # type: ignore[misc]
    """The [CLS] token and one for each feature: [batch, 1 + D + K, token_dim].

    It takes what there is of `dense`, [batch, D], and `embedded`, [batch, K, token_dim].
    """

    def __init__(self, spec: FeatureSpec, width: int) -> None:
        super().__init__(name="tokens")
        self.features, self.width = len(spec.dense) + len(spec.ids), width
        self.cls = self.add_weight(shape=(1, width), name="cls")
        if spec.dense:
            self.dense = self.add_weight(shape=(len(spec.dense), width), name="dense")
        self.bias = self.add_weight(shape=(self.features, width), name="bias")

    def call(self, parts: Mapping[str, Any]) -> Any:
        """Return the tokens."""
        features = [ops.expand_dims(parts["dense"], 2) * self.dense] if "dense" in parts else []
        features += [parts["embedded"]] if "embedded" in parts else []
        tokens = ops.concatenate(features, axis=1) + self.bias
        cls = ops.broadcast_to(self.cls, (ops.shape(tokens)[0], 1, self.width))
        return ops.concatenate([cls, tokens], axis=1)

    def compute_output_shape(self, _: Any) -> tuple[int | None, int, int]:
        """Return the shape, without which Keras would trace `call` and find no batch."""
        return (None, 1 + self.features, self.width)


def build_model(spec: FeatureSpec, family: ModelFamily, seed: int) -> keras.Model:
    """Return the model with the weights that the seed gives.

    It maps {"dense": float32 [batch, D], "ids": int32 [batch, K]} to [batch, outputs].
    """
    features, width = feature_inputs(spec), family.token_dim
    parts = {"dense": features["dense"]} if spec.dense else {}
    if spec.ids:
        parts["embedded"] = id_table(features["ids"], spec, width, "tokens.embedding")
    tokens = Tokens(spec, width)(parts)
    for number in range(family.blocks):
        only_cls = number == family.blocks - 1
        tokens = _block(tokens, family, f"block_{number}", first=number == 0, only_cls=only_cls)
    cls = ops.relu(normalised(tokens[:, 0], "layer", "output_normal"))
    model = keras.Model(features, layers.Dense(spec.outputs, name="output")(cls), name=FAMILY)
    set_weights(model, ft_transformer.initial_weights(spec, family, seed))
    return model


def _block(tokens: Any, family: ModelFamily, name: str, *, first: bool, only_cls: bool) -> Any:
    """Return the tokens after a pre-norm block, or the first of them where `only_cls`."""
    normal = normalised(tokens, "none" if first else "layer", f"{name}.attention_normal")
    asking, tokens = (normal[:, :1], tokens[:, :1]) if only_cls else (normal, tokens)
    attended = _attend(asking, normal, family, name)
    tokens = tokens + layers.Dense(family.token_dim, name=f"{name}.merge")(attended)
    between = ft_transformer.feed_forward_width(family)
    normal = normalised(tokens, "layer", f"{name}.feed_forward_normal")
    linear, gate = ops.split(layers.Dense(2 * between, name=f"{name}.expand")(normal), 2, axis=-1)
    gated = layers.Dropout(family.dropout)(linear * ops.relu(gate))
    return tokens + layers.Dense(family.token_dim, name=f"{name}.contract")(gated)


def _attend(asking: Any, asked: Any, family: ModelFamily, name: str) -> Any:
    """Return softmax(query . key / sqrt(width of a head)) . value, the heads side by side."""
    width, heads = family.token_dim, family.attention_heads
    query = layers.Dense(width, name=f"{name}.query")(asking)
    key = layers.Dense(width, use_bias=False, name=f"{name}.key")(asked)
    value = layers.Dense(width, name=f"{name}.value")(asked)
    query, key, value = (_heads(part, heads) for part in (query, key, value))
    scores = ops.matmul(query, ops.swapaxes(key, 2, 3)) / (width // heads) ** 0.5
    shares = layers.Dropout(family.dropout)(ops.softmax(scores, axis=-1))
    attended = ops.swapaxes(ops.matmul(shares, value), 1, 2)
    return ops.reshape(attended, (-1, asking.shape[1], width))


def _heads(part: Any, heads: int) -> Any:
    """Turn [batch, tokens, width] into [batch, heads, tokens, width / heads]."""
    _, tokens, width = part.shape
    return ops.swapaxes(ops.reshape(part, (-1, tokens, heads, width // heads)), 1, 2)
