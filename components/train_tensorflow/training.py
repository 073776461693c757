"""One training step in TensorFlow, and what makes two runs equal.

Rules: threads are fixed; op determinism is on. The step is traced once, for any number of rows;
over several replicas it is traced anew for a new number.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.core.features import FeatureArrays
from components.core.training_settings import Train
from components.train_tensorflow import heads
from components.train_tensorflow.adam import Adam
from components.train_tensorflow.dataset import batch_signature
from components.train_tensorflow.devices import device_name, use_device
from components.train_tensorflow.parallel import Replicas, strategy_name
from components.train_tensorflow.precision import LossScale
from components.training.checkpoints import Checkpoints, State
from components.training.compiled import compared_rows, compiled_difference
from components.training.fit import Fit
from components.training.fitting import WEIGHTS, fit
from components.training.group import ALONE, Group
from components.training.heads import BINARY, Head
from components.training.memory import naming_the_batch_size

DETERMINISM = "tf.config.experimental.enable_op_determinism"
log = logging.getLogger(__name__)


def fix_machine(train: Train) -> None:
    """Fix this process's device, threads, seed and algorithms.

    TensorFlow takes its threads once, before its first tensor; a process that has used it before
    keeps what it had. Raises SettingsError for a device that is absent.
    """
    use_device(train.device)
    tf.config.experimental.enable_tensor_float_32_execution(False)  # 19 bits are not fp32
    keras.utils.clear_session()
    keras.utils.set_random_seed(train.seed)
    tf.config.experimental.enable_op_determinism()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(train.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        log.warning("threads stay as they are: %s", error)


def threads_in_use() -> int:
    """Return the threads that hold in this process; 0 means all."""
    return int(tf.config.threading.get_intra_op_parallelism_threads())


def fit_model(
    model: keras.Model,
    arrays: FeatureArrays,
    train: Train,
    checkpoints: Checkpoints | None = None,
    group: Group = ALONE,
    head: Head = BINARY,
) -> Fit:
    """Train the model in place, under the strategy whose scope it was built in.

    In a group of several, that is the strategy of all its processes.
    """
    with naming_the_batch_size(train, (tf.errors.ResourceExhaustedError,), lambda _: True):
        trainer = KerasTrainer(model, arrays, train, group, head)
        difference = trainer.compile(arrays) if train.compile else None
        done = fit(trainer, arrays, train, checkpoints, group, head)
    device = device_name(model.trainable_variables[0].value)
    return replace(done, device=device, compiled_difference=difference, strategy=strategy_name())


class KerasTrainer:
    """TensorFlow's half of the loop."""

    def __init__(
        self,
        model: keras.Model,
        arrays: FeatureArrays,
        train: Train,
        group: Group = ALONE,
        head: Head = BINARY,
    ) -> None:
        self._head = head
        self._replicas: Replicas | None = None
        if tf.distribute.has_strategy():
            self._replicas = Replicas(tf.distribute.get_strategy(), group.rank, group.count)
        self._model, self._optimiser = model, Adam(model.trainable_variables, train)
        self._train = train
        self._scaling = LossScale() if train.precision == "fp16" else None
        batch = batch_signature(arrays, train)
        rate, compiled = tf.TensorSpec([], tf.float32), train.compile
        self._step = tf.function(
            self._take_step,
            input_signature=[batch, rate],
            jit_compile=compiled or None,
            autograph=False,
        )
        self._step_of_all = tf.function(self._take_steps, reduce_retracing=True, autograph=False)
        self._validate = tf.function(
            self._loss_and_measure,
            input_signature=[batch],
            jit_compile=compiled or None,
            autograph=False,
        )

    def compile(self, arrays: FeatureArrays) -> float:
        """Return how far the compiled model is from the one that is not compiled.

        Raises SettingsError where that is too far.
        """
        rows = compared_rows(arrays, self._head).named()
        eager = self._arrays(tf.function(self._computed)(rows))
        compiled = self._arrays(tf.function(self._computed, jit_compile=True)(rows))
        return compiled_difference(eager, compiled, self._train.precision)

    def _computed(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs and the gradients of a batch, without dropout."""
        with tf.GradientTape() as tape:
            output, loss = self._output_and_loss(batch, training=False)
        weights = [variable.value for variable in self._model.trainable_variables]
        gradients = [g for g in tape.gradient(loss, weights) if g is not None]
        gradient = tf.concat([tf.reshape(g, [-1]) for g in gradients], axis=0)
        return {"output": output, "gradient": gradient}

    def _arrays(self, tensors: Mapping[str, Any]) -> State:
        return {name: tensor.numpy() for name, tensor in tensors.items()}

    def step(self, batch: FeatureArrays, rate: float, share: float) -> float:
        """Take one step."""
        if self._replicas is None:
            return float(self._step(batch.named(), rate))
        losses, weights = self._replicas.run(self._step_of_all, batch, rate, share)
        return float(np.dot([float(loss) for loss in losses], weights))

    def validate(self, batch: FeatureArrays) -> tuple[float, float]:
        """Return the mean loss of rows and the measure of them, without dropout."""
        loss, measure = self._validate(batch.named())
        return float(loss), float(measure)

    def _take_step(self, batch: Mapping[str, Any], rate: Any, share: Any = None) -> Any:
        scaling = self._scaling
        with tf.GradientTape() as tape:
            loss = self._loss_of(batch, training=True)
            derived = loss if share is None else loss * share
            derived = derived if scaling is None else derived * scaling.scale
        weights = [variable.value for variable in self._model.trainable_variables]
        # A weight that the loss does not depend on has a gradient of zero, as far as Adam goes.
        gradients = tape.gradient(derived, weights, unconnected_gradients="zero")
        if share is not None:
            dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
            gradients = tf.distribute.get_replica_context().all_reduce("SUM", dense)
        if scaling is None:
            self._optimiser.apply(gradients, rate)
        else:
            unscaled = scaling.unscaled(gradients)
            scaling.take(unscaled, lambda: self._optimiser.apply(unscaled, rate))
        return loss

    def _take_steps(self, batches: Any, rate: Any, shares: Any) -> Any:
        """Take the step in every replica; return their losses."""
        strategy = tf.distribute.get_strategy()
        return strategy.run(self._take_step, args=(batches, rate, shares))

    def _loss_of(self, batch: Mapping[str, Any], training: bool) -> Any:
        return self._output_and_loss(batch, training)[1]

    def _loss_and_measure(self, batch: Mapping[str, Any]) -> tuple[Any, Any]:
        output, loss = self._output_and_loss(batch, training=False)
        return loss, heads.measure(self._head.task, output, batch["label"])

    def _output_and_loss(self, batch: Mapping[str, Any], training: bool) -> tuple[Any, Any]:
        inputs = {"dense": batch["dense"], "ids": batch["ids"]}
        output = tf.cast(self._model(inputs, training=training), tf.float32)
        return output, heads.loss(self._head.task, output, batch["label"], batch.get("weight"))

    def state(self) -> State:
        """Return copies of the weights, of Adam's moments and of the loss's scale.

        What Keras draws from, in dropout for one, is among the model's variables.
        """
        return {name: np.array(variable.numpy()) for name, variable in self._variables.items()}

    def restore(self, state: State) -> None:
        """Set the arrays that are named."""
        own = self._variables
        for name, array in state.items():
            own[name].assign(array)

    @property
    def _variables(self) -> dict[str, Any]:
        """Return all variables; the model's by number, because paths need not be unique."""
        weights = {f"{WEIGHTS}{n}": variable for n, variable in enumerate(self._model.variables)}
        weights |= {f"adam/{name}": v for name, v in self._optimiser.variables.items()}
        scaling = self._scaling
        if scaling is None:
            return weights
        return weights | {"scaler/scale": scaling.scale, "scaler/steps": scaling.steps}


def weight_arrays(model: keras.Model) -> dict[str, np.ndarray[Any, Any]]:
    """Return the model's weights by number and path, because paths need not be unique.

    What it draws random numbers from is no weight.
    """
    values = (weight.numpy() for weight in model.weights)
    return dict(zip(weight_names(model), values, strict=True))


def weight_names(model: keras.Model) -> list[str]:
    """Return what `weight_arrays` calls the weights, in the model's order."""
    return [f"{n} {weight.path}" for n, weight in enumerate(model.weights)]


def parameter_count(model: keras.Model) -> int:
    """Return the number of trained parameters."""
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
