"""A form is proven in a process that never saw the trainer, and what does not run is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from components.core.bundle import open_onnx
from components.core.contract import Contract
from components.core.errors import SettingsError
from components.core.features import FeatureArrays
from components.core.operators import operators_of
from components.core.runtimes import onnx_score
from components.training.composition import compose_raw, feature_model, features_part, write_onnx
from components.training.evidence import Evidence, Rows
from components.training.parity import EDGE_ROWS, Evaluated, scale_of
from components.training.proof import Prover, Written
from components.training.sealing import Preprocessing, write_raw_onnx

RAW = {
    "number": np.array([1.5, np.nan, np.inf], np.float32),
    "text": np.array(["", "a\0b", "\u4e16"], object),
}


def test_evidence_comes_back_as_it_was(tmp_path: Path) -> None:
    expected = np.array([0.1, 0.2, 0.3], np.float32)
    features = {"dense": np.empty((3, 0), np.float32), "ids": np.ones((3, 2), np.int32)}
    scale = scale_of(features["dense"])
    Evidence(Rows(RAW, expected, scale), Rows(features, expected, scale)).write(tmp_path)
    back = Evidence.read(tmp_path)
    for rows, inputs in ((back.raw, RAW), (back.features, features)):
        assert list(rows.inputs) == list(inputs)
        np.testing.assert_array_equal(rows.expected, expected)
        np.testing.assert_array_equal(rows.scale, scale)
        for name, values in inputs.items():
            assert rows.inputs[name].dtype == values.dtype
            np.testing.assert_array_equal(rows.inputs[name], values)


def test_the_part_after_the_preprocessing_is_cut_out_of_the_bytes_that_ship(
    small_transform_graph: Path, small_model: Callable[..., Any], tmp_path: Path
) -> None:
    preprocessing = onnx.load(str(small_transform_graph / "preprocessing.onnx"))
    part = features_part(compose_raw(preprocessing, feature_model(small_model())))
    write_onnx(part, tmp_path / "part.onnx")
    session = open_onnx(tmp_path / "part.onnx")
    assert [value.name for value in session.get_inputs()] == ["dense", "ids"]
    inputs = {"dense": np.array([[0.5, -1.0]], np.float32), "ids": np.array([[1, 0]], np.int32)}
    np.testing.assert_allclose(onnx_score(session)(inputs), 1 / (1 + np.exp(-0.5)), rtol=1e-6)
    assert "LabelEncoder" not in {node.op_type for node in part.graph.node}


def evidence(graph: Path) -> Evidence:
    """Of the handmade model, by hand."""

    def predict(dense: np.ndarray, ids: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-(dense.sum(1) + ids.sum(1)))), np.float32)

    rows = FeatureArrays(
        np.ones((9, 2), np.float32), np.ones((9, 2), np.int32), np.zeros(9, np.float32)
    )
    return Preprocessing.read(graph).evidence(predict, Evaluated.by(predict, rows))


def test_the_small_batches_of_features_are_of_the_edge_rows(small_transform_graph: Path) -> None:
    found = evidence(small_transform_graph)
    of_edges, of_evaluation = np.split(found.features.inputs["dense"], [EDGE_ROWS])
    np.testing.assert_array_equal(of_evaluation, np.ones((9, 2), np.float32))
    assert len({*map(tuple, of_edges.tolist())}) > 50
    np.testing.assert_array_equal(found.features.expected[:EDGE_ROWS], found.raw.expected)


def test_a_form_that_depends_on_the_size_of_its_batch_is_refused(
    small_transform_graph: Path, tmp_path: Path, small_model: Callable[..., Any]
) -> None:
    model = small_model()
    model.graph.node[-1].output[0] = "right"
    model.graph.node.extend(
        [
            helper.make_node("Shape", ["right"], ["rows"]),
            helper.make_node("Equal", ["rows", "seven"], ["at_seven"]),
            helper.make_node("Cast", ["at_seven"], ["more"], to=TensorProto.FLOAT),
            helper.make_node("Add", ["right", "more"], ["Identity:0"]),
        ]
    )
    model.graph.initializer.append(helper.make_tensor("seven", TensorProto.INT64, [1], [7]))
    write_onnx(
        compose_raw(Preprocessing.read(small_transform_graph).model, feature_model(model)),
        tmp_path / "model.onnx",
    )
    with pytest.raises(SettingsError, match=r"onnx form differs .* at batches of 7"):
        Prover("onnx").prove(
            tmp_path, [Written("onnx", "model.onnx", "raw_rows")], evidence(small_transform_graph)
        )


def test_a_transform_that_depends_on_the_size_of_its_batch_is_told_as_the_transforms(
    small_transform_graph: Path, tmp_path: Path, small_model: Callable[..., Any]
) -> None:
    preprocessing = Preprocessing.read(small_transform_graph)
    found = evidence(small_transform_graph)
    model = onnx.load_from_string(preprocessing.model.SerializeToString())
    (last,) = (node for node in model.graph.node if "dense" in node.output)
    last.output[0] = "right"
    model.graph.node.extend(
        [
            helper.make_node("Shape", ["right"], ["rows"], end=1),
            helper.make_node("Equal", ["rows", "seven"], ["at_seven"]),
            helper.make_node("Cast", ["at_seven"], ["more"], to=TensorProto.FLOAT),
            helper.make_node("Add", ["right", "more"], ["dense"]),
        ]
    )
    model.graph.initializer.append(helper.make_tensor("seven", TensorProto.INT64, [1], [7]))
    write_onnx(compose_raw(model, feature_model(small_model())), tmp_path / "model.onnx")
    form = Written("onnx", "model.onnx", "raw_rows")
    with pytest.raises(SettingsError, match=r"differs .* on raw rows at batches of 7") as caught:
        Prover("onnx").prove(tmp_path, [form], found)
    assert "let the preprocessing_fn give a row the same features" in caught.value.remedy


def test_an_operator_that_the_runtime_lacks_is_named(
    small_transform_graph: Path, tmp_path: Path
) -> None:
    value = helper.make_tensor_value_info
    node = helper.make_node("Levitate", ["delay"], ["probability"], domain="of.nobody")
    inputs = [value(name, TensorProto.FLOAT, ["batch"]) for name in ("delay", "hour")]
    inputs += [value(name, TensorProto.STRING, ["batch"]) for name in ("carrier", "origin")]
    graph = helper.make_graph(
        [node], "none", inputs, [value("probability", TensorProto.FLOAT, ["batch"])]
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("of.nobody", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "m.onnx")
    with pytest.raises(SettingsError, match=r"onnx form .* does not run .*Levitate") as caught:
        Prover("onnx").prove(
            tmp_path, [Written("onnx", "m.onnx", "raw_rows")], evidence(small_transform_graph)
        )
    assert "train.forms" in caught.value.remedy
    assert operators_of("onnx", tmp_path / "m.onnx") == {"of.nobody": ("Levitate",)}


def without_the_sigmoid(model: Any) -> Any:
    """Return a composed model whose probability is the logit."""
    nodes = model.graph.node
    (sigmoid,) = (node for node in nodes if node.op_type == "Sigmoid")
    (before,) = (node for node in nodes if sigmoid.input[0] in node.output)
    before.output[0] = sigmoid.output[0]
    nodes.remove(sigmoid)
    return model


def with_another_weight(model: Any) -> Any:
    """Return a composed model that sums along its rows' end as before, doubled."""
    (cast,) = (node for node in model.graph.node if node.name == "preprocessing/ids_int32")
    cast.output[0] = "once"
    model.graph.node.insert(
        list(model.graph.node).index(cast) + 1,
        helper.make_node("Add", ["once", "once"], ["preprocessing/ids_int32"]),
    )
    return model


