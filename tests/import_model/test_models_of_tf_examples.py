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
