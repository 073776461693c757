"""TensorFlow in the course of a trainer's stage.

components.training.course says what each part is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from components.core.contract import OUTPUTS
from components.core.features import FeatureArrays, FeatureSpec
from components.core.model_settings import ModelFamily
from components.core.settings import FormName
from components.core.training_settings import Train
from components.train_tensorflow import export, parallel, precision, training
from components.train_tensorflow.litert import write_litert, write_litert_int8
from components.train_tensorflow.saved_model import write_saved_model
from components.training.checkpoints import Checkpoints
from components.training.fit import Fit
from components.training.framework import Build, Exported
from components.training.functions import load_model_function
from components.training.group import ALONE, Group
from components.training.heads import Head
from components.training.nodes.manifests import Manifest, Place
from components.training.processes import Command, Request
from components.training.sealing import Preprocessing

Array = np.ndarray[Any, Any]


class TensorFlow:
    """The framework; it holds the strategy of a training over several devices or processes."""

    name: Literal["tensorflow"] = "tensorflow"
    form: FormName = "saved_model"
    determinism = training.DETERMINISM

    def __init__(self, strategy: tf.distribute.Strategy | None = None) -> None:
        self._group: Group = ALONE
        self._strategy = strategy

    def build(
        self, function: str, spec: FeatureSpec, family: ModelFamily, train: Train
    ) -> keras.Model:
        """Fix the machine and return the untrained model."""
        training.fix_machine(train)
        with self._scope(train), precision.policy(train.precision):
            model = load_model_function(function)(spec, family, train.seed)
            export.check_model(model, spec, function)
        return model

    def fit(
        self,
        model: keras.Model,
        head: Head,
        arrays: FeatureArrays,
        train: Train,
        checkpoints: Checkpoints,
    ) -> Fit:
        """Train the model in place."""
        with self._scope(train):
            return training.fit_model(model, arrays, train, checkpoints, self._group, head)

    def commands(self, folder: Path, train: Train) -> Sequence[Command]:
        """Return a worker for each process; none where this process has the devices."""
        if parallel.kind_here(train) != "multi_worker":
            return []
        return parallel.workers(folder, train.processes)

    def on_nodes(self, place: Place, train: Train) -> Sequence[Manifest]:
        """Return the Service and the Job of plain workers."""
        return parallel.on_nodes(place, train)

    def join(self, folder: Path, request: Request) -> None:
        """Meet the other workers, which are on the CPU."""
        training.fix_machine(request.train.model_copy(update={"device": "cpu"}))
        self._group = group = parallel.Workers()
        self._strategy = group.strategy

    def lost_others(self, error: Exception) -> bool:
        """Say whether TensorFlow lost the other workers."""
        found = tf.errors
        gone = found.UnavailableError, found.AbortedError, found.CancelledError
        return isinstance(error, (*gone, found.DeadlineExceededError))

    def load(self, model: keras.Model, weights: Mapping[str, Array]) -> None:
        """Set the weights, in the order of their numbers."""
        model.set_weights([weights[name] for name in training.weight_names(model)])

    def exporting(
        self, model: keras.Model, family: ModelFamily, train: Train, build: Build
    ) -> keras.Model:
        """Return the model; a plain one in float32 where it was trained as another kind."""
        if train.precision == "fp32" and parallel.kind_here(train) == "none":
            return model
        plain = {"precision": "fp32", "processes": 1, "parallel": "replicated", "device": "cpu"}
        exported = build(family, train.model_copy(update=plain))
        exported.set_weights(model.get_weights())
        return exported

    def export(
        self,
        model: keras.Model,
        spec: FeatureSpec,
        preprocessing: Preprocessing,
        train: Train,
        arrays: FeatureArrays,
    ) -> Exported:
        """Return the model as ONNX and, where they are asked for, as SavedModel and LiteRT."""
        scored = export.scored(model, spec)
        behind = partial(write_saved_model, preprocessing=preprocessing, output=OUTPUTS[spec.task])
        forms = {
            "saved_model": partial(behind, scored=scored),
            "litert": partial(write_litert, scored=scored, spec=spec),
            "litert_int8": partial(write_litert_int8, scored=scored, spec=spec, arrays=arrays),
        }
        return Exported(
            predict=export.predictor(scored),
            onnx=export.to_onnx(scored, spec),
            forms=[write for name, write in forms.items() if name in train.forms],
        )

    def weights(self, model: keras.Model) -> dict[str, Array]:
        """Return the weights by number and path."""
        return training.weight_arrays(model)

    def parameters(self, model: keras.Model) -> int:
        """Return the number of trained parameters."""
        return training.parameter_count(model)

    def threads(self, train: Train) -> int:
        """Return the threads, which TensorFlow takes once in a process."""
        return training.threads_in_use()

    def _scope(self, train: Train) -> AbstractContextManager[Any]:
        """Return the scope of the strategy that the settings ask for, where they ask for one."""
        kind = parallel.kind_here(train)
        if self._strategy is None and kind in ("mirrored", "tpu"):
            self._strategy = parallel.strategy(kind, train.processes)
        if self._strategy is None or kind == "none":  # the workers' strategy is theirs alone
            return nullcontext()
        scope: AbstractContextManager[Any] = self._strategy.scope()
        return scope
