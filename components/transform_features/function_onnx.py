"""A preprocessing_fn's transform as ONNX, converted from the graph that TFT saved.

Why: what a function of the user's computes cannot be assembled from declarations; how a graph is
converted is in components/graphs/graph_onnx.py.

Rules: an operation that ONNX Runtime does not have is a SettingsError that names it, never left
out; every input is rank 1, [batch], named as its column; tensors are renamed by their place, so
that equal graphs give equal bytes. Whether both forms agree is for the parity proof to say.

This module imports TensorFlow and tf2onnx: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import tensorflow as tf
import tensorflow_transform as tft
from onnx import helper
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from components.core.errors import SettingsError
from components.core.examples import InputType
from components.graphs.graph_onnx import converted, frozen, lacking, tables_of
from components.graphs.onnx_sets import sets_of
from components.transform_features.onnx_form import FILE_NAME, IR_VERSION

_OUTPUTS = ("dense", "ids")
_DTYPES = {"float32": tf.float32, "string": tf.string}
_TYPES = {"float32": onnx.TensorProto.FLOAT, "string": onnx.TensorProto.STRING}


def write_function_onnx(transform_graph: Path, inputs: Mapping[str, InputType]) -> Path:
    """Write preprocessing.onnx from the saved transform and return its path."""
    model = _convert(_concrete(transform_graph, inputs), list(inputs))
    _refuse_unknown(model)
    _rename_tensors(model.graph, list(inputs))
    _all_inputs(model.graph, inputs)
    del model.opset_import[:]
    model.opset_import.extend(sets_of(model.graph.node))
    onnx.checker.check_model(model, full_check=True)
    path = transform_graph / FILE_NAME
    path.write_bytes(model.SerializeToString(deterministic=True))
    _require_runs(path)
    return path


def _concrete(transform_graph: Path, inputs: Mapping[str, InputType]) -> Any:
    """Return the transform as a function of one tensor an input, `dense` before `ids`.

    tf2onnx loses inputs that reach an output as they are, so each goes through an identity.
    """
    layer = tft.TFTransformOutput(str(transform_graph)).transform_features_layer()

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def transform(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        raw = {name: tf.identity(value) for name, value in zip(inputs, tensors, strict=True)}
        return dict(layer(raw))

    specs = [
        tf.TensorSpec([None], _DTYPES[kind], name=f"input_{place}")
        for place, kind in enumerate(inputs.values())
    ]
    return transform.get_concrete_function(*specs)


def _convert(function: Any, names: list[str]) -> onnx.ModelProto:
    constant = frozen(function)
    made = dict(zip(sorted(function.structured_outputs), constant.outputs, strict=True))
    graph_def = constant.graph.as_graph_def()
    model = converted(
        graph_def,
        tables_of(function, graph_def),
        {f"input_{place}:0": name for place, name in enumerate(names)},
        {value.name: name for name, value in made.items()},
    )
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "tandem", ""
    return model


def _require_runs(path: Path) -> None:
    """Raise SettingsError where ONNX Runtime has no implementation for a type that is used."""
    try:
        onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except (errors.Fail, errors.InvalidGraph, errors.NotImplemented) as error:
        said = str(error).strip().splitlines()[0]
        raise SettingsError(
            f"the preprocessing_fn cannot be carried over: ONNX Runtime says {said[:300]}",
            remedy="compute it in another way, or declare the features in transform.features",
        ) from error


def _refuse_unknown(model: onnx.ModelProto) -> None:
    """Raise SettingsError naming the operations that ONNX does not have."""
    if unknown := lacking(model):
        raise SettingsError(
            "the preprocessing_fn cannot be carried over to ONNX: it uses TensorFlow's "
            + ", ".join(unknown),
            remedy="compute it without them, or declare the features in transform.features",
            expected="operations of ONNX",
            actual=unknown,
        )


def _rename_tensors(graph: onnx.GraphProto, inputs: list[str]) -> None:
    """Name tensors and nodes by their place; inputs and outputs keep their names.

    The place is that of a walk from the outputs: tf2onnx's own order goes by the names that
    TensorFlow gave, which depend on what the process traced before.
    """
    ordered = _walk(graph)
    del graph.node[:]
    graph.node.extend(ordered)
    names = {name: name for name in (*inputs, *_OUTPUTS)}

    def renamed(name: str) -> str:
        return names.setdefault(name, f"tandem.{len(names)}") if name else name

    for number, node in enumerate(graph.node):
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
        node.name, node.doc_string = f"tandem.node.{number}", ""
    kept = {name: part for part in graph.initializer for name in [renamed(part.name)]}
    for name, part in kept.items():
        part.name = name
    order = sorted(kept.values(), key=lambda part: int(part.name.rpartition(".")[2]))
    parts = [onnx.TensorProto.FromString(part.SerializeToString()) for part in order]
    del graph.initializer[:]
    graph.initializer.extend(parts)
    del graph.value_info[:]
    graph.name = "preprocessing"
    for value in (*graph.input, *graph.output):
        value.doc_string = ""
        value.type.tensor_type.shape.dim[0].dim_param = "batch"


def _walk(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return copies of the nodes that the outputs need, each after what it needs itself."""
    makers = {name: place for place, node in enumerate(graph.node) for name in node.output}
    waiting = [(makers[value.name], False) for value in reversed(graph.output)]
    done: dict[int, onnx.NodeProto] = {}
    while waiting:
        place, inputs_are_done = waiting.pop()
        if place in done:
            continue
        node = graph.node[place]
        if inputs_are_done:
            done[place] = onnx.NodeProto.FromString(node.SerializeToString())
            continue
        waiting.append((place, True))
        waiting += [(makers[name], False) for name in reversed(node.input) if name in makers]
    return list(done.values())


def _all_inputs(graph: onnx.GraphProto, inputs: Mapping[str, InputType]) -> None:
    """Give the model every input in order: some are needed for the analysis only."""
    del graph.input[:]
    for name, kind in inputs.items():
        graph.input.append(helper.make_tensor_value_info(name, _TYPES[kind], ["batch"]))
