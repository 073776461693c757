"""The heads in TensorFlow: loss and activation; components.training.heads says what they compute.

All of it may be traced.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from components.training.heads import Head, check_head


def loss(
    head: Head,
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


def activation(head: Head, output: Any) -> Any:
    """Return probabilities or values: [batch], or [batch, C] of a multi_class head."""
    if head == "multi_class":
        return tf.nn.softmax(output, axis=1)
    single = tf.squeeze(output, 1)
    return tf.sigmoid(single) if head == "binary" else single


def _losses(head: Head, output: Any, label: Any) -> Any:
    """Return each row's loss, [batch]."""
    if head == "multi_class":
        classes = tf.cast(label, tf.int32)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(classes, output)
    single = tf.squeeze(output, 1)
    if head == "binary":
        return tf.nn.sigmoid_cross_entropy_with_logits(label, single)
    return (label - single) ** 2
