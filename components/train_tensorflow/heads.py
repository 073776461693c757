"""The heads in TensorFlow: loss and prediction; components.training.heads says what they compute.

All of it may be traced.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.core.task import Task
from components.training.heads import Head, check_head
from components.training.quality import HALF


def loss(
    head: Task,
    output: Any,
    label: Any,
    sample_weights: Any | None = None,
    class_weights: Any | None = None,
) -> Any:
    """Return the weighted mean of the rows' losses.

    `output` is [batch, C], `label` and `sample_weights` are [batch], `class_weights` is one for
    each class. Raises SettingsError where they do not fit the head.
    """
    check_head(head, output.shape[1], None if class_weights is None else len(class_weights))
    losses = _losses(head, output, label)
    weights = sample_weights
    if class_weights is not None:
        of_class = tf.gather(class_weights, tf.cast(label, tf.int32))
        weights = of_class if weights is None else weights * of_class
    if weights is None:
        return tf.reduce_mean(losses)
    return tf.reduce_sum(weights * losses) / tf.reduce_sum(weights)


def prediction(head: Head, output: Any) -> Any:
    """Return what a row is predicted to be, in the label's own scale: [batch] or [batch, C].

    Unlike the rest of this module it is made of Keras's operations, for a model of Keras.
    """
    if head.task == "multi_class":
        return keras.ops.softmax(output, axis=1)
    if head.task == "binary":
        return keras.ops.squeeze(keras.ops.sigmoid(output), axis=1)
    single, scale = keras.ops.squeeze(output, axis=1), head.scale
    if scale is None:
        return single
    # Arrays, not numbers: of a number LiteRT's quantiser gives what it multiplies a wrong range.
    deviation, mean = np.array([[scale.deviation], [scale.mean]], np.float32)
    return single * deviation + mean


def measure(head: Task, output: Any, label: Any) -> Any:
    """Return the mean over rows of what MEASURES names."""
    if head == "multi_class":
        right = tf.equal(tf.argmax(output, axis=1), tf.cast(label, tf.int64))
        return tf.reduce_mean(tf.cast(right, tf.float32))
    single = tf.squeeze(output, 1)
    if head == "binary":
        return tf.reduce_mean(tf.cast(tf.equal(single > 0, label > HALF), tf.float32))
    return tf.reduce_mean(tf.abs(label - single))


def _losses(head: Task, output: Any, label: Any) -> Any:
    """Return each row's loss, [batch]."""
    if head == "multi_class":
        classes = tf.cast(label, tf.int32)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(classes, output)
    single = tf.squeeze(output, 1)
    if head == "binary":
        return tf.nn.sigmoid_cross_entropy_with_logits(label, single)
    return (label - single) ** 2
