"""SavedModels of serialised tf.Examples, as TFX's Trainer leaves them: carried by their columns."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
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


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save one of each kind of feature, and those that cannot be taken, each by its name."""
    import tensorflow as tf
    from models_of_tf_examples import NAMES, Model

    folder, model = tmp_path_factory.mktemp("saved"), Model()
    for name in NAMES:
        tf.saved_model.save(model, str(folder / name), signatures=getattr(model, name))
    return folder


def expected(inputs: dict[str, Path]) -> Any:
    from models_of_tf_examples import WEIGHTS

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


def test_a_model_that_hashes_texts_into_buckets_is_carried_to_the_same_ones(
    importing, inputs, saved
):
    import tensorflow as tf

    _, folder = importing(saved / "hashed")
    rows = read_split(inputs["examples"], "eval")
    texts = [text or "" for text in rows["origin"].to_pylist()]
    expected = tf.strings.to_hash_bucket_fast(texts, 10).numpy() / 10
    assert len({*expected}) > 1
    np.testing.assert_allclose(OnnxScorer(Bundle.open(folder)).predict(rows), expected, atol=1e-6)


def test_a_value_that_a_model_asks_for_and_rows_lack_is_counted(importing, saved):
    words = r"asks for a value of distance in every row, and \d+ of 1500 have none"
    with pytest.raises(SettingsError, match=words):
        importing(saved / "required")


@pytest.mark.parametrize(
    ("name", "words"),
    [
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


def _of_doubles(node: Any) -> None:
    types = node.attr["Tdense"].list.type
    types[:] = [2] * len(types)


DAMAGES: dict[str, Callable[[Any], None]] = {
    "an input less": lambda node: node.input.pop(),
    "no types of sparse features": lambda node: node.attr.pop("sparse_types"),
    "no types of dense features": lambda node: node.attr.pop("Tdense"),
    "a type more": lambda node: node.attr["Tdense"].list.type.append(1),
    "a type that nothing is parsed as": _of_doubles,
    "inputs cut off": lambda node: node.ClearField("input"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_graph_whose_parsing_is_not_whole_is_refused(
    saved: Path, tmp_path: Path, damage: str
) -> None:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    model = SavedModel.FromString((saved / "all_kinds/saved_model.pb").read_bytes())
    functions = model.meta_graphs[0].graph_def.library.function
    for node in [n for f in functions for n in f.node_def if n.op == "ParseExampleV2"]:
        DAMAGES[damage](node)
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    with pytest.raises(SettingsError) as error:
        declared("saved_model", tmp_path, None)
    assert error.value.remedy


def test_a_file_with_a_damaged_byte_is_read_or_refused(saved: Path, tmp_path: Path) -> None:
    whole = (saved / "all_kinds/saved_model.pb").read_bytes()
    chosen = np.random.default_rng(5)
    for place in chosen.integers(0, len(whole), 400):
        data = bytearray(whole)
        data[place] ^= int(chosen.integers(1, 256))
        (tmp_path / "saved_model.pb").write_bytes(data)
        with contextlib.suppress(SettingsError):
            declared("saved_model", tmp_path, None)
