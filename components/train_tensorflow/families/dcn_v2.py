"""DCN-v2 in Keras; components.training.families.dcn_v2 says what it computes."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from components.core.features import FeatureSpec
from components.core.model_settings import ModelFamily
from components.train_tensorflow.families.layers import (
    feature_inputs,
    set_weights,
    side_by_side,
    stack,
)
from components.training.families import dcn_v2

FAMILY = dcn_v2.FAMILY


def build_model(spec: FeatureSpec, family: ModelFamily, seed: int) -> keras.Model:
    """Return the model with the weights that the seed gives.

    It maps {"dense": float32 [batch, D], "ids": int32 [batch, K]} to [batch, outputs].
    """
    features = feature_inputs(spec)
    first = crossed = side_by_side(features, spec, family)
    for number in range(family.cross_layers):
        crossed = _cross(first, crossed, family.cross_rank, f"cross_{number}")
    if family.structure == "parallel":
        last = ops.concatenate([crossed, stack(first, family, "deep")], axis=1)
    else:
        last = stack(crossed, family, "deep")
    model = keras.Model(features, layers.Dense(spec.outputs, name="output")(last), name=FAMILY)
    set_weights(model, dcn_v2.initial_weights(spec, family, seed))
    return model


def _cross(first: Any, values: Any, rank: int | None, name: str) -> Any:
    """Return what crosses one layer, of a low rank if `rank` is given."""
    down = layers.Dense(rank, use_bias=False, name=f"{name}.down")(values) if rank else values
    return first * layers.Dense(first.shape[-1], name=f"{name}.up")(down) + values
