"""The ONNX form of a Keras model: a graph of features, its outputs turned into a prediction.

Rules: inputs are named; the graph is brought into its canonical form, since the exporter's depends
on Python's hash seed. The SavedModel form is in saved_model.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf

from components.core.features import FeatureSpec
from components.train_tensorflow import heads
from components.train_tensorflow.canonical_graph import canonical_graph
from components.training.heads import Head
from components.training.model_check import require_model, require_outputs
from components.training.parity import Array, Predict

# The newest that tf2onnx 1.17 writes; composition brings it to that of the preprocessing.
OPSET = 18


def check_model(model: Any, spec: FeatureSpec, name: str) -> None:
    """Raise SettingsError unless the model is one, and gives [batch, outputs] for a batch."""
    require_model(model, keras.Model, name)
    require_outputs(lambda dense, ids: model({"dense": dense, "ids": ids}), spec, name)


def scored(model: keras.Model, spec: FeatureSpec) -> keras.Model:
    """Return the model with its outputs turned into a prediction."""
    inputs = {
        "dense": keras.Input((len(spec.dense),), dtype="float32", name="dense"),
        "ids": keras.Input((len(spec.ids),), dtype="int32", name="ids"),
    }
    prediction = heads.prediction(Head.of(spec), model(inputs))
    return keras.Model(inputs, prediction, name="scored")


def predictor(scored_model: keras.Model) -> Predict:
    """Return the framework's own prediction as a function of (dense, ids)."""

    def call(dense: Any, ids: Any) -> Any:
        return scored_model({"dense": dense, "ids": ids}, training=False)

    traced = tf.function(call, reduce_retracing=True, autograph=False)

    def predict(dense: Array, ids: Array) -> Array:
        return np.asarray(traced(tf.constant(dense), tf.constant(ids)).numpy())

    return predict


def to_onnx(scored_model: keras.Model, spec: FeatureSpec) -> Any:
    """Return the model as an ONNX model of OPSET."""
    signature = {
        "dense": keras.InputSpec(dtype="float32", shape=(None, len(spec.dense)), name="dense"),
        "ids": keras.InputSpec(dtype="int32", shape=(None, len(spec.ids)), name="ids"),
    }
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Keras looks for np.object, which numpy no longer has.
        warnings.filterwarnings("ignore", category=FutureWarning, module="keras")
        path = Path(folder, "features.onnx")
        scored_model.export(
            path, format="onnx", verbose=False, input_signature=[signature], opset_version=OPSET
        )
        return canonical_graph(onnx.load(str(path)))
