"""What a TFX user writes, as TFX's taxi template does: a preprocessing_fn and a run_fn.

Rows may lack values, so TFT gets sparse tensors; the model that is served takes tf.Examples.
"""

from __future__ import annotations

from typing import Any

RAW_LABEL, LABEL = "came", "late_xf"
FEATURES = ("distance_xf", "origin_xf")
KNOWN, HASHED = 2, 10  # of three origins; the template has ten buckets too


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    import tensorflow as tf
    import tensorflow_transform as tft

    came = _filled(inputs[RAW_LABEL])
    return {
        "distance_xf": tft.scale_to_z_score(_filled(inputs["distance"])),
        "origin_xf": tft.compute_and_apply_vocabulary(
            _filled(inputs["origin"]), top_k=KNOWN, num_oov_buckets=HASHED
        ),
        LABEL: tf.cast(tf.equal(came, "late"), tf.int64),
    }


def _filled(column: Any) -> Any:
    """Return rank 1 with 0 or "" where a row has no value, as the template's function does."""
    import tensorflow as tf

    if not isinstance(column, tf.sparse.SparseTensor):
        return tf.reshape(column, [-1])
    default = "" if column.dtype == tf.string else 0
    shaped = tf.SparseTensor(column.indices, column.values, [column.dense_shape[0], 1])
    return tf.squeeze(tf.sparse.to_dense(shaped, default), axis=1)


def run_fn(fn_args: Any) -> None:
    """Train, and save the model with the template's signature of serialised tf.Examples."""
    import tensorflow as tf
    import tensorflow_transform as tft

    graph = tft.TFTransformOutput(fn_args.transform_graph_path)
    model = _trained(fn_args, graph)
    model.tft_layer_inference = graph.transform_features_layer()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve_tf_examples_fn(serialized: Any) -> dict[str, Any]:
        spec = graph.raw_feature_spec()
        spec.pop(RAW_LABEL)
        transformed = model.tft_layer_inference(tf.io.parse_example(serialized, spec))
        given = {name: tf.reshape(transformed[name], [-1, 1]) for name in FEATURES}
        return {"outputs": model(given)}

    signatures = {"serving_default": serve_tf_examples_fn}
    tf.saved_model.save(model, fn_args.serving_model_dir, signatures=signatures)


def _trained(fn_args: Any, graph: Any) -> Any:
    import keras
    from tfx_bsl.public.tfxio import TensorFlowDatasetOptions

    keras.utils.set_random_seed(7)
    inputs = {
        "distance_xf": keras.Input((1,), dtype="float32", name="distance_xf"),
        "origin_xf": keras.Input((1,), dtype="int32", name="origin_xf"),
    }
    size = graph.vocabulary_size_by_name("vocab_compute_and_apply_vocabulary_vocabulary")
    ids = size + HASHED
    wide = keras.layers.CategoryEncoding(num_tokens=ids)(inputs["origin_xf"])
    joined = keras.layers.concatenate([inputs["distance_xf"], wide])
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(joined))
    model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy")
    options = TensorFlowDatasetOptions(batch_size=256, label_key=LABEL)
    schema = graph.transformed_metadata.schema
    rows = fn_args.data_accessor.tf_dataset_factory(fn_args.train_files, options, schema)
    model.fit(rows.repeat(), steps_per_epoch=fn_args.train_steps, verbose=0)
    return model
