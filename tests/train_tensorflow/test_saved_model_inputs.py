"""Names of columns that a SavedModel's signature can have, and those that it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.core.errors import SettingsError

pytestmark = pytest.mark.slow
INPUTS: Any = {"Unit.price": "float32", "kind-of": "string", "plain": "float32", "a/b": "float32"}


def save_transform(folder: Path) -> None:
    """Save a transform as TFT does: one dictionary of columns, with their own names."""
    import tensorflow as tf

    def transform_fn(columns: Any) -> Any:
        numbers = [name for name, dtype in INPUTS.items() if dtype == "float32"]
        dense = tf.stack([columns[name] for name in numbers], axis=1)
        ids = tf.cast(tf.strings.length(columns["kind-of"]), tf.int64)[:, None]
        return {"dense": tf.where(tf.math.is_finite(dense), dense, 0.0), "ids": ids}

    specs = {
        name: tf.TensorSpec([None], tf.float32 if dtype == "float32" else tf.string)
        for name, dtype in INPUTS.items()
    }
    module = tf.Module()
    module.transform_fn = tf.function(transform_fn).get_concrete_function(specs)
    tf.saved_model.save(module, str(folder / "transform_fn"))


def scored_model() -> Any:
    """Return a model that weighs each input differently, so that none stands for another."""
    import keras

    dense = keras.Input((3,), dtype="float32", name="dense")
    ids = keras.Input((1,), dtype="int32", name="ids")
    layer = keras.layers.Dense(1, use_bias=False, name="logit")
    logit = layer(keras.ops.concatenate([dense, keras.ops.cast(ids, "float32")], axis=1))
    layer.set_weights([np.array([[0.5], [0.25], [0.125], [0.0625]], np.float32)])
    probability = keras.ops.squeeze(keras.ops.sigmoid(logit), axis=1)
    return keras.Model({"dense": dense, "ids": ids}, probability)


def test_columns_named_with_dots_and_hyphens_are_inputs_by_their_own_names(tmp_path: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    from components.core.runtimes import SIGNATURE, open_saved_model
    from components.train_tensorflow.saved_model import write_saved_model
    from components.training.sealing import Preprocessing

    save_transform(tmp_path)
    written = write_saved_model(tmp_path, scored_model(), Preprocessing(tmp_path, None, INPUTS))
    path = tmp_path / written.path

    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    assert set(saved.meta_graphs[0].signature_def[SIGNATURE].inputs) == set(INPUTS)
    rows = {
        "plain": np.array([3.0, np.nan], np.float32),
        "kind-of": np.array(["four", ""], object),
        "a/b": np.array([-8.0, 2.0], np.float32),
        "Unit.price": np.array([1.0, 0.0], np.float32),
    }
    expected = 1 / (1 + np.exp(-np.array([0.5 + 0.75 - 1.0 + 0.25, 0.25])))
    for score in open_saved_model(path).values():
        np.testing.assert_allclose(score(rows), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["age", "self"], r"column self cannot .*: TensorFlow has the name for itself"),
        (["a-b", "a.b"], r"column a\.b cannot .* does not tell its name from that of a-b"),
        (["Age", "age"], r"column age cannot .* does not tell its name from that of Age"),
        (["_age"], r"column _age cannot .*: its name begins with neither a letter nor a digit"),
        (["loan amount"], r"column loan amount cannot .* or has other characters than letters"),
    ],
)
def test_a_name_that_tensorflow_cannot_give_to_an_input_is_refused(
    columns: list[str], words: str
) -> None:
    from components.train_tensorflow.saved_model import column_specs

    with pytest.raises(SettingsError, match=words) as caught:
        column_specs(dict.fromkeys(columns, "float32"))
    assert "rename the column" in caught.value.remedy
    assert "train.forms" in caught.value.remedy


def test_other_names_are_kept_as_they_are() -> None:
    from components.train_tensorflow.saved_model import column_specs

    names = ["selfish", "ab.", "ab", "1x", "a..b", "a_b"]
    assert [spec.name for spec in column_specs(dict.fromkeys(names, "string"))] == names
