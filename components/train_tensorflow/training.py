"""One training step in TensorFlow, and what makes two runs equal.

Rules: threads are fixed; op determinism is on; Adam's constants are those of
`components.training.adam` and its epsilon is the paper's, so that the PyTorch trainer takes equal
steps. The step is compiled once, for any number of rows.
"""

from __future__ import annotations

import logging
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.core.features import FeatureArrays
from components.core.settings import Train
from components.training import adam
from components.training.fitting import Fit, fit

DETERMINISM = "tf.config.experimental.enable_op_determinism"
log = logging.getLogger(__name__)


def fix_machine(train: Train) -> int:
    """Fix this process's threads, seed and algorithms; return the threads that hold (0: all).

    TensorFlow takes its threads once, before its first tensor; a process that has used it before
    keeps what it had.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(train.seed)
    tf.config.experimental.enable_op_determinism()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(train.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        log.warning("threads stay as they are: %s", error)
    return int(tf.config.threading.get_intra_op_parallelism_threads())


class Adam:
    """Adam by TensorFlow's fused kernel, which holds the square root and the update in one pass."""

    def __init__(self, variables: list[Any], learning_rate: float) -> None:
        self._rate = learning_rate
        self._slots = [
            (value, tf.Variable(tf.zeros_like(value)), tf.Variable(tf.zeros_like(value)))
            for value in (variable.value for variable in variables)
        ]
        self._powers = tf.Variable([adam.BETA_1, adam.BETA_2], dtype=tf.float32)

    def apply(self, gradients: list[Any]) -> None:
        """Take one step; to be traced inside a tf.function."""
        power_1, power_2 = self._powers[0], self._powers[1]
        epsilon = adam.EPSILON * tf.sqrt(1 - power_2)
        for (value, first, second), gradient in zip(self._slots, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=value.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=power_1,
                beta2_power=power_2,
                lr=self._rate,
                beta1=adam.BETA_1,
                beta2=adam.BETA_2,
                epsilon=epsilon,
                grad=tf.convert_to_tensor(gradient),
            )
        self._powers.assign(self._powers * [adam.BETA_1, adam.BETA_2])


def fit_model(model: keras.Model, arrays: FeatureArrays, train: Train) -> Fit:
    """Train the model in place."""
    optimiser = Adam(model.trainable_variables, train.learning_rate)
    signature = [
        tf.TensorSpec([None, arrays.dense.shape[1]], tf.float32),
        tf.TensorSpec([None, arrays.ids.shape[1]], tf.int32),
        tf.TensorSpec([None], tf.float32),
    ]

    def take_step(dense: Any, ids: Any, label: Any) -> Any:
        with tf.GradientTape() as tape:
            logit = model({"dense": dense, "ids": ids}, training=True)
            losses = tf.nn.sigmoid_cross_entropy_with_logits(label, tf.squeeze(logit, 1))
            loss = tf.reduce_mean(losses)
        optimiser.apply(tape.gradient(loss, [v.value for v in model.trainable_variables]))
        return loss

    traced = tf.function(take_step, input_signature=signature)

    def step(batch: FeatureArrays) -> float:
        return float(traced(batch.dense, batch.ids, batch.label))

    return fit(step, arrays, train)


def weight_arrays(model: keras.Model) -> dict[str, np.ndarray[Any, Any]]:
    """Return the model's variables by path."""
    return {variable.path: variable.numpy() for variable in model.variables}


def parameter_count(model: keras.Model) -> int:
    """Return the number of trained parameters."""
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
