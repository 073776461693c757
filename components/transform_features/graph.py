"""The preprocessing_fn, made of the declared features, in TensorFlow Transform's terms.

Rules:
1. a number that is missing, NaN or infinite is no value: the analysis leaves it out, its scaled
   value or its sine and cosine are 0, and its bucket is the one after the last;
2. numbers are computed in float64 and rounded once to float32, so that the same formula in another
   runtime gives the same result;
3. a text outside a vocabulary, "" included, has the one id after its last, or one of the
   `oov_buckets` ids after it by its hash;
4. there is one analyzer each for means, for variances, for smallest and largest values, for
   the quantiles of each number of buckets, and for all vocabularies together.

This module imports TensorFlow: import it inside functions only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.transform_features import fitted, text_hash
from components.transform_features.civil_dates import LIMIT, date_part
from components.transform_features.declared import DeclaredFeatures
from components.transform_features.feature_kinds import (
    Bucketized,
    Circle,
    Hashed,
    Scaled,
    Vocabulary,
)
from components.transform_features.vocabularies import vocabulary_files

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
        if declared.ids:
            outputs["ids"] = _ids(raw, declared)
        return outputs

    return preprocess


def _dense(raw: Tensors, declared: DeclaredFeatures) -> tf.Tensor:
    parts = []
    if declared.scaled:
        parts.append(_scale(raw, declared.scaled))
    if declared.circles:
        parts += _circle(raw, declared.circles)
    if declared.missing:
        _, known = _stack(raw, [feature.column for feature in declared.missing])
        parts.append(1.0 - tf.cast(known, tf.float64))
    ordered = tf.gather(tf.concat(parts, axis=1), declared.dense_order, axis=1)
    return tf.cast(ordered, tf.float32)


def _stack(raw: Tensors, columns: Sequence[str]) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the columns as float64 [batch, n], and which of them hold a value."""
    stacked = tf.cast(tf.stack([raw[name] for name in columns], axis=1), tf.float64)
    return stacked, tf.math.is_finite(stacked)


def _scale(raw: Tensors, features: tuple[Scaled, ...]) -> tf.Tensor:
    x, known = _stack(raw, [feature.column for feature in features])
    logged = tf.math.log(1.0 + tf.maximum(x, 0.0))
    x = tf.where(tf.constant([feature.logged for feature in features]), logged, x)
    centres, widths = _fit_scales(x, known, [feature.kind for feature in features])
    scaled = (x - centres) / widths
    return tf.where(known, scaled, tf.zeros_like(scaled))


def _fit_scales(x: tf.Tensor, known: tf.Tensor, kinds: list[str]) -> tuple[tf.Tensor, tf.Tensor]:
    """Return what is subtracted from each column, and what it is divided by then."""
    count = len(kinds)
    centres, widths = tf.zeros([count], tf.float64), tf.ones([count], tf.float64)
    normal = [place for place, kind in enumerate(kinds) if kind in ("zscore", "log_zscore")]
    ranged = [place for place, kind in enumerate(kinds) if kind == "min_max"]
    for places, fit in ((normal, _moments), (ranged, _limits)):
        if places:
            centre, width = fit(tf.gather(x, places, axis=1), tf.gather(known, places, axis=1))
            where = [[place] for place in places]
            centres = tf.tensor_scatter_nd_update(centres, where, centre)
            widths = tf.tensor_scatter_nd_update(widths, where, width)
    return centres, widths


