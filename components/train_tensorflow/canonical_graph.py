"""One form for an ONNX graph, whatever order and names its exporter chose.

Why: tf2onnx walks sets of names, so which of two equal nodes survives, the order of the others and
their counters change with Python's hash seed; equal models would have different bytes.

Rules: a value is known by its digest: of an initial value its content, of a computed one the
operator, the attributes and the digests of the inputs; equal values become one; nodes are ordered
by depth, then digest, and named by that order. A graph with graphs inside (If, Loop, Scan) is
returned as it is: values of the outer graph are used there by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx

from components.core.canonical import sha256_bytes, sha256_value


@dataclass(frozen=True)
class _Value:
    """A value's digest, and how many nodes lie on the longest way to it."""

    digest: str
    depth: int


def canonical_graph(model: Any) -> Any:
    """Return the same model in its one form; inputs and outputs keep their names and order."""
    if any(_has_graphs(node) for node in model.graph.node):
        return model
    values = _values(model.graph)
    nodes = _unique_nodes(model.graph, values)
    names = _names(model.graph, values, nodes)
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    for part in ("node", "initializer", "value_info"):
        plain.graph.ClearField(part)
    plain.graph.name = "features_to_prediction"
    plain.graph.initializer.extend(_initial(model.graph, names))
    plain.graph.node.extend(_renamed(node, names) for node in nodes)
    return plain


def _has_graphs(node: Any) -> bool:
    kinds = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    return any(attribute.type in kinds for attribute in node.attribute)


def _values(graph: Any) -> dict[str, _Value]:
    """Return what each name stands for; nodes come after what they use (ONNX IR)."""
    values = {"": _Value("", 0)}
    for value in graph.input:
        values[value.name] = _Value(sha256_value(["input", value.name]), 0)
    for tensor in graph.initializer:
        values[tensor.name] = _Value(sha256_bytes(_nameless(tensor).SerializeToString()), 0)
    for node in graph.node:
        inputs = [values[name] for name in node.input]
        attributes = sorted(sha256_bytes(part.SerializeToString()) for part in node.attribute)
        parts = [node.domain, node.op_type, attributes, [value.digest for value in inputs]]
        depth = 1 + max((value.depth for value in inputs), default=0)
        for place, name in enumerate(node.output):
            values[name] = _Value(sha256_value([*parts, place]), depth)
    return values


def _unique_nodes(graph: Any, values: dict[str, _Value]) -> list[Any]:
    """Return one node for each computed value, in the canonical order.

    A node that gives an output of the graph stays, since the output keeps its name.
    """
    outputs = {value.name for value in graph.output}
    kept = {}
    for node in graph.node:
        key = values[node.output[0]]
        if key.digest not in kept or outputs.intersection(node.output):
            kept[key.digest] = node
    order = {digest: (values[node.output[0]].depth, digest) for digest, node in kept.items()}
    return [kept[digest] for digest in sorted(kept, key=order.__getitem__)]


def _names(graph: Any, values: dict[str, _Value], nodes: list[Any]) -> dict[str, str]:
    """Return the new name of each name."""
    by_digest = {"": ""}
    for number, digest in enumerate(sorted({values[t.name].digest for t in graph.initializer})):
        by_digest[digest] = f"initial_{number}"
    for number, node in enumerate(nodes):
        for place, name in enumerate(node.output):
            by_digest[values[name].digest] = f"{node.op_type}_{number}.{place}"
    for value in [*graph.input, *graph.output]:
        by_digest[values[value.name].digest] = value.name
    return {name: by_digest[value.digest] for name, value in values.items()}


def _initial(graph: Any, names: dict[str, str]) -> list[Any]:
    by_name = {names[tensor.name]: _nameless(tensor) for tensor in graph.initializer}
    for name, tensor in by_name.items():
        tensor.name = name
    return [by_name[name] for name in sorted(by_name)]


def _renamed(node: Any, names: dict[str, str]) -> Any:
    renamed = onnx.NodeProto()
    renamed.CopyFrom(node)
    renamed.input[:] = [names[name] for name in node.input]
    renamed.output[:] = [names[name] for name in node.output]
    renamed.name = renamed.output[0]
    attributes = sorted(renamed.attribute, key=lambda attribute: str(attribute.name))
    renamed.ClearField("attribute")
    renamed.attribute.extend(attributes)
    return renamed


def _nameless(tensor: Any) -> Any:
    plain = onnx.TensorProto()
    plain.CopyFrom(tensor)
    plain.name, plain.doc_string = "", ""
    return plain
