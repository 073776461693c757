"""The flights use case as a TFX user writes it: a preprocessing_fn and a run_fn with a Keras model.

Nothing here is ours but the numbers of the settings: the same features, the same architecture, the
same optimiser and batches as `pipelines/examples/flights`, in plain TFT and Keras. One feature is
one output, as TFX's templates have it; the model is saved for serialized tf.Examples.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft
from stock_place import SIGNATURE
from tfx_bsl.public import tfxio

LABEL = "late"
TEXTS = {
    "carrier": 1000,
    "dest": 1000,
    "origin": 1000,
    "plane_manufacturer": 10,
    "plane_model": 64,
}
CIRCLES = {"hour": 24.0, "month": 12.0, "weather_wind_dir": 360.0, "weekday": 7.0}
LOGGED = ("distance", "weather_precip", "weather_wind_speed")
SCALED = (
    "minute",
    "plane_seats",
    "plane_year",
    "sched_arr_time",
    "sched_dep_time",
    "weather_dewp",
    "weather_humid",
    "weather_pressure",
    "weather_temp",
    "weather_visib",
)
WAVES = {"sin": tf.sin, "cos": tf.cos}
DENSE = sorted([*LOGGED, *SCALED, *(f"{name}_{wave}" for name in CIRCLES for wave in WAVES)])
IDS = sorted(TEXTS)
BATCH, RATE = 2048, 0.001
HIDDEN, EMBEDDING = (128, 64), 8


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return one tensor of [batch, 1] for each feature and for the label."""
    outputs = {LABEL: inputs[LABEL]}
    for name in SCALED:
        outputs[name] = _filled(tft.scale_to_z_score(_floats(inputs[name])))
    for name in LOGGED:
        logged = _mapped(_floats(inputs[name]), lambda x: tf.math.log1p(tf.maximum(x, 0.0)))
        outputs[name] = _filled(tft.scale_to_z_score(logged))
    for name, period in CIRCLES.items():
        for wave, function in WAVES.items():
            turned = _mapped(
                _floats(inputs[name]),
                lambda x, f=function, p=period: f(2.0 * math.pi * tf.math.floormod(x, p) / p),
            )
            outputs[f"{name}_{wave}"] = _filled(turned)
    for name, top_k in TEXTS.items():
        outputs[name] = tft.compute_and_apply_vocabulary(
            _filled(inputs[name], ""), top_k=top_k, num_oov_buckets=1, vocab_filename=name
        )
    return outputs


def _floats(column: Any) -> Any:
    return _mapped(column, lambda values: tf.cast(values, tf.float32))


def _mapped(column: Any, function: Any) -> Any:
    """Apply a function to the values of a column that may lack some."""
    if not isinstance(column, tf.SparseTensor):
        return function(column)
    return tf.SparseTensor(column.indices, function(column.values), column.dense_shape)


def _filled(column: Any, default: Any = 0.0) -> Any:
    """Return a column without gaps, [batch, 1]."""
    if not isinstance(column, tf.SparseTensor):
        return column
    shape = [column.dense_shape[0], 1]
    return tf.sparse.to_dense(tf.SparseTensor(column.indices, column.values, shape), default)


def build_model(sizes: dict[str, int]) -> keras.Model:
    """Return the wide and deep model; `sizes` counts the ids of each text."""
    inputs = {name: keras.Input((1,), name=name) for name in DENSE}
    inputs |= {name: keras.Input((1,), name=name, dtype="int64") for name in IDS}
    dense = keras.layers.concatenate([inputs[name] for name in DENSE])
    deep = keras.layers.concatenate(
        [dense, *(_embedded(inputs[name], sizes[name], EMBEDDING) for name in IDS)]
    )
    for units in HIDDEN:
        deep = keras.layers.Dense(units, activation="relu")(deep)
    wide = [keras.layers.Dense(1, use_bias=False)(dense)]
    wide += [_embedded(inputs[name], sizes[name], 1) for name in IDS]
    logit = keras.layers.add([keras.layers.Dense(1)(deep), *wide])
    return keras.Model(inputs, keras.layers.Activation("sigmoid")(logit))


def _embedded(ids: Any, size: int, width: int) -> Any:
    return keras.layers.Flatten()(keras.layers.Embedding(size, width)(ids))


def run_fn(fn_args: Any) -> None:
    """Train for the steps that the Trainer names and save the model."""
    transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    batches = fn_args.data_accessor.tf_dataset_factory(
        fn_args.train_files,
        tfxio.TensorFlowDatasetOptions(batch_size=BATCH, label_key=LABEL),
        transform.transformed_metadata.schema,
    )
    model = build_model({name: transform.vocabulary_size_by_name(name) + 1 for name in IDS})
    model.compile(keras.optimizers.Adam(RATE), keras.losses.BinaryCrossentropy())
    model.fit(batches, steps_per_epoch=fn_args.train_steps, verbose=2)
    served = tf.Module()
    served.model, served.layer = model, transform.transform_features_layer()
    tf.saved_model.save(
        served, fn_args.serving_model_dir, signatures={SIGNATURE: signature(served, transform)}
    )


def signature(served: Any, transform: Any) -> Any:
    """Return the model behind its transform: serialized tf.Examples in, probabilities out."""
    spec = transform.raw_feature_spec()
    spec.pop(LABEL)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples: Any) -> dict[str, Any]:
        features = served.layer(tf.io.parse_example(examples, spec))
        return {"probability": served.model(features)[:, 0]}

    return serve
