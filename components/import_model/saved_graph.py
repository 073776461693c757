"""The file of a SavedModel, read without TensorFlow: its signatures, and what they parse.

Rule: only the fields that are read are described here, by their numbers, which protobuf gives to
no other field; the rest of the file is passed by.

Source: tensorflow/core/protobuf/saved_model.proto and meta_graph.proto,
tensorflow/core/framework/graph.proto, function.proto, node_def.proto, attr_value.proto,
tensor.proto, tensor_shape.proto and types.proto of 2.21; parsing_ops.cc.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from components.core.errors import SettingsError

FILE = "saved_model.pb"
PARSE = "ParseExampleV2"
_KINDS = {1: "float32", 7: "string", 9: "int64"}  # what a feature of a tf.Example can be
# The fields of each message: name, number, its type of protobuf or its message, how many.
_FIELD = descriptor_pb2.FieldDescriptorProto
_ONE, _MANY = _FIELD.LABEL_OPTIONAL, _FIELD.LABEL_REPEATED
_FIELDS = {
    "SavedModel": (("meta_graphs", 2, "MetaGraph", _MANY),),
    "MetaGraph": (("graph", 2, "Graph", _ONE), ("signatures", 5, "NamedSignature", _MANY)),
    "NamedSignature": (("key", 1, "STRING", _ONE), ("value", 2, "Signature", _ONE)),
    "Signature": (("inputs", 1, "NamedTensor", _MANY), ("outputs", 2, "NamedTensor", _MANY)),
    "NamedTensor": (("key", 1, "STRING", _ONE), ("value", 2, "Tensor", _ONE)),
    "Tensor": (
        ("name", 1, "STRING", _ONE),
        ("dtype", 2, "INT32", _ONE),
        ("shape", 3, "Shape", _ONE),
    ),
    "Shape": (("dim", 2, "Dim", _MANY), ("unknown_rank", 3, "BOOL", _ONE)),
    "Dim": (("size", 1, "INT64", _ONE),),
    "Graph": (("nodes", 1, "Node", _MANY), ("library", 2, "Library", _ONE)),
    "Library": (("functions", 1, "Function", _MANY),),
    "Function": (("signature", 1, "Named", _ONE), ("nodes", 3, "Node", _MANY)),
    "Named": (("name", 1, "STRING", _ONE),),
    "Node": (
        ("name", 1, "STRING", _ONE),
        ("op", 2, "STRING", _ONE),
        ("inputs", 3, "STRING", _MANY),
        ("attributes", 5, "NamedAttribute", _MANY),
    ),
    "NamedAttribute": (("key", 1, "STRING", _ONE), ("value", 2, "Attribute", _ONE)),
    "Attribute": (
        ("list", 1, "Types", _ONE),
        ("tensor", 8, "Constant", _ONE),
        ("function", 10, "Named", _ONE),
    ),
    "Types": (("types", 6, "INT32", _MANY),),
    "Constant": (("texts", 8, "BYTES", _MANY),),
}


def read_graphs(path: Path) -> list[Any]:
    """Return the graphs of a SavedModel; SettingsError for bytes that are none."""
    saved = _message_type("SavedModel")()
    try:
        saved.ParseFromString((path / FILE).read_bytes())
    except DecodeError as error:
        raise SettingsError(
            f"{path.name} is no SavedModel: {FILE} cannot be read", remedy="save it again"
        ) from error
    return list(saved.meta_graphs)


def parsed_features(graph: Any, examples: str) -> dict[str, str] | None:
    """Return {feature: type} of what a graph parses of the tf.Examples at a placeholder.

    None where it does not parse them all at once, and once, with features of known names.
    SettingsError for a graph that no TensorFlow writes so: it is damaged.
    """
    try:
        return _parsed(graph, examples)
    except (IndexError, KeyError, ValueError) as error:  # fewer parts, other parts, no text
        raise SettingsError(
            f"{FILE} is damaged: its {PARSE} is not whole", remedy="save the model again"
        ) from error


def _parsed(graph: Any, examples: str) -> dict[str, str] | None:
    found = list(_parsing(graph.graph, examples))
    if len(found) != 1:
        return None
    node, constants = found[0]
    kinds = {attribute.key: attribute.value.list.types for attribute in node.attributes}
    sparse, dense = (constants.get(node.inputs[place].partition(":")[0]) for place in (2, 3))
    if sparse is None or dense is None or kinds.get("ragged_value_types"):
        return None
    typed = zip((*sparse, *dense), (*kinds["sparse_types"], *kinds["Tdense"]), strict=True)
    return {name.decode("utf-8"): _KINDS[kind] for name, kind in typed}


def _parsing(graph: Any, examples: str) -> Iterator[tuple[Any, Mapping[str, list[bytes]]]]:
    """Yield each node that parses, with the texts of the constants beside it.

    Looked at are the nodes that the placeholder is given to, and all functions that these call.
    """
    functions = {function.signature.name: function for function in graph.library.functions}
    users = [n for n in graph.nodes if examples in {i.partition(":")[0] for i in n.inputs}]
    yield from ((node, _texts(graph.nodes)) for node in users if node.op == PARSE)
    waiting, seen = [name for node in users for name in _called(node)], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        nodes = functions[name].nodes
        yield from ((node, _texts(nodes)) for node in nodes if node.op == PARSE)
        waiting += [called for node in nodes for called in _called(node)]


def _called(node: Any) -> Iterator[str]:
    yield from (a.value.function.name for a in node.attributes if a.value.HasField("function"))


def _texts(nodes: Any) -> dict[str, list[bytes]]:
    return {
        node.name: list(attribute.value.tensor.texts)
        for node in nodes
        if node.op == "Const"
        for attribute in node.attributes
        if attribute.key == "value"
    }


@functools.cache
def _message_type(name: str) -> Any:
    """Return a message that reads the fields above."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"tandem/{FILE}", package="tandem", syntax="proto3"
    )
    for message, fields in _FIELDS.items():
        described = file.message_type.add(name=message)
        for field, number, kind, label in fields:
            added = described.field.add(name=field, number=number, label=label)
            if kind in _FIELDS:
                added.type, added.type_name = _FIELD.TYPE_MESSAGE, f".tandem.{kind}"
            else:
                added.type = _FIELD.Type.Value(f"TYPE_{kind}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tandem.{name}"))
