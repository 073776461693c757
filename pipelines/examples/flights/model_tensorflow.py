"""The flights model in Keras: wide and deep, the same function as model_pytorch.

Copy this module for a model of your own; `build_model` is what the settings name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from components.core.features import FeatureSpec
from components.core.settings import ModelFamily
from components.training import wide_and_deep

FAMILY = wide_and_deep.FAMILY
Array = np.ndarray[Any, Any]


def build_model(spec: FeatureSpec, family: ModelFamily, seed: int) -> keras.Model:
    """Return the model with the weights that the seed gives.

    It maps {"dense": float32 [batch, D], "ids": int32 [batch, K]} to a logit [batch, 1].
    """
    dense = keras.Input((len(spec.dense),), dtype="float32", name="dense")
    ids = keras.Input((len(spec.ids),), dtype="int32", name="ids")
    wide, inputs = [], []
    if spec.dense:
        wide.append(layers.Dense(1, use_bias=False, name="wide_dense")(dense))
        inputs.append(dense)
    if spec.ids:
        rows = ids + wide_and_deep.id_offsets(spec)
        table = wide_and_deep.id_rows(spec)
        wide.append(ops.sum(layers.Embedding(table, 1, name="wide_ids")(rows), axis=1))
        embedded = layers.Embedding(table, family.embedding_dim, name="embedding")(rows)
        inputs.append(layers.Reshape((len(spec.ids) * family.embedding_dim,))(embedded))
    hidden = ops.concatenate(inputs, axis=1)
    for number, units in enumerate(family.hidden_units):
        hidden = layers.Dense(units, activation="relu", name=f"hidden_{number}")(hidden)
    logit = layers.Dense(1, name="deep")(hidden)
    for part in wide:
        logit = logit + part
    model = keras.Model({"dense": dense, "ids": ids}, logit, name=FAMILY)
    set_weights(model, wide_and_deep.initial_weights(spec, family, seed))
    return model


def _variables(model: keras.Model) -> dict[str, Any]:
    """Return the variables under the family's names; tables and wide weights have no suffix."""
    found = {}
    for variable in model.trainable_variables:
        layer, _, kind = variable.path.rpartition("/")
        bare = layer in {"embedding", "wide_ids", "wide_dense"}
        found[layer if bare else f"{layer}.{kind}"] = variable
    return found


def get_weights(model: keras.Model) -> dict[str, Array]:
    """Return a copy of the weights under the family's names."""
    return {name: variable.numpy().copy() for name, variable in _variables(model).items()}


def set_weights(model: keras.Model, weights: Mapping[str, Array]) -> None:
    """Replace all weights; ValueError unless names and shapes are the model's."""
    variables = _variables(model)
    wide_and_deep.check_names(weights, {name: tuple(v.shape) for name, v in variables.items()})
    for name, variable in variables.items():
        variable.assign(weights[name])
