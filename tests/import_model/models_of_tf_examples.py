"""Models of serialised tf.Examples, as TFX's Trainer saves them: of each kind of feature one.

This module imports TensorFlow: import it inside fixtures only.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

WEIGHTS = {"EWR": 0.6, "JFK": -0.4, "LGA": 0.0}
NAMES = ("all_kinds", "required", "hashed", "ragged", "several", "pair", "twice")
one = [tf.TensorSpec([None], tf.string, name="examples")]
parse, texts = tf.io.parse_example, tf.io.VarLenFeature(tf.string)


def _filled(column: Any, default: Any) -> Any:
    """Return rank 1 of a sparse column, as the function of TFX's templates does."""
    shaped = tf.SparseTensor(column.indices, column.values, [column.dense_shape[0], 1])
    return tf.squeeze(tf.sparse.to_dense(shaped, default), axis=1)


class Model(tf.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        places = range(len(WEIGHTS))
        keys = tf.lookup.KeyValueTensorInitializer(list(WEIGHTS), list(places), tf.string, tf.int64)
        self.table = tf.lookup.StaticHashTable(keys, len(WEIGHTS))
        self.weights = tf.Variable([*WEIGHTS.values(), 0.25])

    @tf.function(input_signature=one)
    def all_kinds(self, examples: Any) -> Any:
        spec = {
            "distance": tf.io.VarLenFeature(tf.float32),
            "hour": tf.io.FixedLenFeature([1], tf.int64, default_value=[2]),
            "origin": texts,
            "unused": tf.io.FixedLenFeature([], tf.string),
        }
        found = parse(examples, spec)
        places = self.table.lookup(_filled(found["origin"], ""))
        logit = 1.2 * _filled(found["distance"], -0.5) + tf.gather(self.weights, places)
        logit += 0.1 * tf.cast(tf.squeeze(found["hour"], 1), tf.float32)
        probability = tf.expand_dims(tf.sigmoid(logit), 1)
        return {"outputs": probability, "seen": found["unused"]}

    @tf.function(input_signature=one)
    def required(self, examples: Any) -> Any:
        spec = {"distance": tf.io.FixedLenFeature([], tf.float32)}
        return {"late": tf.sigmoid(self.weights[0] * parse(examples, spec)["distance"])}

    @tf.function(input_signature=one)
    def hashed(self, examples: Any) -> Any:
        origin = _filled(parse(examples, {"origin": texts})["origin"], "")
        return {"late": tf.cast(tf.strings.to_hash_bucket_fast(origin, 10), tf.float32) / 10}

    @tf.function(input_signature=one)
    def ragged(self, examples: Any) -> Any:
        spec = {"distance": tf.io.RaggedFeature(tf.float32)}
        return {"late": tf.reduce_sum(parse(examples, spec)["distance"], axis=1)}

    @tf.function(input_signature=one)
    def several(self, examples: Any) -> Any:
        spec = {"distance": tf.io.FixedLenFeature([2], tf.float32, default_value=[0.0, 0.0])}
        return {"late": tf.reduce_sum(parse(examples, spec)["distance"], axis=1)}

    @tf.function(input_signature=one)
    def pair(self, examples: Any) -> Any:
        spec = {"distance": tf.io.FixedLenFeature([2], tf.float32)}
        return {"late": tf.reduce_sum(parse(examples, spec)["distance"], axis=1)}

    @tf.function(input_signature=one)
    def twice(self, examples: Any) -> Any:
        spec = {"hour": tf.io.FixedLenFeature([], tf.float32)}
        return {"late": parse(examples, spec)["hour"] + parse(examples, spec)["hour"]}
