"""A family of one's own in Keras: a scorecard, the same function as model_pytorch.

Copy both modules for a model of your own. `build_model` is what the settings name; it gets the
features' names and sizes, the settings' `model` section, and the seed. FAMILY is for the contract.
"""

from __future__ import annotations

import keras
from keras import layers

from components.core.features import FeatureSpec
from components.core.model_settings import ModelFamily

FAMILY = "scorecard"


def build_model(spec: FeatureSpec, family: ModelFamily, seed: int) -> keras.Model:
    """Return a model of {"dense": float32 [batch, D], "ids": int32 [batch, K]} to a logit.

    Points for each dense feature and for each id of an id feature are added up to [batch, 1]. It
    starts at zero, so the seed and the hyper-parameters are not used.
    """
    dense = keras.Input((len(spec.dense),), dtype="float32", name="dense")
    ids = keras.Input((len(spec.ids),), dtype="int32", name="ids")
    logit = layers.Dense(1, kernel_initializer="zeros", name="dense_points")(dense)
    for place, feature in enumerate(spec.ids):
        points = layers.Embedding(feature.buckets, 1, "zeros", name=f"points_{place}")
        logit = logit + points(ids[:, place])
    return keras.Model({"dense": dense, "ids": ids}, logit, name=FAMILY)
