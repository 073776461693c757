"""What counts as a weight of a Keras model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from every_family import FAMILIES, SPECS, on, rows_of

from components.core.features import load_split
from components.core.training_settings import Train
from components.training.sealing import weights_sha256

pytestmark = pytest.mark.slow


def test_drawing_random_numbers_changes_no_weight() -> None:
    from components.train_tensorflow.training import weight_arrays

    family = FAMILIES["wide_and_deep layer"].model_copy(update={"dropout": 0.5})
    spec = SPECS["ids only"]
    model = on("tensorflow", family)[0](spec, family, 3)
    before = weights_sha256(weight_arrays(model))
    dense, ids = rows_of(spec, 20)
    first, second = (model({"dense": dense, "ids": ids}, training=True).numpy() for _ in range(2))
    assert (first != second).any()
    assert weights_sha256(weight_arrays(model)) == before


def test_weights_of_one_path_are_all_in_the_digest() -> None:
    import keras

    from components.train_tensorflow.training import weight_arrays

    def block(name: str) -> keras.Model:
        inputs = keras.Input((2,))
        return keras.Model(inputs, keras.layers.Dense(2, name="hidden")(inputs), name=name)

    inputs = keras.Input((2,), name="dense")
    model = keras.Model(inputs, block("one")(block("two")(inputs)))
    assert len({weight.path for weight in model.weights}) < len(model.weights)
    before = weights_sha256(weight_arrays(model))
    for weight in model.weights:
        weight.assign(weight + 1.0)
        after = weights_sha256(weight_arrays(model))
        assert after != before
        before = after


def test_a_weight_that_the_loss_does_not_depend_on_is_left_alone(small_features: Path) -> None:
    import keras

    from components.train_tensorflow.training import fit_model

    dense = keras.Input((2,), name="dense")
    ids = keras.Input((2,), dtype="int32", name="ids")

    class Spare(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.spare = self.add_weight(name="spare", shape=(2,), initializer="ones")

        def call(self, values: Any) -> Any:
            return values

    logit = Spare()(keras.layers.Dense(1, name="last")(dense))
    model = keras.Model({"dense": dense, "ids": ids}, logit)
    fit_model(model, load_split(small_features, "train"), Train(epochs=1, batch_size=100))
    (spare,) = (weight for weight in model.weights if weight.path.endswith("spare"))
    assert spare.numpy().tolist() == [1.0, 1.0]
