"""Wide and deep in Keras; components.training.families.wide_and_deep says what it computes."""

from __future__ import annotations

import keras
from keras import layers, ops

from components.core.features import FeatureSpec
from components.core.model_settings import ModelFamily
from components.train_tensorflow.families.layers import (
    feature_inputs,
    id_table,
    set_weights,
    side_by_side,
    stack,
)
from components.training.families import wide_and_deep

FAMILY = wide_and_deep.FAMILY


def build_model(spec: FeatureSpec, family: ModelFamily, seed: int) -> keras.Model:
    """Return the model with the weights that the seed gives.

    It maps {"dense": float32 [batch, D], "ids": int32 [batch, K]} to [batch, outputs].
    """
    features = feature_inputs(spec)
    deep = stack(side_by_side(features, spec, family), family, "deep")
    output = layers.Dense(spec.outputs, name="output")(deep)
    if spec.dense:
        wide = layers.Dense(spec.outputs, use_bias=False, name="wide_dense")
        output = output + wide(features["dense"])
    if spec.ids:
        output = output + ops.sum(id_table(features["ids"], spec, spec.outputs, "wide_ids"), axis=1)
    model = keras.Model(features, output, name=FAMILY)
    set_weights(model, wide_and_deep.initial_weights(spec, family, seed))
    return model
