"""SavedModels and .pt2 files that come in, and those that would run code or cannot be carried."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.core.bundle import Bundle, OnnxScorer
from components.core.errors import SettingsError
from components.core.examples import read_split
from components.import_model.declared import declared
from components.import_model.pt2_archive import require_no_code, require_tensors
from components.import_model.signature import Signature

pytestmark = pytest.mark.slow
Change = Callable[[str, bytes], bytes]
HOUR = {"inputs": [{"name": "hour", "dtype": "float32"}], "matrix": "x"}


def _expected(inputs: dict[str, Path]) -> Any:
    hour = read_split(inputs["examples"], "eval")["hour"].to_numpy()
    return 1 / (1 + np.exp(-(0.5 * hour - 1.0)))


@pytest.fixture(scope="module")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save one of a column, one of texts in a table, and one without a signature."""
    import tensorflow as tf

    class Model(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            keys = tf.lookup.KeyValueTensorInitializer(["JFK"], [0.5])
            words = tf.lookup.KeyValueTensorInitializer(["EWR", "JFK"], [0, 1], tf.string, tf.int64)
            self.vocabulary = tf.lookup.StaticVocabularyTable(words, 5)
            self.factor = tf.Variable(0.5)
            self.table = tf.lookup.StaticHashTable(keys, 0.0)

        @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float64, name="hour")])
        def of_numbers(self, hour: Any) -> Any:
            return {"late": tf.sigmoid(0.5 * hour - 1.0), "hours": hour}

        @tf.function
        def half(self, hour: Any) -> Any:
            return self.factor * hour - 1.0

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="hour")])
        def of_variables(self, hour: Any) -> Any:
            return {"late": tf.sigmoid(self.half(hour))}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def of_examples(self, examples: Any) -> Any:
            spec = {"hour": tf.io.FixedLenFeature([], tf.float32)}
            return {"late": tf.sigmoid(self.half(tf.io.parse_example(examples, spec)["hour"]))}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="origin")])
        def of_texts(self, origin: Any) -> Any:
            return {"late": self.table.lookup(origin)}

        @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.string, name="origin")])
        def of_vocabulary(self, origin: Any) -> Any:
            return {"late": tf.cast(self.vocabulary.lookup(origin), tf.float32) / 7}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="origin")])
        def of_texts_as_numbers(self, origin: Any) -> Any:
            return {"late": tf.strings.to_number(origin)}

    folder, model = tmp_path_factory.mktemp("saved"), Model()
    as_numbers = model.of_texts_as_numbers
    tf.saved_model.save(model, str(folder / "as_numbers"), signatures=as_numbers)
    tf.saved_model.save(model, str(folder / "numbers"), signatures=model.of_numbers)
    tf.saved_model.save(model, str(folder / "variables"), signatures=model.of_variables)
    tf.saved_model.save(model, str(folder / "examples"), signatures=model.of_examples)
    tf.saved_model.save(model, str(folder / "texts"), signatures=model.of_texts)
    tf.saved_model.save(model, str(folder / "vocabulary"), signatures=model.of_vocabulary)
    tf.saved_model.save(model, str(folder / "none"))
    return folder


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a program of one matrix of one column."""
    import torch

    class Model(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.sigmoid(0.5 * x - 1.0)

    file = tmp_path_factory.mktemp("program") / "model.pt2"
    shape = ({0: torch.export.Dim("batch")},)
    exported = torch.export.export(Model(), (torch.zeros(4, 1),), dynamic_shapes=shape)
    torch.export.save(exported, file)
    return file


def test_a_saved_model_is_carried_to_onnx_by_its_own_signature(importing, inputs, saved_models):
    said = {"inputs": [{"name": "hour", "dtype": "float32"}], "output": "late"}
    _, folder = importing(saved_models / "numbers", said)
    rows = read_split(inputs["examples"], "eval")
    found = OnnxScorer(Bundle.open(folder)).predict(rows)
    np.testing.assert_allclose(found, _expected(inputs), atol=1e-6)
    assert (folder / "source" / "numbers" / "saved_model.pb").is_file()


def test_a_saved_model_of_functions_that_hold_variables_keeps_them(importing, inputs, saved_models):
    _, folder = importing(saved_models / "variables")
    rows = read_split(inputs["examples"], "eval")
    found = OnnxScorer(Bundle.open(folder)).predict(rows)
    np.testing.assert_allclose(found, _expected(inputs), atol=1e-6)


def test_an_output_of_a_saved_model_must_be_chosen(importing, saved_models):
    with pytest.raises(SettingsError, match="it has several"):
        importing(saved_models / "numbers")


def test_a_vocabulary_of_a_model_of_columns_is_carried_with_its_buckets(
    importing, inputs, saved_models
):
    import tensorflow as tf

    _, folder = importing(saved_models / "vocabulary")
    rows = read_split(inputs["examples"], "eval")
    texts = [text or "" for text in rows["origin"].to_pylist()]
    model = tf.saved_model.load(str(saved_models / "vocabulary"))
    given = tf.constant(texts, shape=[len(texts), 1])
    expected = model.signatures["serving_default"](origin=given)["late"].numpy()[:, 0]
    assert {0.0, np.float32(1 / 7)} < {*expected}
    np.testing.assert_allclose(OnnxScorer(Bundle.open(folder)).predict(rows), expected, atol=1e-6)


def test_a_table_of_texts_to_numbers_is_named_as_what_cannot_be_carried(importing, saved_models):
    with pytest.raises(SettingsError, match=r"cannot be carried to ONNX.*LookupTableFindV2"):
        importing(saved_models / "texts")


def test_what_a_model_says_of_a_row_is_not_told(importing, saved_models):
    with pytest.raises(SettingsError, match="the model does not run") as caught:
        importing(saved_models / "as_numbers")
    assert caught.value.message == "the model does not run: InvalidArgumentError"


def test_a_saved_model_without_a_signature_is_refused(importing, saved_models):
    with pytest.raises(SettingsError, match="has no signature serving_default"):
        importing(saved_models / "none")


def test_a_saved_model_of_serialised_examples_is_one_of_the_columns_that_it_parses(
    importing, inputs, saved_models
):
    _, folder = importing(saved_models / "examples")
    bundle = Bundle.open(folder)
    found = OnnxScorer(bundle).predict(read_split(inputs["examples"], "eval"))
    np.testing.assert_allclose(found, _expected(inputs), atol=1e-6)
    assert bundle.contract.input_types == {"hour": "float32"}


def test_a_damaged_saved_model_is_refused(importing, saved_models, tmp_path):
    broken = shutil.copytree(saved_models / "numbers", tmp_path / "broken")
    (broken / "saved_model.pb").write_bytes(b"no protocol buffer")
    with pytest.raises(SettingsError, match=r"broken is no SavedModel: saved_model\.pb"):
        importing(broken)


def test_a_program_is_carried_to_onnx_with_the_columns_that_it_is_told(importing, inputs, program):
    _, folder = importing(program, HOUR)
    rows = read_split(inputs["examples"], "eval")
    found = OnnxScorer(Bundle.open(folder)).predict(rows)
    np.testing.assert_allclose(found, _expected(inputs), atol=1e-6)


def test_a_program_of_other_inputs_than_it_is_told_is_refused(importing, program):
    columns = [{"name": "hour", "dtype": "float32"}, {"name": "distance", "dtype": "float32"}]
    with pytest.raises(SettingsError, match="takes x, and the signature names hour, distance"):
        importing(program, {"inputs": columns})


def _rewritten(program: Path, target: Path, change: Change, extra: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(program) as source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, change(name, source.read(name)))
        for name, content in extra.items():
            archive.writestr(name, content)
    return target


def _pickled_weight(name: str, content: bytes) -> bytes:
    if not name.endswith("weights/model_weights_config.json"):
        return content
    return json.dumps({"config": {"w": {"path_name": "weight_0", "use_pickle": True}}}).encode()


def _sample(name: str, content: bytes) -> bytes:
    return pickle.dumps(Path("x")) if name.endswith("sample_inputs/model.pt") else content


def _in_samples(changed: Callable[[bytes], bytes]) -> Change:
    """Return a change of the pickle in the samples' own archive."""

    def change(name: str, content: bytes) -> bytes:
        if not name.endswith("sample_inputs/model.pt"):
            return content
        made = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(made, "w") as target:
            for member in source.namelist():
                text = source.read(member)
                target.writestr(member, changed(text) if member.endswith("/data.pkl") else text)
        return made.getvalue()

    return change


