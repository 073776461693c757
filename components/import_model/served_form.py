"""The form that is served, of a model as its maker exported it: raw rows in, its task's output out.

Rules: nothing of the model is changed but the names of its values, which get a prefix so that none
can collide; columns are brought into the shape and type that it takes, and its output into the
task's name and shape, float32. Only float, double and text are taken: a missing number is NaN,
which no whole number is. A model whose weights lie in files of their own is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, compose, helper

from components.core.contract import Input, Output
from components.core.errors import SettingsError
from components.import_model.signature import GIVEN_BY, Signature

PREFIX = "model/"
# Of the values between; no column has a slash in its name.
COLUMN, ROW, CHOSEN, STACKED = "served/column", "served/row", "served/chosen", "served/stacked"
POSITIVE, FLAT = "served/positive", "served/flat"
BATCH = "batch"
OPSET = 13  # of the nodes that are added, where a model has no operators of the default set
_OURS = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float32",
    TensorProto.STRING: "string",
}
_TYPES = {"float32": TensorProto.FLOAT, "string": TensorProto.STRING}
_NAME_IT = f"say in a signature what it takes and gives ({GIVEN_BY})"


def read_onnx(path: Path) -> Any:
    """Return a checked model; SettingsError for bytes that are none."""
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError) as error:
        lines = str(error).strip().splitlines() or ["no message"]
        raise SettingsError(
            f"{path.name} is no valid ONNX model: {lines[0][:200]}", remedy="export it again"
        ) from error
    if any(weight.data_location == TensorProto.EXTERNAL for weight in model.graph.initializer):
        raise SettingsError(
            f"{path.name} keeps weights in other files",
            remedy="export it as one file (external_data=False)",
        )
    return model


def signature_of(model: Any) -> Signature:
    """Return what a model itself says it takes; SettingsError where those are no columns."""
    inputs = []
    for value in _inputs(model):
        kind = value.type.tensor_type
        if len(kind.shape.dim) == 2 and kind.shape.dim[1].dim_value != 1:
            raise SettingsError(
                f"the model's input {value.name} takes several columns, which it does not name",
                remedy=_NAME_IT,
            )
        inputs.append(Input(name=value.name, dtype=_dtype_of(value)))
    return Signature(inputs=tuple(inputs))


def declared_signature(model: Any, said: Signature | None) -> Signature:
    """Return the signature that is meant; SettingsError where it does not fit the model."""
    own = said or signature_of(model)
    require_inputs(model, own)
    output_of([value.name for value in model.graph.output], own)
    return own


def output_of(names: list[str], signature: Signature) -> str:
    """Return the name of the output that is served; SettingsError where none is meant."""
    if signature.output is None and len(names) == 1:
        return names[0]
    if signature.output not in names:
        said = signature.output or "none, and it has several"
        raise SettingsError(
            f"the signature's output is {said}",
            remedy=f"name one of the model's with `output`: {', '.join(names)}",
            expected=names,
            actual=signature.output,
        )
    return str(signature.output)


def served_form(model: Any, signature: Signature, columns: int, output: Output) -> Any:
    """Return the model that takes raw rows; its output has that many columns, 0 for [rows]."""
    own = output_of([value.name for value in model.graph.output], signature)
    served = compose.add_prefix(model, PREFIX)
    inputs = {value.name.removeprefix(PREFIX): value for value in _inputs(served)}
    before = _stacked(signature, inputs) if signature.matrix else _each(signature, inputs)
    after = _given(f"{PREFIX}{own}", signature, columns, output)
    nodes = [*before, *served.graph.node, *after]
    for field in ("node", "input", "output"):
        served.graph.ClearField(field)
    served.graph.node.extend(nodes)
    value = helper.make_tensor_value_info
    served.graph.input.extend(value(c.name, _TYPES[c.dtype], [BATCH]) for c in signature.inputs)
    shape = [BATCH, columns] if output.classes else [BATCH]
    served.graph.output.append(value(output.name, TensorProto.FLOAT, shape))
    read = {name for node in nodes for name in node.input}
    constants = {COLUMN: [-1, 1], ROW: [-1], CHOSEN: [signature.positive]}
    served.graph.initializer.extend(
        helper.make_tensor(name, TensorProto.INT64, [len(numbers)], numbers)
        for name, numbers in constants.items()
        if name in read
    )
    if not any(entry.domain in {"", "ai.onnx"} for entry in served.opset_import):
        served.opset_import.append(helper.make_opsetid("", OPSET))
    return served


def _inputs(model: Any) -> list[Any]:
    """Return the inputs that are not merely the defaults of weights."""
    weights = {weight.name for weight in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def _dtype_of(value: Any) -> Any:
    kind = value.type.tensor_type.elem_type
    if kind not in _OURS:
        raise SettingsError(
            f"the model's input {value.name} is {TensorProto.DataType.Name(kind).lower()}, which "
            "has no missing value",
            remedy="export it with inputs of float, double or string",
            expected=sorted({"float", "double", "string"}),
            actual=TensorProto.DataType.Name(kind).lower(),
        )
    return _OURS[kind]


def require_names(said: Iterable[str], own: Iterable[str]) -> None:
    """Raise SettingsError unless a signature names a model's own inputs, all of them."""
    if sorted(said) != sorted(own):
        raise SettingsError(
            f"the signature names {', '.join(sorted(said))}, and the model takes "
            f"{', '.join(sorted(own))}",
            remedy="name the model's own inputs, or give its one input of all columns as `matrix`",
            expected=sorted(own),
            actual=sorted(said),
        )


