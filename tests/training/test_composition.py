"""The composed model is preprocessing, then the model, and holds nothing of where it was made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from components.core.bundle import open_onnx
from components.core.errors import IntegrityError, SettingsError
from components.training.composition import (
    compose_raw,
    feature_model,
    opset,
    raw_input_types,
    write_onnx,
)
from components.training.parity import features_of

ROWS = {
    "delay": np.array([46.0, np.nan, 6.0], np.float32),
    "hour": np.array([12.0, 17.0, np.inf], np.float32),
    "carrier": np.array(["AA", "UA", ""], object),
    "origin": np.array(["JFK", "?", "LGA"], object),
}


@pytest.fixture
def preprocessing(small_transform_graph: Path) -> Any:
    return onnx.load(str(small_transform_graph / "preprocessing.onnx"))


def scores(model: Any, path: Path) -> np.ndarray:
    write_onnx(model, path)
    return np.asarray(open_onnx(path).run(["probability"], ROWS)[0])


def test_raw_rows_give_what_the_model_gives_for_their_features(
    preprocessing: Any,
    small_transform_graph: Path,
    small_model: Callable[..., Any],
    tmp_path: Path,
) -> None:
    model = feature_model(small_model())
    write_onnx(model, tmp_path / "features.onnx")
    features = features_of(open_onnx(small_transform_graph / "preprocessing.onnx"), ROWS)
    given = {"dense": features.dense, "ids": features.ids}
    session = open_onnx(tmp_path / "features.onnx")
    (expected,) = session.run(
        ["probability"], {value.name: given[value.name] for value in session.get_inputs()}
    )
    actual = scores(compose_raw(preprocessing, model), tmp_path / "raw.onnx")
    assert actual.dtype == np.float32
    np.testing.assert_array_equal(actual, expected)


def test_the_composed_model_names_inputs_output_and_batch(
    preprocessing: Any, small_model: Callable[..., Any]
) -> None:
    graph = compose_raw(preprocessing, feature_model(small_model())).graph
    assert [value.name for value in graph.input] == ["delay", "hour", "carrier", "origin"]
    assert [value.name for value in graph.output] == ["probability"]
    dimensions = [v.type.tensor_type.shape.dim for v in [*graph.input, *graph.output]]
    assert [[d.dim_param for d in dims] for dims in dimensions] == [["batch"]] * 5


def test_each_operator_set_is_named_once(
    preprocessing: Any, small_model: Callable[..., Any]
) -> None:
    composed = compose_raw(preprocessing, feature_model(small_model()))
    assert [entry.domain for entry in composed.opset_import] == ["", "ai.onnx.ml"]


def test_nothing_of_the_machine_is_left_in_it(
    preprocessing: Any, small_model: Callable[..., Any], tmp_path: Path
) -> None:
    assert b"/home/someone" in small_model().SerializeToString()
    write_onnx(compose_raw(preprocessing, feature_model(small_model())), tmp_path / "raw.onnx")
    assert b"someone" not in (tmp_path / "raw.onnx").read_bytes()


def test_composing_twice_gives_the_same_bytes(
    preprocessing: Any, small_model: Callable[..., Any], tmp_path: Path
) -> None:
    for name in ("one.onnx", "two.onnx"):
        write_onnx(compose_raw(preprocessing, feature_model(small_model())), tmp_path / name)
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_a_model_of_another_opset_is_brought_to_the_newer_one(
    preprocessing: Any, small_model: Callable[..., Any], tmp_path: Path
) -> None:
    expected = scores(compose_raw(preprocessing, feature_model(small_model(18))), tmp_path / "18")
    newer = compose_raw(preprocessing, feature_model(small_model(20)))
    assert opset(newer) == 20
    np.testing.assert_array_equal(scores(newer, tmp_path / "20"), expected)


@pytest.mark.parametrize("gives_ids", [True, False])
def test_a_model_that_reads_no_ids_gets_none(
    preprocessing: Any, tmp_path: Path, gives_ids: bool
) -> None:
    if not gives_ids:
        del preprocessing.graph.output[1]
    nodes = [
        helper.make_node("ReduceSum", ["dense", "axis"], ["sum"], keepdims=0),
        helper.make_node("Sigmoid", ["sum"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "dense_only",
        [
            helper.make_tensor_value_info("dense", TensorProto.FLOAT, ["batch", 2]),
            helper.make_tensor_value_info("ids", TensorProto.INT32, ["batch", 0]),
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch"])],
        [helper.make_tensor("axis", TensorProto.INT64, [1], [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    actual = scores(compose_raw(preprocessing, feature_model(model)), tmp_path / "raw.onnx")
    np.testing.assert_allclose(actual, 1 / (1 + np.exp([-1.0, -1.0, 0.0])), rtol=1e-6)


def test_a_raw_input_of_rank_2_is_refused(preprocessing: Any) -> None:
    preprocessing.graph.input[0].type.tensor_type.shape.dim.add(dim_value=1)
    with pytest.raises(IntegrityError, match="raw input delay"):
        raw_input_types(preprocessing)


def test_a_model_with_two_outputs_is_refused(small_model: Callable[..., Any]) -> None:
    model = small_model()
    model.graph.output.add().CopyFrom(model.graph.output[0])
    with pytest.raises(SettingsError, match="2 outputs"):
        feature_model(model)