def _size(text: bytes) -> Change:
    def change(name: str, content: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return content
        assert b'"expr_str": "Symbol(' in content
        return content.replace(b'"expr_str": "Symbol(', b'"expr_str": "%b(' % text)

    return change


@pytest.mark.parametrize(
    ("change", "extra", "words"),
    [
        (_pickled_weight, {}, "holds w as a pickle"),
        (_sample, {}, "sample inputs that are more than tensors"),
        (
            _in_samples(lambda _: pickle.dumps(Path("x"), 2)),
            {},
            "sample inputs that are more than tensors",
        ),
        (
            _in_samples(lambda _: pickle.dumps(Path("x"), 4)),
            {},
            "sample inputs that are more than tensors",
        ),
        *(
            (_size(text), {}, "a size that is no arithmetic")
            for text in (b"open", b"exec", b"Symbol.x", b"(Symbol)", b"__import__", b"\\n__x__")
        ),
        (lambda _, content: content, {"m/data/aotinductor/model/lib.so": b"x"}, "holds m/data/ao"),
        (lambda _, content: content, {"m/data/constants/custom_obj_0": b"x"}, "holds m/data/const"),
        (lambda _, content: content, {"model/byteorder": b"big"}, "names a file twice"),
        (lambda _, content: content, {"serialized_state_dict.pt": b"x"}, "holds serialized_state"),
    ],
)
def test_an_archive_that_could_run_code_is_refused_unloaded(
    program, tmp_path, change, extra, words
):
    require_no_code(program)
    with pytest.raises(SettingsError, match=words):
        require_no_code(_rewritten(program, tmp_path / "bad.pt2", change, extra))


def test_what_only_pytorchs_own_unpickler_refuses_is_refused_too(program, tmp_path):
    named = _in_samples(lambda text: text.replace(b"_rebuild_tensor_v2", b"_import_dotted_name"))
    file = _rewritten(program, tmp_path / "bad.pt2", named, {})
    require_tensors(program)
    require_no_code(file)
    with pytest.raises(SettingsError, match="sample inputs that are more than tensors"):
        require_tensors(file)


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04 and no more", {"m/data/weights/model_weights_config.json": b"[]"}]
)
def test_what_is_no_archive_is_refused(tmp_path, content):
    file = tmp_path / "model.pt2"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        with zipfile.ZipFile(file, "w") as archive:
            for name, text in content.items():
                archive.writestr(name, text)
    with pytest.raises(SettingsError, match="is no archive"):
        require_no_code(file)


