"""train_pytorch: train the PyTorch model on the features and export its bundle.

Rules: TensorFlow is never imported here; rows, batches, first weights and the optimiser's steps
are those of train_tensorflow; nothing is written that was not proven. It does not measure quality:
evaluate_models does, from the bundle alone.
"""

from __future__ import annotations

from pathlib import Path

from components.core.model_settings import ModelFamily
from components.core.outcome import Outcome
from components.core.settings import Section
from components.core.training_settings import Train


class TrainPytorchSettings(Section):
    """What training depends on."""

    model: ModelFamily
    train: Train

    def user_modules(self) -> list[str]:
        """Return the module of the model function, for the cache key."""
        return [self.model.function("pytorch").partition(":")[0]]


def train_pytorch(
    *,
    settings: TrainPytorchSettings,
    features: Path,
    transform_graph: Path,
    pytorch_model: Path,
    pytorch_training: Path | None = None,
    checkpoints: Path | None = None,
) -> Outcome:
    """Write the bundle and its contract.json, and training.json where it has a place.

    model.onnx takes raw rows, model.pt2 features, which preprocessing.onnx makes.
    """
    from components.train_pytorch.framework import PyTorch
    from components.training.course import Course

    course = Course.on(PyTorch(), settings.model.function("pytorch"), features)
    return course.run(
        settings.model,
        settings.train,
        transform_graph=transform_graph,
        bundle=pytorch_model,
        cost=pytorch_training,
        checkpoints=checkpoints,
    )
