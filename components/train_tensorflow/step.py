"""train_tensorflow: train the Keras model on the features and export its bundle.

Rules: PyTorch is never imported here; rows, batches, first weights and the optimiser's steps are
those of train_pytorch; nothing is written that was not proven. It does not measure quality:
evaluate_models does, from the bundle alone.
"""

from __future__ import annotations

import os
from pathlib import Path

from components.core.model_settings import ModelFamily
from components.core.outcome import Outcome
from components.core.settings import Section
from components.core.training_settings import Train


class TrainTensorflowSettings(Section):
    """What training depends on."""

    model: ModelFamily
    train: Train

    def user_modules(self) -> list[str]:
        """Return the module of the model function, for the cache key."""
        return [self.model.function("tensorflow").partition(":")[0]]


def train_tensorflow(
    *,
    settings: TrainTensorflowSettings,
    features: Path,
    transform_graph: Path,
    tensorflow_model: Path,
    tensorflow_training: Path | None = None,
    checkpoints: Path | None = None,
) -> Outcome:
    """Write the bundle and its contract.json, and training.json where it has a place.

    model.onnx and saved_model take raw rows, model.tflite takes features, which
    preprocessing.onnx makes.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import components.train_tensorflow.slim_tensorflow  # noqa: F401 - before anything of TensorFlow
    from components.train_tensorflow.framework import TensorFlow
    from components.training.course import Course

    course = Course.on(TensorFlow(), settings.model.function("tensorflow"), features)
    return course.run(
        settings.model,
        settings.train,
        transform_graph=transform_graph,
        bundle=tensorflow_model,
        cost=tensorflow_training,
        checkpoints=checkpoints,
    )
