"""import_model: models of several classes and of a number, by the same door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest
import tiny_bundles
from onnx import TensorProto, helper

from components.core.artifacts import tree_digest, write_json
from components.core.bundle import Bundle, OnnxScorer
from components.core.canonical import sha256_bytes
from components.core.errors import SettingsError
from components.core.examples import ExamplesManifest, read_split

pytestmark = pytest.mark.slow
CLASSES = ("early", "in time", "late")
ZONES: dict[str, Any] = {"task": "multi_class", "classes": CLASSES}
PRICES: dict[str, Any] = {"task": "regression"}
Predicting = Callable[[dict[str, Any]], None]


@pytest.fixture
def predicting(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Predicting:
    """Have the examples' label be of another task."""

    def of(target: dict[str, Any]) -> None:
        rows = tiny_bundles.table(1500)
        number = target["task"] == "regression"
        labels = np.arange(1500) * 7.5 if number else np.arange(1500) % len(CLASSES)
        place = rows.column_names.index("late")
        examples = tiny_bundles.write_examples(
            tmp_path / "examples", rows.set_column(place, "late", pa.array(labels))
        )
        manifest = ExamplesManifest.read(examples)
        columns = {**manifest.columns, "late": "float64" if number else "int64"}
        manifest.model_copy(update={**target, "columns": columns}).write(examples)
        verdict = {
            "passed": True,
            "examples_sha256": tree_digest(examples),
            "schema_sha256": sha256_bytes(b"a schema"),
        }
        write_json(tmp_path / "validation" / "validation.json", verdict)
        monkeypatch.setitem(inputs, "examples", examples)
        monkeypatch.setitem(inputs, "validation", tmp_path / "validation")

    return of


def _model(
    weights: list[list[float]], *last: str, kind: int = TensorProto.FLOAT
) -> onnx.ModelProto:
    """Return `hour`, [rows, 1], times weights, through the operators that are named last."""
    names = ["product", *(f"after {name}" for name in last)]
    nodes = [helper.make_node("MatMul", ["hour", "weights"], ["product"])]
    nodes += [
        helper.make_node(name, [before], [after])
        for name, before, after in zip(last, names, names[1:], strict=False)
    ]
    columns, value = len(weights[0]), helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "elsewhere",
        [value("hour", kind, [None, 1])],
        [value(names[-1], kind, [None, columns])],
        [helper.make_tensor("weights", kind, [1, columns], weights[0])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def _predicted(folder: Path, inputs: dict[str, Path]) -> Any:
    return OnnxScorer(Bundle.open(folder)).predict(read_split(inputs["examples"], "eval"))


def _hour(inputs: dict[str, Path]) -> Any:
    return read_split(inputs["examples"], "eval")["hour"].to_numpy()


def test_a_model_of_several_classes_gives_a_probability_for_each(predicting, importing, inputs):
    predicting(ZONES)
    _, folder = importing(_model([[0.1, -0.3, 0.2]], "Softmax"))
    output = Bundle.open(folder).contract.output
    assert (output.name, output.classes) == ("probabilities", CLASSES)
    odds = np.exp(_hour(inputs)[:, None] * np.array([[0.1, -0.3, 0.2]]))
    expected = odds / odds.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(_predicted(folder, inputs), expected, atol=1e-6)


def test_a_model_of_a_number_gives_it_as_it_is(predicting, importing, inputs):
    predicting(PRICES)
    _, folder = importing(_model([[-1234.5]]))
    assert Bundle.open(folder).contract.output.name == "value"
    np.testing.assert_allclose(_predicted(folder, inputs), -1234.5 * _hour(inputs), rtol=1e-6)


def test_a_number_of_double_precision_is_held_to_its_own_size(predicting, importing, inputs):
    """As a float32, 1234567.89 is off by 0.015: more than 1e-5, and nothing to a price."""
    predicting(PRICES)
    outcome, folder = importing(_model([[1234567.89]], kind=TensorProto.DOUBLE))
    np.testing.assert_allclose(_predicted(folder, inputs), 1234567.89 * _hour(inputs), rtol=1e-6)
    assert 0 < outcome.facts["max_abs_difference"] < 1e-6


@pytest.mark.parametrize("target", [ZONES, PRICES], ids=["several classes", "a number"])
def test_what_the_task_does_not_ask_for_is_refused(predicting, importing, target):
    predicting(target)
    with pytest.raises(SettingsError, match=r"has shape \[1500, 2\] for 1500 rows"):
        importing(_model([[0.1, 0.2]], "Softmax"))


def test_logits_of_several_classes_are_no_probabilities(predicting, importing):
    predicting(ZONES)
    with pytest.raises(SettingsError, match="1500 of the model's 1500 outputs are no prob"):
        importing(_model([[0.1, 0.2, 0.3]]))


def test_a_number_that_is_infinite_is_none(predicting, importing, inputs):
    predicting(PRICES)
    zero = int((_hour(inputs) == 0).sum())
    with pytest.raises(SettingsError, match=f"{zero} of the model's 1500 outputs are no numbers"):
        importing(_model([[1.0]], "Reciprocal"))


def test_a_bundle_of_another_task_is_refused_by_what_it_gives(predicting, importing, tmp_path):
    predicting(ZONES)
    with pytest.raises(SettingsError) as caught:
        importing(tiny_bundles.write_bundle(tmp_path / "given", "pytorch"))
    assert caught.value.message == (
        "the bundle gives probability, and the use case asks for probabilities of early, in time, "
        "late"
    )
