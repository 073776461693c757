"""A run_fn for TFX's Trainer, as users write one: it saves a small SavedModel, untrained."""

from __future__ import annotations

from typing import Any


def run_fn(fn_args: Any) -> None:
    """Save a model where the Trainer asks for it."""
    import tensorflow as tf

    class Doubled(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def __call__(self, values: Any) -> Any:
            return values * 2.0

    tf.saved_model.save(Doubled(), fn_args.serving_model_dir)
