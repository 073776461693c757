"""import_model: models that come in, and models that do not."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import foreign_models
import numpy as np
import onnx
import pytest
import tiny_bundles
from onnx import TensorProto, helper

from components.core.artifacts import write_json
from components.core.bundle import Bundle, OnnxScorer
from components.core.errors import GateError, IntegrityError, SettingsError
from components.core.examples import read_split
from components.import_model.formats import format_of

pytestmark = pytest.mark.slow


def _expected(inputs: dict[str, Path], slope: float = foreign_models.SLOPE) -> Any:
    rows = read_split(inputs["examples"], "eval")
    distance = np.nan_to_num(rows["distance"].to_numpy())
    weight = [foreign_models.ORIGINS.get(name, 0.0) for name in rows["origin"].to_pylist()]
    logit = slope * distance + np.array(weight) + foreign_models.BIAS
    return 1 / (1 + np.exp(-logit))


def test_columns_of_one_and_two_probabilities_become_a_bundle_of_the_contract(
    importing, inputs, filled, signature
):
    outcome, folder = importing(filled, signature)
    bundle = Bundle.open(folder)
    rows = read_split(inputs["examples"], "eval")
    np.testing.assert_allclose(OnnxScorer(bundle).predict(rows), _expected(inputs), atol=1e-6)
    assert bundle.contract.form("onnx").operators["ai.onnx.ml"] == ("LabelEncoder",)
    assert outcome.facts["given"]["name"] == "given.onnx"
    assert outcome.facts["rows_by_split"] == {"eval": 1500}


def test_the_other_of_two_probabilities_is_taken_where_the_signature_says_so(
    importing, inputs, filled, signature
):
    _, folder = importing(filled, signature | {"positive": 0})
    found = OnnxScorer(Bundle.open(folder)).predict(read_split(inputs["examples"], "eval"))
    np.testing.assert_allclose(found, 1 - _expected(inputs), atol=1e-6)


def test_one_matrix_of_doubles_is_made_of_the_columns_that_the_signature_names(importing, inputs):
    said = {"inputs": [{"name": "hour", "dtype": "float32"}], "matrix": "X"}
    _, folder = importing(foreign_models.matrix_model(), said)
    rows = read_split(inputs["examples"], "eval")
    expected = 1 / (1 + np.exp(-foreign_models.SLOPE * rows["hour"].to_numpy()))
    np.testing.assert_allclose(OnnxScorer(Bundle.open(folder)).predict(rows), expected, atol=1e-6)


def test_a_model_that_names_its_columns_and_has_one_output_needs_no_signature(importing, inputs):
    folder = tiny_bundles.write_bundle(inputs["examples"].parent / "ours", "pytorch")
    _, imported = importing(onnx.load(str(folder / "model.onnx")))
    assert Bundle.open(imported).contract.input_types == {
        "distance": "float32",
        "origin": "string",
    }


def test_a_bundle_keeps_its_served_form_and_the_rest_as_its_source(importing, tmp_path):
    given = tiny_bundles.write_bundle(tmp_path / "given", "tensorflow")
    _, folder = importing(given)
    bundle = Bundle.open(folder)
    assert bundle.contract.framework == "imported"
    assert [form.name for form in bundle.contract.forms] == ["onnx"]
    kept = folder / "source" / "given"
    assert {path.name for path in kept.iterdir()} == {path.name for path in given.iterdir()}


def test_without_a_validation_that_passed_nothing_is_looked_at(importing, inputs, filled, tmp_path):
    refused = tmp_path / "refused"
    write_json(refused / "validation.json", {"passed": False})
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(GateError, match="no validation that passed"),
    ):
        patch.setitem(inputs, "validation", refused)
        importing(filled)


def test_a_model_that_was_exchanged_after_the_start_is_an_integrity_error(
    importing, filled, signature
):
    with pytest.raises(IntegrityError, match=r"given\.onnx is not what it was"):
        importing(filled, signature, sha256="0" * 64)


def _changed(signature: dict[str, Any], place: int, **column: str) -> dict[str, Any]:
    columns = [dict(one) for one in signature["inputs"]]
    columns[place] |= column
    return signature | {"inputs": columns}


def test_a_signature_that_is_not_the_models_is_refused_by_name(importing, filled, signature):
    with pytest.raises(SettingsError) as caught:
        importing(filled, _changed(signature, 0, name="hour"))
    assert caught.value.message == (
        "the signature names hour, origin, and the model takes distance, origin"
    )


def test_a_signature_of_another_type_is_refused(importing, filled, signature):
    with pytest.raises(SettingsError, match="says origin is float32, and the model takes string"):
        importing(filled, _changed(signature, 1, dtype="float32"))


def test_an_output_that_the_signature_does_not_choose_is_refused(importing, filled, signature):
    del signature["output"]
    with pytest.raises(SettingsError, match="the signature's output is none, and it has several"):
        importing(filled, signature)


def test_a_column_that_the_examples_do_not_have_is_refused_with_the_nearest(importing, filled):
    for node in filled.graph.node:
        node.input[:] = ["distanze" if name == "distance" else name for name in node.input]
    filled.graph.input[0].name = "distanze"
    said = {
        "inputs": [
            {"name": "distanze", "dtype": "float32"},
            {"name": "origin", "dtype": "string"},
        ],
        "output": "probabilities",
    }
    with pytest.raises(SettingsError, match="which the examples do not have; did you mean dist"):
        importing(filled, said)


def test_the_label_is_no_column_of_the_examples_for_a_model(importing):
    said = {"inputs": [{"name": "late", "dtype": "float32"}], "matrix": "X"}
    with pytest.raises(SettingsError, match="takes late, which the examples do not have"):
        importing(foreign_models.matrix_model(), said)


def test_outputs_that_are_no_probabilities_are_refused(importing):
    model = foreign_models.matrix_model()
    del model.graph.node[1]
    model.graph.node[0].output[0] = "probability"
    said = {"inputs": [{"name": "distance", "dtype": "float32"}], "matrix": "X"}
    with pytest.raises(SettingsError, match="outputs are no probabilities"):
        importing(model, said)


def test_a_model_of_whole_numbers_is_refused_because_none_is_missing(importing):
    model = foreign_models.matrix_model()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    model.graph.node.insert(0, helper.make_node("Cast", ["X"], ["wide"], to=TensorProto.DOUBLE))
    model.graph.node[1].input[0] = "wide"
    said = {"inputs": [{"name": "hour", "dtype": "float32"}], "matrix": "X"}
    with pytest.raises(SettingsError, match="input X is int64, which has no missing value"):
        importing(model, said)


def test_a_model_for_batches_of_one_size_is_refused(importing):
    model = foreign_models.matrix_model()
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    said = {"inputs": [{"name": "hour", "dtype": "float32"}], "matrix": "X"}
    with pytest.raises(SettingsError, match="does not run: InvalidArgument"):
        importing(model, said)


def test_a_model_whose_rows_depend_on_their_batch_is_refused(importing):
    model = foreign_models.matrix_model()
    nodes = [
        helper.make_node("ReduceMean", ["X"], ["mean"], keepdims=1),
        helper.make_node("Sub", ["X", "mean"], ["centred"]),
    ]
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    model.graph.node[2].input[0] = "centred"
    said = {"inputs": [{"name": "hour", "dtype": "float32"}], "matrix": "X"}
    with pytest.raises(SettingsError, match="other outputs in other batches"):
        importing(model, said)


def test_a_corrupt_file_is_refused_by_name(importing, tmp_path):
    file = tmp_path / "broken.onnx"
    onnx.save(foreign_models.columns_model(), file)
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(SettingsError, match=r"broken\.onnx is no valid ONNX model"):
        importing(file)


def test_an_operator_that_no_runtime_has_is_refused(importing):
    model = foreign_models.matrix_model()
    model.graph.node[1].domain = "of.someone"
    model.opset_import.append(helper.make_opsetid("of.someone", 1))
    said = {"inputs": [{"name": "hour", "dtype": "float32"}], "matrix": "X"}
    with pytest.raises(SettingsError, match="does not run"):
        importing(model, said)


class _Bomb:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.onnx", "model.pt2", "m.pt"])
def test_a_pickle_is_refused_whatever_it_is_called_and_never_loaded(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / name
    file.write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(SettingsError, match="is a pickle, or may hold one"):
        format_of(file)
    assert not Path("exploded").exists()


def test_an_archive_with_a_pickle_in_it_is_refused(tmp_path):
    file = tmp_path / "weights.onnx"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps([1]))
    with pytest.raises(SettingsError, match="is a pickle"):
        format_of(file)


def test_what_is_no_model_is_refused_with_what_is(tmp_path):
    (tmp_path / "notes.txt").write_text("a model")
    for path, words in (
        (tmp_path / "notes.txt", "of no format that is known"),
        (tmp_path, "holds neither contract.json nor saved_model.pb"),
        (tmp_path / "nothing.onnx", "there is no model"),
    ):
        with pytest.raises(SettingsError, match=words):
            format_of(path)


def test_a_folder_above_a_saved_model_is_refused_with_the_one_below_named(tmp_path):
    model = tmp_path / "5"
    for version in ("1", "2"):
        exported = model / "Format-Serving" / "export" / "taxi" / version
        exported.mkdir(parents=True)
        (exported / "saved_model.pb").write_bytes(b"")
    assert format_of(exported) == "saved_model"
    for above in (model, model / "Format-Serving", exported.parent):
        with pytest.raises(SettingsError, match=f"neither .*; {exported} holds saved_model.pb"):
            format_of(above)


def test_a_bundle_with_a_changed_byte_is_an_integrity_error(importing, tmp_path):
    given = tiny_bundles.write_bundle(tmp_path / "given", "pytorch")
    shutil.copy(given / "model.onnx", given / "extra.onnx")
    with pytest.raises(IntegrityError, match="differs from its contract"):
        importing(given)