def _moments(x: tf.Tensor, known: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    values = tf.where(known, x, tf.constant(math.nan, tf.float64))
    # TFT's mean and variance ignore NaN. The names let the fitted values be read back.
    mean = tf.identity(tft.mean(values, reduce_instance_dims=False), name=fitted.MEAN_NODE)
    variance = tf.identity(tft.var(values, reduce_instance_dims=False), name=fitted.VARIANCE_NODE)
    deviation = tf.sqrt(variance)
    constant = deviation <= fitted.RELATIVE_ZERO * tf.abs(mean)
    return mean, tf.where(constant, tf.ones_like(deviation), deviation)


def _limits(x: tf.Tensor, known: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the smallest value and the distance to the largest, 1 of a constant column."""
    nothing = tf.constant(-math.inf, tf.float64)
    # One analyzer: the largest x, and the largest -x.
    both = tf.concat([tf.where(known, x, nothing), tf.where(known, -x, nothing)], axis=1)
    found = tf.identity(tft.max(both, reduce_instance_dims=False), name=fitted.LIMITS_NODE)
    largest, negated = tf.split(found, 2)
    width = largest + negated
    return -negated, tf.where(width == 0.0, tf.ones_like(width), width)


def _circle(raw: Tensors, features: tuple[Circle, ...]) -> list[tf.Tensor]:
    x, known = _stack(raw, [feature.column for feature in features])
    dated = tf.constant([feature.part is not None for feature in features])
    known &= ~dated | (tf.abs(x) < LIMIT)
    counts = [
        date_part(feature.part, x[:, place], tf.floor) if feature.part else x[:, place]
        for place, feature in enumerate(features)
    ]
    x = tf.stack(counts, axis=1)
    periods = tf.constant([feature.period for feature in features], tf.float64)
    # The remainder is exact and keeps its sign, as C's fmod; only then is the angle small.
    angle = tf.raw_ops.TruncateMod(x=x, y=tf.broadcast_to(periods, tf.shape(x))) / periods
    angle = 2.0 * math.pi * angle
    return [tf.where(known, wave(angle), tf.zeros_like(x)) for wave in (tf.sin, tf.cos)]


def _ids(raw: Tensors, declared: DeclaredFeatures) -> tf.Tensor:
    found = _buckets(raw, [f for f in declared.id_sources if isinstance(f, Bucketized)])
    hashes = {column: _hash(raw[column]) for column in declared.hashed_columns}
    if declared.vocabularies:
        files = vocabulary_files(raw, declared.vocabularies)
        for feature in declared.vocabularies:
            found[feature.name] = _lookup(raw, feature, files[feature.name], hashes)
    for source in declared.id_sources:
        if isinstance(source, Hashed):
            texts = [hashes[column] for column in source.columns]
            value = text_hash.join(texts) if len(texts) > 1 else texts[0]
            found[source.name] = value % source.buckets
    return tf.stack([found[name] for name in declared.ids], axis=1)


def _buckets(raw: Tensors, features: list[Bucketized]) -> dict[str, tf.Tensor]:
    """Return {feature: id}: how many boundaries lie at or below the number."""
    found: dict[str, tf.Tensor] = {}
    for buckets in sorted({feature.buckets for feature in features}):
        equal = [feature for feature in features if feature.buckets == buckets]
        x = tf.stack([raw[feature.column] for feature in equal], axis=1)
        known = tf.math.is_finite(x)
        # TensorFlow's threads flush what is nearly 0, ONNX Runtime's do not: both are told to.
        x = tf.where(tf.abs(x) < fitted.SMALLEST, tf.zeros_like(x), x)
        # TFT's quantiles ignore NaN.
        quantiles = tft.quantiles(
            tf.where(known, x, tf.constant(math.nan, tf.float32)),
            num_buckets=buckets,
            epsilon=fitted.rank_error(buckets),
            reduce_instance_dims=False,
        )
        boundaries = tf.identity(quantiles, name=fitted.quantiles_node(buckets))
        places = tf.searchsorted(boundaries, tf.transpose(x), side="right", out_type=tf.int64)
        ids = tf.where(known, tf.transpose(places), tf.constant(buckets, tf.int64))
        found |= {feature.name: ids[:, place] for place, feature in enumerate(equal)}
    return found


def _lookup(
    raw: Tensors, feature: Vocabulary, file: tf.Tensor, hashes: Mapping[str, Any]
) -> tf.Tensor:
    texts = raw[feature.column]
    if feature.oov_buckets == 1:
        return tft.apply_vocabulary(texts, file, num_oov_buckets=1)
    # "" is in no vocabulary: its id is the size.
    with_none = tft.apply_vocabulary(tf.concat([texts, [""]], axis=0), file, num_oov_buckets=1)
    ids, size = with_none[:-1], with_none[-1]
    further = size + hashes[feature.column] % feature.oov_buckets
    return tf.where(ids == size, further, ids)


def _hash(texts: tf.Tensor) -> tf.Tensor:
    """Return the hash of each text, int64 [batch], as text_hash.py defines it."""
    characters = tf.strings.unicode_decode(texts, "UTF-8")
    codes = tf.cast(tf.minimum(characters.values + 1, text_hash.BEYOND), tf.int64)
    rows = characters.value_rowids()
    places = tf.range(tf.size(codes, out_type=tf.int64)) - tf.gather(characters.row_starts(), rows)
    weights = tf.constant((*text_hash.WEIGHTS, 0), tf.int64)
    products = codes * tf.gather(weights, tf.minimum(places, text_hash.LENGTH))
    totals = tf.math.unsorted_segment_sum(products, rows, tf.shape(texts)[0])
    return text_hash.mix(totals)