def test_what_a_saved_model_and_a_program_declare_is_read_without_a_framework(
    saved_models, program
):
    """And is what TensorFlow says of the same folder."""
    code = (
        "import sys; from pathlib import Path\n"
        "from components.import_model.declared import declared\n"
        "from components.import_model.signature import Signature\n"
        "said = Signature.model_validate({'inputs': [{'name': 'hour', 'dtype': 'float32'}]})\n"
        "print(declared('saved_model', Path(sys.argv[1], 'texts'), None).signature.inputs)\n"
        "print(declared('torch_export', Path(sys.argv[2]), said).signature.inputs)\n"
        "assert not {'tensorflow', 'torch', 'onnxruntime'} & sys.modules.keys()\n"
    )
    command = [sys.executable, "-c", code, str(saved_models), str(program)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == [
        "(Input(name='origin', dtype='string'),)",
        "(Input(name='hour', dtype='float32'),)",
    ]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"name": "hours", "dtype": "float32"}, "names hours, and the model takes hour"),
        ({"name": "hour", "dtype": "string"}, "says hour is string, and the model takes float64"),
        ({"name": "hour", "dtype": "float32"}, "it has several"),
    ],
)
def test_a_saved_model_that_does_not_fit_its_signature_is_refused_unloaded(
    saved_models, said, words
):
    with pytest.raises(SettingsError, match=words):
        declared(
            "saved_model", saved_models / "numbers", Signature.model_validate({"inputs": [said]})
        )