def require_inputs(model: Any, signature: Signature) -> None:
    """Raise SettingsError unless the model has these inputs and no others, of the types said."""
    inputs = {value.name: value for value in _inputs(model)}
    names = [column.name for column in signature.inputs]
    require_names([signature.matrix] if signature.matrix else names, inputs)
    for column in signature.inputs:
        own = _dtype_of(inputs[signature.matrix or column.name])
        if own != column.dtype:
            raise SettingsError(
                f"the signature says {column.name} is {column.dtype}, and the model takes {own}",
                remedy="correct the signature, or export the model again",
                expected=own,
                actual=column.dtype,
            )


def _each(signature: Signature, inputs: dict[str, Any]) -> list[Any]:
    """Return the nodes that give each column to the input of its name."""
    nodes = []
    for column in signature.inputs:
        kind = inputs[column.name].type.tensor_type
        shape = COLUMN if len(kind.shape.dim) == 2 else ROW
        flat = f"served/{column.name}"
        nodes.append(helper.make_node("Reshape", [column.name, shape], [flat]))
        nodes.append(_cast(flat, f"{PREFIX}{column.name}", kind.elem_type))
    return nodes


def _stacked(signature: Signature, inputs: dict[str, Any]) -> list[Any]:
    """Return the nodes that give all columns, side by side, to one input."""
    shaped = {column.name: f"served/{column.name}" for column in signature.inputs}
    nodes = [helper.make_node("Reshape", [name, COLUMN], [to]) for name, to in shaped.items()]
    nodes.append(helper.make_node("Concat", [*shaped.values()], [STACKED], axis=1))
    kind = inputs[str(signature.matrix)].type.tensor_type.elem_type
    return [*nodes, _cast(STACKED, f"{PREFIX}{signature.matrix}", kind)]


def _cast(name: str, to: str, kind: int) -> Any:
    """Return the node that gives a value another name and, of numbers, another type."""
    if kind == TensorProto.STRING:
        return helper.make_node("Identity", [name], [to])
    return helper.make_node("Cast", [name], [to], to=kind)


def _given(own: str, signature: Signature, columns: int, output: Output) -> list[Any]:
    """Return the nodes that make what is served of the model's output."""
    if output.classes:
        return [helper.make_node("Cast", [own], [output.name], to=TensorProto.FLOAT)]
    chosen, nodes = own, []
    if columns == 2:
        chosen = POSITIVE
        nodes.append(helper.make_node("Gather", [own, CHOSEN], [chosen], axis=1))
    nodes.append(helper.make_node("Reshape", [chosen, ROW], [FLAT]))
    nodes.append(helper.make_node("Cast", [FLAT], [output.name], to=TensorProto.FLOAT))
    return nodes
