"""The parts that the families share in Keras, and their weights under the families' names.

Rules: names, shapes, epsilons and the momentum are those of components.training.families.weights;
a layer's name is that of its weights up to the last point.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers, ops

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
# The families' name of a part of a layer, where Keras has another.
NAMES = {
    "embeddings": "table",
    "gamma": "scale",
    "beta": "shift",
    "moving_mean": "mean",
    "moving_variance": "variance",
}


def feature_inputs(spec: FeatureSpec) -> dict[str, Any]:
    """Return the inputs `dense`, float32 [batch, D], and `ids`, int32 [batch, K]."""
    return {
        "dense": keras.Input((len(spec.dense),), dtype="float32", name="dense"),
        "ids": keras.Input((len(spec.ids),), dtype="int32", name="ids"),
    }


def id_table(ids: Any, spec: FeatureSpec, width: int, name: str) -> Any:
    """Return rows of one table for all id features: [batch, K, width]."""
    return layers.Embedding(id_rows(spec), width, name=name)(ids + id_offsets(spec))


def side_by_side(features: Mapping[str, Any], spec: FeatureSpec, family: ModelFamily) -> Any:
    """Return the dense features and the embeddings of the ids: [batch, inputs_width]."""
    if not spec.ids:
        return features["dense"]
    rows = id_table(features["ids"], spec, family.embedding_dim, "inputs.embedding")
    embedded = ops.reshape(rows, (-1, len(spec.ids) * family.embedding_dim))
    return ops.concatenate([features["dense"], embedded], axis=1) if spec.dense else embedded


def normalised(values: Any, kind: str, name: str) -> Any:
    """Return the values after a normalisation of that kind: none, layer or batch."""
    if kind == "none":
        return values
    if kind == "batch":
        layer = layers.BatchNormalization(momentum=MOMENTUM, epsilon=BATCH_EPSILON, name=name)
    else:
        layer = layers.LayerNormalization(epsilon=LAYER_EPSILON, name=name)
    return layer(values)


def stack(values: Any, family: ModelFamily, name: str) -> Any:
    """Return the values after dense layers, each with its normalisation, relu and dropout."""
    for number, (_, units) in enumerate(stack_layers(values.shape[-1], family)):
        has_bias = family.normalisation != "batch"
        values = layers.Dense(units, use_bias=has_bias, name=f"{name}.hidden_{number}")(values)
        values = normalised(values, family.normalisation, f"{name}.normal_{number}")
        values = layers.Dropout(family.dropout)(ops.relu(values))
    return values


def get_weights(model: keras.Model) -> dict[str, Array]:
    """Return a copy of the weights under the family's names."""
    return {name: variable.numpy().copy() for name, variable in _variables(model).items()}


def set_weights(model: keras.Model, weights: Mapping[str, Array]) -> None:
    """Replace all weights; ValueError unless names and shapes are the model's."""
    variables = _variables(model)
    check_names(weights, {name: tuple(v.shape) for name, v in variables.items()})
    for name, variable in variables.items():
        variable.assign(weights[name])


def _variables(model: keras.Model) -> dict[str, Any]:
    """Return trained variables and running statistics by name; no state of random numbers."""
    found = {}
    for variable in model.weights:
        layer, _, kind = variable.path.rpartition("/")
        found[f"{layer}.{NAMES.get(kind, kind)}"] = variable
    return found
