"""A preprocessing_fn's transform as ONNX, converted from the graph that TFT saved.

Why: what a function of the user's computes cannot be assembled from declarations. tf2onnx converts
the graph; what it cannot, or gives another value for, is in function_ops.

Rules: an operation that ONNX Runtime does not have is a SettingsError that names it, never left
out; every input is rank 1, [batch], named as its column; tensors are renamed by their place, so
that equal graphs give equal bytes. Whether both forms agree is for the parity proof to say.

This module imports TensorFlow and tf2onnx: import it inside functions only.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tensorflow_transform as tft
from onnx import helper
from onnxruntime.capi import onnxruntime_pybind11_state as errors
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.ops import gen_lookup_ops
from tf2onnx import optimizer, tf_loader, tfonnx  # type: ignore[import-untyped]

from components.core.errors import SettingsError
from components.core.examples import InputType
from components.transform_features.function_ops import ML_DOMAIN, Tables, handlers
from components.transform_features.onnx_form import FILE_NAME, IR_VERSION, ML_OPSET, OPSET

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
    for domain, version in (("", OPSET), (ML_DOMAIN, ML_OPSET)):
        model.opset_import.append(helper.make_opsetid(domain, version))
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
    tables = _tables(function)
    frozen = convert_variables_to_constants_v2(
        function, lower_control_flow=False, aggressive_inlining=True
    )
    graph_def = frozen.graph.as_graph_def()
    _name_tables(graph_def, tables)
    given = [f"input_{place}:0" for place in range(len(names))]
    made = dict(zip(sorted(function.structured_outputs), frozen.outputs, strict=True))
    outputs = {value.name: name for name, value in made.items()}
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it cannot do is told by us
    with tf.Graph().as_default():
        optimized = tf_loader.tf_optimize(given, list(outputs), graph_def)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(optimized, name="")
        converted = tfonnx.process_tf_graph(
            graph,
            continue_on_error=True,
            opset=OPSET,
            extra_opset=[helper.make_opsetid(ML_DOMAIN, ML_OPSET)],
            custom_op_handlers=handlers(tables),
            input_names=given,
            output_names=list(outputs),
            tensors_to_rename=dict(zip(given, names, strict=True)) | outputs,
        )
    model = optimizer.optimize_graph(converted).make_model("preprocessing")
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "tandem", ""
    return model


def _tables(function: Any) -> Tables:
    """Return {placeholder: (texts, ids)} of the vocabularies that the function captured."""
    found = {}
    for table, placeholder in function.graph.captures:
        if table.dtype == tf.resource:
            texts, ids = gen_lookup_ops.lookup_table_export_v2(table, tf.string, tf.int64)
            order = np.argsort(ids.numpy())
            words = [text.decode("utf-8") for text in texts.numpy()[order].tolist()]
            found[placeholder.op.name] = (words, ids.numpy()[order].tolist())
    return found


def _name_tables(graph_def: Any, tables: Tables) -> None:
    """Make each captured table a HashTableV2 whose shared name is the placeholder's."""
    for node in graph_def.node:
        if node.op == "Placeholder" and node.name in tables:
            node.attr.clear()
            node.op = "HashTableV2"
            node.attr["shared_name"].s = node.name.encode()
            node.attr["key_dtype"].type = tf.string.as_datatype_enum
            node.attr["value_dtype"].type = tf.int64.as_datatype_enum


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
    known = {
        schema.name for schema in onnx.defs.get_all_schemas() if schema.domain in ("", ML_DOMAIN)
    }
    unknown = sorted({node.op_type for node in model.graph.node} - known)
    if unknown:
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
