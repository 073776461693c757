"""The preprocessing_fn, made of the declared features, in TensorFlow Transform's terms.

Rules:
1. a number that is missing, NaN or infinite is no value: the analysis leaves it out, and its
   z-score or its sine and cosine are 0;
2. numbers are computed in float64 and rounded once to float32, so that the same formula in another
   runtime gives the same result;
3. everything outside a vocabulary, "" included, has the one id after its last.

This module imports TensorFlow: import it inside functions only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import tensorflow as tf
import tensorflow_transform as tft

from components.transform_features.declared import Cyclic, DeclaredFeatures, Scaled, Vocabulary
from components.transform_features.fitted import MEAN_NODE, RELATIVE_ZERO, VARIANCE_NODE

Tensors = Mapping[str, tf.Tensor]


def preprocessing_fn(declared: DeclaredFeatures) -> Callable[[Tensors], dict[str, tf.Tensor]]:
    """Return the function that TFT traces: raw inputs [batch] to features.

    The features are `dense` [batch, D] and `ids` [batch, K]. An output without columns is left
    out: TFT has no tensors of width 0.
    """

    def preprocess(raw: Tensors) -> dict[str, tf.Tensor]:
        outputs = {}
        if declared.dense:
            outputs["dense"] = _dense(raw, declared)
        if declared.vocabularies:
            ids = [_lookup(raw, feature) for feature in declared.vocabularies]
            outputs["ids"] = tf.stack(ids, axis=1)
        return outputs

    return preprocess


def _dense(raw: Tensors, declared: DeclaredFeatures) -> tf.Tensor:
    parts = []
    if declared.scaled:
        parts.append(_scale(raw, declared.scaled))
    if declared.cyclic:
        parts += _circle(raw, declared.cyclic)
    ordered = tf.gather(tf.concat(parts, axis=1), declared.dense_order, axis=1)
    return tf.cast(ordered, tf.float32)


def _stack(raw: Tensors, columns: list[str]) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the columns as float64 [batch, n], and which of them hold a value."""
    stacked = tf.cast(tf.stack([raw[name] for name in columns], axis=1), tf.float64)
    return stacked, tf.math.is_finite(stacked)


def _scale(raw: Tensors, features: tuple[Scaled, ...]) -> tf.Tensor:
    x, known = _stack(raw, [feature.column for feature in features])
    logged = tf.math.log(1.0 + tf.maximum(x, 0.0))
    x = tf.where(tf.constant([feature.logged for feature in features]), logged, x)
    values = tf.where(known, x, tf.constant(math.nan, tf.float64))
    # TFT's mean and variance ignore NaN. The names let the fitted values be read back.
    mean = tf.identity(tft.mean(values, reduce_instance_dims=False), name=MEAN_NODE)
    variance = tf.identity(tft.var(values, reduce_instance_dims=False), name=VARIANCE_NODE)
    deviation = tf.sqrt(variance)
    constant = deviation <= RELATIVE_ZERO * tf.abs(mean)
    scaled = (x - mean) / tf.where(constant, tf.ones_like(deviation), deviation)
    return tf.where(known, scaled, tf.zeros_like(scaled))


def _circle(raw: Tensors, features: tuple[Cyclic, ...]) -> list[tf.Tensor]:
    x, known = _stack(raw, [feature.column for feature in features])
    periods = tf.constant([feature.period for feature in features], tf.float64)
    # The remainder is exact and keeps its sign, as C's fmod; only then is the angle small.
    angle = tf.raw_ops.TruncateMod(x=x, y=tf.broadcast_to(periods, tf.shape(x))) / periods
    angle = 2.0 * math.pi * angle
    return [tf.where(known, wave(angle), tf.zeros_like(x)) for wave in (tf.sin, tf.cos)]


def _lookup(raw: Tensors, feature: Vocabulary) -> tf.Tensor:
    """TFT orders a vocabulary by descending frequency, then by descending bytes."""
    return tft.compute_and_apply_vocabulary(
        raw[feature.column],
        top_k=feature.top_k,
        num_oov_buckets=1,
        vocab_filename=feature.column,
    )
