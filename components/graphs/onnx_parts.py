"""An ONNX graph that is written as arithmetic: `(x - mean) / width` adds two nodes and a constant.

Why: the same formulas stand in graph.py for TensorFlow, and some (civil_dates.py, text_hash.py) are
one text for both; written as calls of a node builder they could not be read side by side.

Rules: a value is of one of TYPES and carries it, so that a Python number beside it becomes a
constant of that type; equal constants are stored once; names count up in the order of writing, so
equal calls give equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from components.graphs.onnx_sets import MICROSOFT

TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}
Constant = float | np.ndarray[Any, Any]


@dataclass(eq=False)
class GraphParts:
    """The nodes and constants so far; their names begin with the prefix."""

    prefix: str = "tandem"
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    _known: dict[tuple[str, tuple[int, ...], bytes], Value] = field(default_factory=dict)

    def input(self, name: str, kind: str) -> Value:
        """Return a raw input."""
        return Value(self, name, kind)

    def constant(self, value: Constant, kind: str) -> Value:
        """Return a constant of a numeric kind."""
        array = np.asarray(value, dtype=kind)
        key = (kind, array.shape, array.tobytes())
        if key not in self._known:
            name = f"{self.prefix}.constant_{len(self.constants)}"
            self.constants.append(numpy_helper.from_array(array, name))
            self._known[key] = Value(self, name, kind)
        return self._known[key]

    def text(self, value: str) -> Value:
        """Return a constant text, [1]."""
        name = f"{self.prefix}.constant_{len(self.constants)}"
        self.constants.append(helper.make_tensor(name, TensorProto.STRING, [1], [value.encode()]))
        return Value(self, name, "string")

    def node(
        self, op: str, inputs: Sequence[Value], kind: str, *, name: str = "", **attributes: Any
    ) -> Value:
        """Add a node with one output and return it."""
        output = name or f"{self.prefix}.{op}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op, [part.name for part in inputs], [output], output, **attributes)
        )
        return Value(self, output, kind)

    def several(
        self, op: str, inputs: Sequence[Value], kinds: Sequence[str], **attributes: Any
    ) -> list[Value]:
        """Add a node with an output of each kind and return these."""
        name = f"{self.prefix}.{op}_{len(self.nodes)}"
        outputs = [f"{name}.{place}" for place in range(len(kinds))]
        given = [part.name for part in inputs]
        self.nodes.append(helper.make_node(op, given, outputs, name, **attributes))
        return [Value(self, made, kind) for made, kind in zip(outputs, kinds, strict=True)]

    def concat(self, parts: Sequence[Value], axis: int, **attributes: Any) -> Value:
        """Return values of one kind, one after another."""
        return self.node("Concat", parts, parts[0].kind, axis=axis, **attributes)


@dataclass(frozen=True)
class Value:
    """One tensor of the graph, by name and type."""

    parts: GraphParts
    name: str
    kind: str

    def __add__(self, other: Value | Constant) -> Value:
        return self._arithmetic("Add", self, other)

    def __radd__(self, other: Constant) -> Value:
        return self._arithmetic("Add", other, self)

    def __sub__(self, other: Value | Constant) -> Value:
        return self._arithmetic("Sub", self, other)

    def __rsub__(self, other: Constant) -> Value:
        return self._arithmetic("Sub", other, self)

    def __mul__(self, other: Value | Constant) -> Value:
        return self._arithmetic("Mul", self, other)

    def __rmul__(self, other: Constant) -> Value:
        return self._arithmetic("Mul", other, self)

    def __truediv__(self, other: Value | Constant) -> Value:
        return self._arithmetic("Div", self, other)

    def __floordiv__(self, other: Value | Constant) -> Value:
        """Return the quotient of whole numbers that are not negative."""
        return self._arithmetic("Div", self, other)

    def __mod__(self, other: Value | Constant) -> Value:
        """Return the remainder of whole numbers, with the sign of the divisor as in Python."""
        return self._arithmetic("Mod", self, other)

    def fmod(self, other: Value | Constant) -> Value:
        """Return the remainder with the sign of the dividend, as C's fmod."""
        return self._arithmetic("Mod", self, other, fmod=1)

    def at_least(self, other: Value | Constant) -> Value:
        """Return where this is the other or more."""
        return self._with("GreaterOrEqual", other, "bool")

    def less(self, other: Value | Constant) -> Value:
        """Return where this is less than the other."""
        return self._with("Less", other, "bool")

    def equal(self, other: Value | Constant) -> Value:
        """Return where both are equal."""
        return self._with("Equal", other, "bool")

    def maximum(self, other: Value | Constant) -> Value:
        """Return the greater of both."""
        return self._with("Max", other, self.kind)

    def apply(self, op: str, kind: str = "", **attributes: Any) -> Value:
        """Return the output of an operator with one input."""
        return self.parts.node(op, [self], kind or self.kind, **attributes)

    def cast(self, kind: str, **attributes: Any) -> Value:
        """Return this as another type."""
        return self.apply("Cast", kind, to=TYPES[kind], **attributes)

    def where(self, yes: Value | Constant, no: Value) -> Value:
        """Return `yes` where this holds, else `no`."""
        chosen = yes if isinstance(yes, Value) else self.parts.constant(yes, no.kind)
        return self.parts.node("Where", [self, chosen, no], no.kind)

    def along(self, op: str, numbers: Sequence[int], **attributes: Any) -> Value:
        """Return the output of an operator whose second input are whole numbers, such as axes."""
        places = self.parts.constant(np.array(numbers, np.int64), "int64")
        return self.parts.node(op, [self, places], self.kind, **attributes)

    def _arithmetic(
        self, op: str, left: Value | Constant, right: Value | Constant, **attributes: Any
    ) -> Value:
        operands = [
            part if isinstance(part, Value) else self.parts.constant(part, self.kind)
            for part in (left, right)
        ]
        return self.parts.node(op, operands, self.kind, **attributes)

    def _with(self, op: str, other: Value | Constant, kind: str) -> Value:
        right = other if isinstance(other, Value) else self.parts.constant(other, self.kind)
        return self.parts.node(op, [self, right], kind)


def characters_of(texts: Value) -> tuple[Value, Value]:
    """Return the characters of texts [n], one after another, and as a table [n, longest].

    "" stands where a text has ended. ONNX has no such operator: it is ONNX Runtime's.
    """
    table = texts.apply(
        "Tokenizer", domain=MICROSOFT, mark=0, pad_value="", mincharnum=1, separators=[""]
    )
    # The checker of onnx knows no type behind Tokenizer, and crashes on a LabelEncoder without one.
    return table.cast("string").along("Reshape", [-1]), table


def floor(value: Any) -> Any:
    """Return the value rounded down: the `floor` of civil_dates.py."""
    return value.apply("Floor")
