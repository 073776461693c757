"""A MirroredStrategy over two logical CPUs against a training without one; fails where they differ.

python mirrored_training.py FEATURES
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf

from components.core.features import load_split
from components.core.model_settings import ModelFamily
from components.core.training_settings import Train
from components.train_tensorflow.framework import TensorFlow
from components.training.checkpoints import Checkpoints
from components.training.course import Course
from components.training.fit import Fit
from components.training.heads import BINARY

FAMILY = ModelFamily(family="wide_and_deep", hidden_units=(16, 8))


def trained(features: Path, train: Train, strategy: Any = None) -> tuple[list[np.ndarray], Fit]:
    framework = TensorFlow(strategy)
    course = Course.on(framework, FAMILY.function("tensorflow"), features)
    model = course.build(FAMILY, train)
    done = course.fit(model, train, None)
    return [np.array(part) for part in model.get_weights()], done


def dropped(features: Path, strategy: Any) -> Fit:
    """Train a model that draws random numbers, in fp16, whose loss scale is state too."""
    train = Train(epochs=1, batch_size=100, device="cpu", processes=2, precision="fp16")
    framework = TensorFlow(strategy)
    with strategy.scope():
        dense = keras.Input((2,), name="dense")
        ids = keras.Input((2,), dtype="int32", name="ids")
        hidden = keras.layers.Dropout(0.5, seed=3)(keras.layers.Dense(8, name="hidden")(dense))
        model = keras.Model(
            {"dense": dense, "ids": ids}, keras.layers.Dense(1, name="logit")(hidden)
        )
    return framework.fit(
        model, BINARY, load_split(features, "train"), train, Checkpoints(None, train)
    )


def main(features: Path) -> None:
    [cpu] = tf.config.list_physical_devices("CPU")
    logical = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, logical)
    train = Train(epochs=2, batch_size=99, device="cpu", clip_norm=0.1, class_weights="balanced")
    expected, alone = trained(features, train)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    two = train.model_copy(update={"processes": 2})
    found, together = trained(features, two, strategy)
    assert (alone.strategy, together.strategy) == (None, "MirroredStrategy")
    assert together.epoch_rows == alone.epoch_rows
    np.testing.assert_allclose(together.epoch_losses, alone.epoch_losses, rtol=0, atol=1e-6)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-6)
    assert dropped(features, strategy).steps == 7


if __name__ == "__main__":
    main(Path(sys.argv[1]))
