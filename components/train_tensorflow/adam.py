"""Adam in TensorFlow, by the constants of components.training.adam.

Rules: epsilon is the paper's, so that steps equal PyTorch's; each replica of a strategy changes its
own copy of the variables (components.train_tensorflow.parallel).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from components.core.training_settings import Train
from components.train_tensorflow.parallel import assign
from components.training import adam


class Adam:
    """Adam by TensorFlow's fused kernel, which holds the square root and the update in one pass."""

    def __init__(self, variables: list[Any], train: Train) -> None:
        self._clip_norm, self._decay = train.clip_norm, train.weight_decay
        self._slots = [
            (value, tf.Variable(tf.zeros_like(value)), tf.Variable(tf.zeros_like(value)))
            for value in (variable.value for variable in variables)
        ]
        self._powers = tf.Variable([adam.BETA_1, adam.BETA_2], dtype=tf.float32)

    @property
    def variables(self) -> dict[str, Any]:
        """Return what a step changes besides the weights, by name."""
        moments = [moment for _, *both in self._slots for moment in both]
        return {"powers": self._powers} | {str(n): moment for n, moment in enumerate(moments)}

    def apply(self, gradients: list[Any], rate: Any) -> None:
        """Take one step; to be traced inside a tf.function."""
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
        power_1, power_2 = self._powers[0], self._powers[1]
        epsilon = adam.EPSILON * tf.sqrt(1 - power_2)
        for (value, first, second), gradient in zip(self._slots, self._clipped(dense), strict=True):
            if self._decay:
                assign(value, value * (1 - rate * self._decay))
            tf.raw_ops.ResourceApplyAdam(
                var=value.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=power_1,
                beta2_power=power_2,
                lr=rate,
                beta1=adam.BETA_1,
                beta2=adam.BETA_2,
                epsilon=epsilon,
                grad=gradient,
            )
        assign(self._powers, self._powers * [adam.BETA_1, adam.BETA_2])

    def _clipped(self, gradients: list[Any]) -> list[Any]:
        """Return gradients scaled as `components.training.adam` says."""
        if self._clip_norm is None:
            return gradients
        scale = self._clip_norm / tf.maximum(tf.linalg.global_norm(gradients), self._clip_norm)
        return [gradient * scale for gradient in gradients]
