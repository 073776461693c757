"""Models of TensorFlow and PyTorch as their frameworks exported them, and carried to ONNX.

Rules: a framework is imported only when a model of its format is opened; what cannot be carried is
refused with what stands in the way; no .pt2 is loaded that pt2_archive.py has not looked through.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper

from components.core.errors import SettingsError
from components.core.signature_names import keyword
from components.import_model.originals import Array, Columns, Original
from components.import_model.pt2_archive import require_no_code, require_tensors
from components.import_model.saved_signature import SIGNATURE, TEXT, saved_signature
from components.import_model.served_form import output_of
from components.import_model.signature import Signature, named_numbers


def open_saved_model(path: Path, signature: Signature | None) -> Original:
    """Load a SavedModel; its signature `serving_default` says what it takes and gives."""
    saved = saved_signature(path, signature)
    if saved.parses:
        from components.import_model.parsed_examples import open_parsing

        return open_parsing(path, saved.signature)
    own = saved.signature
    import tensorflow as tf

    # TensorFlow's functions hold their variables weakly: `call` keeps the model.
    model = tf.saved_model.load(str(path))
    function = model.signatures[SIGNATURE]
    specs = function.structured_input_signature[1]
    output = output_of(sorted(function.structured_outputs), own)

    def call(columns: Mapping[str, Any]) -> Any:
        given = {keyword(c.name): columns[c.name] for c in own.inputs}
        if own.matrix:
            given = {own.matrix: tf.stack([columns[c.name] for c in own.inputs], axis=1)}
        shaped = {name: _as_spec(tf, value, specs[name]) for name, value in given.items()}
        return model.signatures[SIGNATURE](**shaped)[output]

    def score(columns: Columns) -> Array:
        return np.asarray(call({name: tf.constant(v) for name, v in columns.items()}))

    columns = Signature(inputs=own.inputs, positive=own.positive)
    return Original(_of_columns(tf, call, columns), columns, score)


def _as_spec(tf: Any, value: Any, spec: Any) -> Any:
    """Return values in the type and the rank that a signature's input has."""
    if spec.dtype != tf.string:
        value = tf.cast(value, spec.dtype)
    return tf.reshape(value, [-1, 1]) if spec.shape.rank == 2 and value.shape.rank == 1 else value


def _of_columns(tf: Any, call: Any, signature: Signature) -> Any:
    """Return the ONNX of a function of columns, [rows] each, by their names."""
    from components.graphs.graph_onnx import frozen, tables_of
    from components.import_model.carried_graph import carried

    names = [column.name for column in signature.inputs]
    specs = [
        tf.TensorSpec([None], tf.string if c.dtype == TEXT else tf.float32, name=f"column_{place}")
        for place, c in enumerate(signature.inputs)
    ]

    def of_columns(*values: Any) -> Any:  # an input that is an output as it is would be lost
        return call({n: tf.identity(v) for n, v in zip(names, values, strict=True)})

    function = tf.function(of_columns, autograph=False).get_concrete_function(*specs)
    constant = frozen(function)
    inputs = {f"column_{place}:0": name for place, name in enumerate(names)}
    (output,) = constant.outputs
    graph_def = constant.graph.as_graph_def()
    return carried(graph_def, tables_of(function, graph_def), inputs, output.name)


def open_torch_export(path: Path, signature: Signature | None) -> Original:
    """Load a program of torch.export; it takes the signature's columns in their order."""
    signature = named_numbers(path, signature)
    require_no_code(path)
    require_tensors(path)
    import torch

    torch.set_num_threads(1)
    program = torch.export.load(path)
    taken = list(program.graph_signature.user_inputs)
    columns = [column.name for column in signature.inputs]
    if len(taken) != (1 if signature.matrix else len(columns)):
        raise SettingsError(
            f"the program takes {', '.join(taken)}, and the signature names {', '.join(columns)}",
            remedy="name one column an input, in their order, or give its one input as `matrix`",
            expected=taken,
            actual=columns,
        )
    exported = torch.onnx.export(program, dynamo=True, external_data=False, verbose=False)
    model, module = exported.model_proto, program.module()
    inputs = {value.name: value.type.tensor_type for value in model.graph.input}

    def score(given: Columns) -> Array:
        arrays = [given[name] for name in columns]
        values = [np.stack(arrays, axis=1)] if signature.matrix else arrays
        shaped = [_as_type(v, inputs[name]) for name, v in zip(taken, values, strict=True)]
        with torch.no_grad():
            found = module(*map(torch.tensor, shaped))
        return np.asarray(found.numpy())

    if signature.matrix:
        return Original(model, signature.model_copy(update={"matrix": taken[0]}), score)
    return Original(_with_inputs(model, dict(zip(taken, columns, strict=True))), signature, score)


def _as_type(values: Array, kind: Any) -> Array:
    values = values.astype(helper.tensor_dtype_to_np_dtype(kind.elem_type))
    return values.reshape(-1, 1) if values.ndim < len(kind.shape.dim) else values


def _with_inputs(model: Any, names: Mapping[str, str]) -> Any:
    """Return the model with its inputs renamed, {old: new}; what is inside keeps its names."""
    inside = [*model.graph.node]
    changed = {old: new for old, new in names.items() if old != new}
    nodes = [helper.make_node("Identity", [new], [old]) for old, new in changed.items()]
    for value in model.graph.input:
        value.name = changed.get(value.name, value.name)
    model.graph.ClearField("node")
    model.graph.node.extend([*nodes, *inside])
    return model
