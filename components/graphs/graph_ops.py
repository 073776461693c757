"""Operations of TensorFlow that tf2onnx cannot make ONNX of, or makes another value of.

TFT's vocabularies become LabelEncoders of what the saved tables hold. What ONNX has no operation
for is left as it is or called by a name of no operation, which `graph_onnx.lacking` then names.

This module imports tf2onnx: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import onnx
from onnx import helper
from tf2onnx.onnx_opset import logical  # type: ignore[import-untyped]

from components.graphs.hash_buckets import BUCKETS, HASH
from components.graphs.onnx_sets import ML_DOMAIN

Tables = Mapping[str, tuple[list[str], list[int]]]
_FLOATS = {onnx.TensorProto.FLOAT: np.float32, onnx.TensorProto.DOUBLE: np.float64}


def handlers(tables: Tables) -> dict[str, Any]:
    """Return what makes ONNX of an operation instead of tf2onnx, which calls each on a node."""
    return {
        "LookupTableFindV2": (partial(_find, tables), []),
        "LookupTableSizeV2": (partial(_size, tables), []),
        HASH: (_only_bucket, []),
        "SelectV2": (_where, []),
        "Equal": (_equal, []),
        "NotEqual": (_equal, []),
        "Log1p": (_log1p, []),
        "FloorMod": (_floor_mod, []),
        # ONNX's own lower and upper case depend on the machine's locales.
        "StringLower": (_leave, []),
        "StringUpper": (_leave, []),
        "UpperBound": (partial(_bound, True), []),
        "LowerBound": (partial(_bound, False), []),
    }


def _find(tables: Tables, context: Any, node: Any, _: str, __: Any) -> None:
    """Look texts up as a LabelEncoder does."""
    texts, ids = _contents(tables, node)
    default = int(node.inputs[2].get_tensor_value())
    shape, source, outputs = context.get_shape(node.input[1]), node.input[1], node.output
    context.remove_node(node.name)
    context.make_node(
        "LabelEncoder",
        [source],
        outputs=outputs,
        domain=ML_DOMAIN,
        name=node.name,
        attr={"keys_strings": texts, "values_int64s": ids, "default_int64": default},
        shapes=[shape],
        dtypes=[onnx.TensorProto.INT64],
    )


def _size(tables: Tables, context: Any, node: Any, _: str, __: Any) -> None:
    """Make a constant of how many texts a table has."""
    texts, _ids = _contents(tables, node)
    output = node.output[0]
    context.remove_node(node.name)
    constant = context.make_const(f"{node.name}_size", np.array(len(texts), np.int64))
    context.replace_all_inputs(output, constant.output[0])


def _contents(tables: Tables, node: Any) -> tuple[list[str], list[int]]:
    """Return the texts and ids of the table that a node reads."""
    table = node.inputs[0]
    while table.type == "Identity":
        table = table.inputs[0]
    shared = table.get_attr_value("shared_name")
    return tables[shared.decode() if isinstance(shared, bytes) else shared]


def _leave(_: Any, __: Any, ___: str, ____: Any) -> None:
    """Leave an operation as it is, which refuses it."""


def _where(context: Any, node: Any, _: str, __: Any) -> None:
    """Choose; tf2onnx multiplies by 0 and 1 instead, which makes NaN of what was not chosen."""
    inputs, outputs = node.input, node.output
    shape, kind = context.get_shape(outputs[0]), context.get_dtype(outputs[0])
    context.remove_node(node.name)
    context.make_node(
        "Where", inputs, outputs=outputs, name=node.name, shapes=[shape], dtypes=[kind]
    )


def _equal(context: Any, node: Any, _: str, __: Any) -> None:
    """Compare numbers as tf2onnx does, and texts with one text, which it makes whole numbers of."""
    if context.get_dtype(node.input[0]) != onnx.TensorProto.STRING:
        logical.Equal.version_11(context, node)
        return
    constants = [place for place in (0, 1) if node.inputs[place].is_const()]
    texts = [node.inputs[place].get_tensor_value(as_list=False).ravel() for place in constants]
    if len(constants) != 1 or len(texts[0]) != 1:
        node.type = "Equal of texts with more than one text"  # it is then refused by that name
        return
    (text,) = texts[0].tolist()
    source, output, shape = node.input[1 - constants[0]], node.output[0], node.output_shapes[0]
    same = int(node.type == "Equal")
    context.remove_node(node.name)
    encoder = context.make_node(
        "LabelEncoder",
        [source],
        domain=ML_DOMAIN,
        attr={
            "keys_strings": [text.decode("utf-8") if isinstance(text, bytes) else text],
            "values_int64s": [same],
            "default_int64": 1 - same,
        },
        shapes=[shape],
        dtypes=[onnx.TensorProto.INT64],
    )
    context.make_node(
        "Cast",
        encoder.output,
        outputs=[output],
        name=node.name,
        attr={"to": onnx.TensorProto.BOOL},
        shapes=[shape],
        dtypes=[onnx.TensorProto.BOOL],
    )


def _log1p(context: Any, node: Any, _: str, __: Any) -> None:
    """Take log(1 + x) in float64, where nothing of a small x is lost."""
    source, outputs = node.input[0], node.output
    shape, kind = context.get_shape(outputs[0]), context.get_dtype(outputs[0])
    context.remove_node(node.name)
    one = context.make_const(f"{node.name}_one", np.array(1.0, np.float64)).output[0]
    wide = context.make_node("Cast", [source], attr={"to": onnx.TensorProto.DOUBLE}).output[0]
    logged = context.make_node("Log", context.make_node("Add", [wide, one]).output).output
    context.make_node(
        "Cast", logged, outputs=outputs, attr={"to": kind}, shapes=[shape], dtypes=[kind]
    )


def _floor_mod(context: Any, node: Any, _: str, __: Any) -> None:
    """Take the remainder with the divisor's sign; tf2onnx's is wrong for large numbers."""
    (x, divisor), outputs = node.input, node.output
    shape, kind = context.get_shape(outputs[0]), context.get_dtype(outputs[0])
    typed = {"outputs": outputs, "shapes": [shape], "dtypes": [kind]}
    context.remove_node(node.name)
    if kind not in _FLOATS:
        context.make_node("Mod", [x, divisor], **typed)
        return
    zero = context.make_const(f"{node.name}_zero", np.array(0, _FLOATS[kind])).output[0]
    rest = context.make_node("Mod", [x, divisor], attr={"fmod": 1}).output[0]
    signs = [context.make_node("Less", [n, zero]).output[0] for n in (rest, divisor)]
    turned = context.make_node("Xor", signs).output[0]
    whole = context.make_node("Equal", [rest, zero]).output[0]
    broken = context.make_node("Not", [whole]).output[0]
    moved = context.make_node("And", [turned, broken]).output[0]
    up = context.make_node("Add", [rest, divisor]).output[0]
    context.make_node("Where", [moved, up, rest], **typed)


def _only_bucket(context: Any, node: Any, _: str, __: Any) -> None:
    """A hash in one bucket is 0, which is what a vocabulary's one id for the rest is made of.

    One in several stays, for hash_buckets.py.
    """
    if node.get_attr_value(BUCKETS) != 1:
        return
    source, output, shape = node.input[0], node.output[0], context.get_shape(node.output[0])
    context.remove_node(node.name)
    sizes = context.make_node("Shape", [source])
    zeros = context.make_node(
        "ConstantOfShape",
        [sizes.output[0]],
        attr={"value": helper.make_tensor("zero", onnx.TensorProto.INT64, [1], [0])},
        shapes=[shape],
        dtypes=[onnx.TensorProto.INT64],
    )
    context.replace_all_inputs(output, zeros.output[0])


def _bound(upper: bool, context: Any, node: Any, _: str, __: Any) -> None:
    """Count the boundaries [k, n] up to each value [k, m], as C++'s upper_bound or lower_bound.

    NaN is neither more nor less than a boundary: the upper bound has all before it, the lower none.
    """
    boundaries, values = node.input
    output, shape = node.output[0], context.get_shape(node.output[0])
    kind = context.get_dtype(output)
    context.remove_node(node.name)
    columns = context.make_const(f"{node.name}_columns", np.array([1], np.int64)).output[0]
    rows = context.make_const(f"{node.name}_rows", np.array([2], np.int64)).output[0]
    across = context.make_node("Unsqueeze", [boundaries, columns]).output[0]
    down = context.make_node("Unsqueeze", [values, rows]).output[0]
    compared = context.make_node("Greater" if upper else "Less", [across, down]).output[0]
    before = context.make_node("Not", [compared]).output[0] if upper else compared
    numbers = context.make_node("Cast", [before], attr={"to": kind}).output[0]
    counted = context.make_node(
        "ReduceSum", [numbers, rows], attr={"keepdims": 0}, shapes=[shape], dtypes=[kind]
    )
    context.replace_all_inputs(output, counted.output[0])
