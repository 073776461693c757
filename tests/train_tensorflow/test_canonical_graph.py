"""Equal graphs have equal bytes, whatever names and order their exporter chose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from components.core.bundle import open_onnx
from components.train_tensorflow.canonical_graph import canonical_graph

DENSE = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)


def graph(prefix: str, *, shared: bool, swapped: bool, weight: float = 2.0) -> Any:
    """sigmoid(sum(relu(2d) + (2d)^2)): two ways to name, order and share the same computation."""
    doubled = [f"{prefix}/twice", f"{prefix}/twice" if shared else f"{prefix}/double"]
    make = helper.make_node
    nodes = [make("Mul", ["dense", f"{prefix}/two"], [doubled[0]])]
    initial = [numpy_helper.from_array(np.array(weight, np.float32), f"{prefix}/two")]
    if not shared:
        nodes.append(make("Mul", ["dense", f"{prefix}/zwei"], [doubled[1]]))
        initial.append(numpy_helper.from_array(np.array(weight, np.float32), f"{prefix}/zwei"))
    branches = [
        make("Relu", [doubled[0]], [f"{prefix}/relu"]),
        make("Mul", [doubled[1], doubled[1]], [f"{prefix}/square"]),
    ]
    nodes += reversed(branches) if swapped else branches
    initial.append(numpy_helper.from_array(np.array([1]), f"{prefix}/axis"))
    nodes += [
        make("Add", [f"{prefix}/relu", f"{prefix}/square"], [f"{prefix}/sum"]),
        make("ReduceSum", [f"{prefix}/sum", f"{prefix}/axis"], [f"{prefix}/all"], keepdims=0),
        make("Sigmoid", [f"{prefix}/all"], ["probability"]),
    ]
    value = helper.make_tensor_value_info
    inputs = [value("dense", TensorProto.FLOAT, ["batch", 2])]
    outputs = [value("probability", TensorProto.FLOAT, ["batch"])]
    made = helper.make_graph(nodes, prefix, inputs, outputs, initial)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def content(model: Any) -> bytes:
    return bytes(canonical_graph(model).SerializeToString(deterministic=True))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("swapped", [True, False])
def test_names_order_and_sharing_do_not_show(shared: bool, swapped: bool) -> None:
    one = graph("a", shared=True, swapped=False)
    other = graph("some/other_7", shared=shared, swapped=swapped)
    assert content(other) == content(one)


def test_another_weight_shows() -> None:
    one = graph("a", shared=True, swapped=False)
    assert content(graph("a", shared=True, swapped=False, weight=2.5)) != content(one)


def test_the_canonical_graph_computes_what_the_first_did(tmp_path: Path) -> None:
    model = graph("a", shared=False, swapped=True)
    results = []
    for name, part in (("one", model), ("two", canonical_graph(model))):
        onnx.checker.check_model(part, full_check=True)
        path = tmp_path / name
        path.write_bytes(part.SerializeToString())
        results.append(open_onnx(path).run(["probability"], {"dense": DENSE})[0])
    np.testing.assert_array_equal(*results)


def test_a_graph_with_a_graph_inside_is_left_as_it_is() -> None:
    model = graph("a", shared=True, swapped=False)
    inner = helper.make_graph([], "inner", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], [], then_branch=inner, else_branch=inner))
    assert canonical_graph(model) == model