def with_another_input(model: Any) -> Any:
    """Return a composed model that asks for a column that no row has."""
    model.graph.input.append(helper.make_tensor_value_info("tempo", TensorProto.FLOAT, ["batch"]))
    return model


def with_another_output(model: Any) -> Any:
    """Return a composed model whose output has another name."""
    (last,) = (node for node in model.graph.node if "probability" in node.output)
    last.output[0] = model.graph.output[0].name = "likelihood"
    return model


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (with_another_weight, "the onnx form differs from the framework by"),
        (without_the_sigmoid, "the onnx form differs from the framework by"),
        (with_another_output, "the onnx form gives likelihood, not one of probability,"),
        (with_another_input, "the onnx form is called with delay, .*, not tempo"),
    ],
)
def test_an_onnx_form_that_was_changed_is_refused(
    small_transform_graph: Path,
    tmp_path: Path,
    small_model: Callable[..., Any],
    change: Callable[[Any], Any],
    cause: str,
) -> None:
    # Unchanged it is proven: `sealed_bundle` has it.
    written = write_raw_onnx(tmp_path, small_model(), Preprocessing.read(small_transform_graph))
    model = change(onnx.load(str(tmp_path / "model.onnx")))
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(SettingsError, match=cause):
        Prover("onnx").prove(tmp_path, [written], evidence(small_transform_graph))


def test_a_value_that_only_an_inner_graph_takes_belongs_to_the_part(
    small_transform_graph: Path, small_model: Callable[..., Any], tmp_path: Path
) -> None:
    model = small_model()
    model.graph.node[-1].output[0] = "right"
    value = helper.make_tensor_value_info("either", TensorProto.FLOAT, ["batch"])
    node = helper.make_node("Identity", ["right"], ["either"])
    branch = helper.make_graph([node], "branch", [], [value])
    model.graph.node.append(
        helper.make_node("If", ["always"], ["Identity:0"], then_branch=branch, else_branch=branch)
    )
    model.graph.initializer.append(helper.make_tensor("always", TensorProto.BOOL, [], [True]))
    written = write_raw_onnx(tmp_path, model, Preprocessing.read(small_transform_graph))
    (form,) = Prover("onnx").prove(tmp_path, [written], evidence(small_transform_graph))
    assert {"Identity", "If", "Sigmoid"} <= set(form.operators["ai.onnx"])


def test_the_contract_says_batches_and_operators(small_bundle: Path) -> None:
    form = Contract.read(small_bundle).form("onnx")
    assert form.parity.batch_sizes == (1, 7, 1024)
    assert form.operators["ai.onnx.ml"] == ("LabelEncoder",)
