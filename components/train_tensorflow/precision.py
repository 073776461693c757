"""The precision of TensorFlow's arithmetic: Keras's policy, and loss scaling for fp16.

Rules: weights, gradients, Adam's moments and the loss are float32 whatever the precision; in fp32
nothing here changes a bit. A model is built under a policy for good, so the one that is exported is
built again in float32 and given the weights that were trained. A step whose scaled gradients
overflow is not taken, and the scale is halved (Micikevicius et al., Mixed Precision Training, 2018,
section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from components.core.training_settings import Precision
from components.train_tensorflow.parallel import assign
from components.training.precision import GROWTH_STEPS, INITIAL_SCALE

_POLICIES = {"fp32": "float32", "bf16": "mixed_bfloat16", "fp16": "mixed_float16"}


@contextmanager
def policy(precision: Precision) -> Iterator[None]:
    """Have models that are built inside compute in that precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class LossScale:
    """Loss scaling that may be traced: torch.amp.GradScaler's rules and constants."""

    def __init__(self) -> None:
        self.scale = tf.Variable(INITIAL_SCALE, dtype=tf.float32)
        self.steps = tf.Variable(0, dtype=tf.int32)

    def unscaled(self, gradients: list[Any]) -> list[Any]:
        """Return the gradients of the loss itself."""
        return [tf.convert_to_tensor(gradient) / self.scale for gradient in gradients]

    def take(self, gradients: list[Any], step: Callable[[], None]) -> None:
        """Take the step unless a gradient is no finite number, and adjust the scale."""
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients])
        tf.cond(finite, lambda: self._taken(step), self._overflowed)

    def _taken(self, step: Callable[[], None]) -> None:
        step()
        steps = self.steps + 1
        grown = steps >= GROWTH_STEPS
        assign(self.scale, tf.where(grown, self.scale * 2, self.scale))
        assign(self.steps, tf.where(grown, 0, steps))

    def _overflowed(self) -> None:
        assign(self.scale, self.scale / 2)
        assign(self.steps, 0)
