"""What a TFX user writes for stock Transform and Trainer: a preprocessing_fn and two run_fns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.schema_text import read_schema

LABEL, COLUMN = "late", "distance"


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    """Scale the one number; tables of texts are not carried to ONNX."""
    import tensorflow_transform as tft

    return {COLUMN: tft.scale_to_z_score(inputs[COLUMN]), LABEL: inputs[LABEL]}


def of_rows(fn_args: Any) -> None:
    """Train on what stock Transform made; save a model of raw columns, transform and all."""
    import tensorflow as tf
    import tensorflow_transform as tft

    graph = tft.TFTransformOutput(fn_args.transform_graph_path)
    model = _trained(fn_args, graph.transformed_metadata.schema, [COLUMN])

    class OfColumns(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.transform = model, graph.transform_features_layer()

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name=COLUMN)])
        def __call__(self, distance: Any) -> dict[str, Any]:
            scaled = self.transform({COLUMN: tf.expand_dims(distance, 1)})[COLUMN]
            return {"probability": self.model({COLUMN: scaled})}

    served = OfColumns()
    tf.saved_model.save(served, fn_args.serving_model_dir, signatures=served.__call__)


def of_features(fn_args: Any) -> None:
    """Train on a run's features; save a model of raw rows, by the run's transform graph."""
    import tensorflow as tf
    import tensorflow_transform as tft

    graph = tft.TFTransformOutput(fn_args.transform_graph_path)
    schema = read_schema(Path(fn_args.schema_path))
    model = _trained(fn_args, schema, [COLUMN, "origin"])

    class OfRows(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.transform = model, graph.transform_features_layer()

        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.float32, name=COLUMN),
                tf.TensorSpec([None], tf.string, name="origin"),
            ]
        )
        def __call__(self, distance: Any, origin: Any) -> dict[str, Any]:
            features = self.transform({COLUMN: distance, "origin": origin})
            given = {COLUMN: features["dense"], "origin": tf.cast(features["ids"], tf.float32)}
            return {"probability": self.model(given)}

    served = OfRows()
    tf.saved_model.save(served, fn_args.serving_model_dir, signatures=served.__call__)


def _trained(fn_args: Any, schema: Any, names: list[str]) -> Any:
    """Return a logistic regression on columns, trained as long as the Trainer says."""
    import keras
    from tfx_bsl.public.tfxio import TensorFlowDatasetOptions

    keras.utils.set_random_seed(7)
    inputs = {name: keras.Input((1,), name=name) for name in names}
    joined = keras.layers.Concatenate()(list(inputs.values())) if len(names) > 1 else inputs[COLUMN]
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(joined))
    model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy")
    options = TensorFlowDatasetOptions(batch_size=256, label_key=LABEL)
    rows = fn_args.data_accessor.tf_dataset_factory(fn_args.train_files, options, schema)
    model.fit(rows, steps_per_epoch=fn_args.train_steps, verbose=0)
    return model
