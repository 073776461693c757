"""SavedModels of serialised tf.Examples, as TFX's Trainer leaves them: carried by their columns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.core.bundle import Bundle, OnnxScorer
from components.core.errors import SettingsError
from components.core.examples import read_split
from components.import_model.declared import declared
from components.import_model.signature import Signature

pytestmark = pytest.mark.slow
WEIGHTS = {"EWR": 0.6, "JFK": -0.4, "LGA": 0.0}


def _filled(tf: Any, column: Any, default: Any) -> Any:
    """Return rank 1 of a sparse column, as the function of TFX's templates does."""
    shaped = tf.SparseTensor(column.indices, column.values, [column.dense_shape[0], 1])
    return tf.squeeze(tf.sparse.to_dense(shaped, default), axis=1)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save one of each kind of feature, and those that cannot be taken, each by its name."""
    import tensorflow as tf

    one = [tf.TensorSpec([None], tf.string, name="examples")]
    parse, texts = tf.io.parse_example, tf.io.VarLenFeature(tf.string)

    class Model(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            places = range(len(WEIGHTS))
            keys = tf.lookup.KeyValueTensorInitializer(
                list(WEIGHTS), list(places), tf.string, tf.int64
            )
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
            places = self.table.lookup(_filled(tf, found["origin"], ""))
            logit = 1.2 * _filled(tf, found["distance"], -0.5) + tf.gather(self.weights, places)
            logit += 0.1 * tf.cast(tf.squeeze(found["hour"], 1), tf.float32)
            probability = tf.expand_dims(tf.sigmoid(logit), 1)
            return {"outputs": probability, "seen": found["unused"]}

        @tf.function(input_signature=one)
        def required(self, examples: Any) -> Any:
            spec = {"distance": tf.io.FixedLenFeature([], tf.float32)}
            return {"late": tf.sigmoid(self.weights[0] * parse(examples, spec)["distance"])}

        @tf.function(input_signature=one)
        def hashed(self, examples: Any) -> Any:
            origin = _filled(tf, parse(examples, {"origin": texts})["origin"], "")
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

    folder, model = tmp_path_factory.mktemp("saved"), Model()
    for name in ("all_kinds", "required", "hashed", "ragged", "several", "pair", "twice"):
        tf.saved_model.save(model, str(folder / name), signatures=getattr(model, name))
    return folder


def expected(inputs: dict[str, Path]) -> Any:
    rows = read_split(inputs["examples"], "eval")
    distance = rows["distance"].fill_null(-0.5).to_numpy()
    weights = [WEIGHTS.get(name, 0.25) for name in rows["origin"].to_pylist()]
    return 1 / (1 + np.exp(-(1.2 * distance + weights + 0.1 * rows["hour"].to_numpy())))


SAID = {
    "inputs": [
        {"name": "distance", "dtype": "float32"},
        {"name": "hour", "dtype": "float32"},
        {"name": "origin", "dtype": "string"},
    ],
    "output": "outputs",
}


def test_a_model_of_all_kinds_of_features_is_carried_with_its_table(importing, inputs, saved):
    _, folder = importing(saved / "all_kinds", SAID)
    bundle = Bundle.open(folder)
    assert bundle.contract.input_types == {c["name"]: c["dtype"] for c in SAID["inputs"]}
    rows = read_split(inputs["examples"], "eval")
    assert rows["distance"].null_count
    assert rows["origin"].null_count
    found = OnnxScorer(bundle).predict(rows)
    np.testing.assert_allclose(found, expected(inputs), atol=1e-6)


def test_a_value_that_a_model_asks_for_and_rows_lack_is_counted(importing, saved):
    words = r"asks for a value of distance in every row, and \d+ of 1500 have none"
    with pytest.raises(SettingsError, match=words):
        importing(saved / "required")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hashed", r"cannot be carried to ONNX.*StringToHashBucketFast"),
        ("ragged", "does not parse all of them at once"),
        ("several", "parses a feature of several values"),
        ("pair", "parses a feature of several values"),
        ("twice", "does not parse all of them at once"),
    ],
)
def test_a_model_that_parses_otherwise_or_cannot_be_carried_is_refused(
    importing, saved, name, words
):
    with pytest.raises(SettingsError, match=words):
        importing(saved / name)


def test_what_a_model_parses_is_read_without_tensorflow(saved):
    code = (
        "import sys; from pathlib import Path\n"
        "from components.import_model.declared import declared\n"
        "found = declared('saved_model', Path(sys.argv[1]), None)\n"
        "print(found.some, {c.name: c.dtype for c in found.signature.inputs})\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, str(saved / "required")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "True {'distance': 'float32'}\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"inputs": [{"name": "hours", "dtype": "float32"}]}, "says hours, and the model parses"),
        ({"inputs": [{"name": "hour", "dtype": "string"}]}, "parses distance float32, hour float"),
        ({"inputs": [{"name": "hour", "dtype": "float32"}]}, "it has several"),
        ({**SAID, "inputs": SAID["inputs"][:1], "matrix": "x"}, "says x, and the model parses"),
    ],
)
def test_a_signature_that_does_not_fit_is_refused_unloaded(saved, said, words):
    with pytest.raises(SettingsError, match=words):
        declared("saved_model", saved / "all_kinds", Signature.model_validate(said))
