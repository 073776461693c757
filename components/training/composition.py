"""One ONNX model out of two: preprocessing (raw rows to features) and a model (to a prediction).

Why: a served model must take the rows that its users have; preprocessing that lives beside the
model drifts away from it.

Rules: the part with the older opset is converted to the newer one; names of the parts
are prefixed, so they cannot collide; ids are cast from the preprocessing's int64 to the model's
int32; every part and what is made of them is in plain form (plain_onnx.py), so that equal models
have equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from onnx import compose, helper, version_converter

from components.core.bundle import session_options
from components.core.contract import OUTPUTS
from components.core.errors import IntegrityError, SettingsError
from components.core.examples import InputType
from components.core.operators import inner_graphs
from components.core.runtimes import Score, onnx_score
from components.training.plain_onnx import BATCH, plain_form

DTYPES: dict[int, InputType] = {
    onnx.TensorProto.FLOAT: "float32",
    onnx.TensorProto.STRING: "string",
}
_CAST_IDS = "preprocessing/ids_int32"


def opset(model: Any) -> int:
    """Return the version of the default operator set."""
    return next(
        int(entry.version) for entry in model.opset_import if entry.domain in {"", "ai.onnx"}
    )


def raw_input_types(model: Any) -> dict[str, InputType]:
    """Return {input: dtype} of a model that takes raw rows; IntegrityError for any other."""
    found: dict[str, InputType] = {}
    for value in model.graph.input:
        kind = value.type.tensor_type
        if kind.elem_type not in DTYPES or len(kind.shape.dim) != 1:
            raise IntegrityError(
                f"raw input {value.name} is not float32 or string of rank 1",
                remedy="run transform_features again",
            )
        found[value.name] = DTYPES[kind.elem_type]
    return found


def compose_raw(preprocessing: Any, model: Any) -> Any:
    """Return the model that takes raw rows and gives what `model` does, by the same name.

    `preprocessing` gives dense float32 [batch, D], ids int64 [batch, K] or both; `model` takes what
    it needs of them, ids as int32, and has one output.
    """
    first, second = _aligned(plain_form(preprocessing), plain_form(model))
    first = compose.add_prefix(first, "preprocessing/", rename_inputs=False, rename_outputs=False)
    second = compose.add_prefix(second, "model/", rename_outputs=False)
    _cast_ids(first)
    taken = {value.name for value in second.graph.input}
    pairs = [("dense", "model/dense"), (_CAST_IDS, "model/ids")]
    output = _output_of(model)
    merged = compose.merge_models(
        first,
        second,
        io_map=[pair for pair in pairs if pair[1] in taken],
        outputs=[output],
        name=f"raw_rows_to_{output}",
    )
    return plain_form(merged)


def features_part(model: Any) -> Any:
    """Return what a composed model does after its preprocessing: dense and ids to a prediction.

    Its nodes and weights are those of the composed model, untouched.
    """
    graph, ends = model.graph, {"dense", _CAST_IDS}
    needed = _needed(graph, ends)
    part = onnx.ModelProto()
    part.CopyFrom(model)
    for field in ("node", "initializer", "input"):
        part.graph.ClearField(field)
    if "dense" in needed:
        part.graph.input.append(_batch_of("dense", onnx.TensorProto.FLOAT))
    if _CAST_IDS in needed:
        part.graph.input.append(_batch_of("ids", onnx.TensorProto.INT32))
        part.graph.node.append(helper.make_node("Identity", ["ids"], [_CAST_IDS]))
    part.graph.node.extend(
        node
        for node in graph.node
        if needed.intersection(node.output) and not ends.intersection(node.output)
    )
    part.graph.initializer.extend(w for w in graph.initializer if w.name in needed)
    return part


def open_features_part(path: Path, threads: int = 1) -> Score:
    """Return the function of the features part of a composed model: the bytes as they lie."""
    import onnxruntime

    part = features_part(onnx.load(str(path))).SerializeToString()
    options = session_options(threads)
    return onnx_score(
        onnxruntime.InferenceSession(part, options, providers=["CPUExecutionProvider"])
    )


def _batch_of(name: str, kind: int) -> Any:
    return helper.make_tensor_value_info(name, kind, [BATCH, None])


def _needed(graph: Any, ends: set[str]) -> set[str]:
    """Return the names of the values that the output depends on, up to the ends."""
    made_by = {name: node for node in graph.node for name in node.output}
    needed: set[str] = set()
    waiting = [value.name for value in graph.output]
    while waiting:
        name = waiting.pop()
        if name and name not in needed:  # one that is left out has the empty name
            needed.add(name)
            if name not in ends and name in made_by:
                waiting += _reads(made_by[name])
    return needed


def _reads(node: Any) -> Iterator[str]:
    """Yield the values that a node takes; the graphs inside it take some without naming them."""
    yield from node.input
    for graph in inner_graphs(node):
        yield from (value.name for value in graph.output)
        for inner in graph.node:
            yield from _reads(inner)


def _output_of(model: Any) -> str:
    return str(model.graph.output[0].name)


def feature_model(model: Any, output: str = OUTPUTS["binary"]) -> Any:
    """Return a framework's exported features model in plain form, its output named as asked."""
    plain = plain_form(model)
    if len(plain.graph.output) != 1:
        raise SettingsError(
            f"the exported model has {len(plain.graph.output)} outputs, not one",
            remedy="return one tensor from the model function",
        )
    _rename(plain.graph, _output_of(plain), output)
    _drop_unused_inputs(plain.graph)
    return plain


def write_onnx(model: Any, path: Path) -> None:
    """Check the model and write it; equal models give equal bytes."""
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def at_opset(model: Any, least: int) -> Any:
    """Return the model at that opset, or at its own where that is newer."""
    return model if opset(model) >= least else version_converter.convert_version(model, least)


def _aligned(first: Any, second: Any) -> tuple[Any, Any]:
    """Return both at the newer opset and the newer file format."""
    newest = max(opset(first), opset(second))
    pair = tuple(at_opset(model, newest) for model in (first, second))
    for model in pair:
        model.ir_version = max(first.ir_version, second.ir_version)
    return pair[0], pair[1]


def _cast_ids(preprocessing: Any) -> None:
    graph = preprocessing.graph
    ids = next((value for value in graph.output if value.name == "ids"), None)
    if ids is None:
        return
    cast = helper.make_node("Cast", ["ids"], [_CAST_IDS], to=onnx.TensorProto.INT32, name=_CAST_IDS)
    graph.node.append(cast)
    graph.output.add().CopyFrom(ids)
    graph.output[-1].name = _CAST_IDS
    graph.output[-1].type.tensor_type.elem_type = onnx.TensorProto.INT32


def _drop_unused_inputs(graph: Any) -> None:
    """Drop what no node reads: a model without ids must not ask a preprocessing without ids."""
    read = {name for node in graph.node for name in node.input}
    kept = [value for value in graph.input if value.name in read]
    del graph.input[:]
    graph.input.extend(kept)


def _rename(graph: Any, old: str, new: str) -> None:
    for node in graph.node:
        node.output[:] = [new if name == old else name for name in node.output]
        node.input[:] = [new if name == old else name for name in node.input]
    for value in graph.output:
        value.name = new if value.name == old else value.name
