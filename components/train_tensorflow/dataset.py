"""The features as a tf.data.Dataset, for loops of one's own, Keras's fit among them.

The trainer does not go through it: gathering a batch from the mapped file is all there is to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.core.features import FeatureArrays, FeatureSpec, load_split
from components.core.training_settings import Train
from components.training.heads import Head
from components.training.parts import Parts


def feature_batches(features: Path, train: Train, epoch: int = 0) -> tf.data.Dataset:
    """Return an epoch's batches as the trainer takes them, by name: dense, ids, label and weight.

    There is a weight where the features or `train.class_weights` give one. Epochs count from 0.
    """
    head = Head.of(FeatureSpec.read(features))
    parts = Parts.of(load_split(features, "train"), train, head=head)

    def batches() -> Iterator[Mapping[str, Any]]:
        return (part.arrays.named() for part in parts.of_epoch(epoch))

    signature = batch_signature(parts.arrays, train)
    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(1)


def batch_signature(arrays: FeatureArrays, train: Train) -> dict[str, tf.TensorSpec]:
    """Return what a batch of these features is, by name, for any number of rows."""
    signature = {
        "dense": tf.TensorSpec([None, arrays.dense.shape[1]], tf.float32),
        "ids": tf.TensorSpec([None, arrays.ids.shape[1]], tf.int32),
        "label": tf.TensorSpec([None], tf.float32),
    }
    if train.class_weights is not None or arrays.weight is not None:
        signature["weight"] = signature["label"]
    return signature
