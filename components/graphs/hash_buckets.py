"""What TensorFlow hashes into buckets, as ONNX: `tf.strings.to_hash_bucket_fast`, to the same ids.

Rules: all texts of a model that are hashed are hashed together, after the conversion, because the
nodes that do it take some 70 kB; they are put in an order in which each comes after what it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx
from onnx import helper

from components.graphs.fingerprint_onnx import fingerprints
from components.graphs.onnx_parts import GraphParts, Value
from components.graphs.onnx_sets import MICROSOFT

HASH, BUCKETS = "StringToHashBucketFast", "num_buckets"


def with_hashes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model with ONNX in the place of what hashes texts; one that has none as it is."""
    graph = model.graph
    hashing = [node for node in graph.node if node.op_type == HASH]
    if not hashing:
        return model
    parts = GraphParts("hashed")
    _add_ids(parts, hashing)
    others = [node for node in graph.node if node.op_type != HASH]
    ordered = list(_in_order([*others, *parts.nodes]))
    del graph.node[:]
    graph.node.extend(ordered)
    graph.initializer.extend(parts.constants)
    if all(entry.domain != MICROSOFT for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    return model


def _add_ids(parts: GraphParts, hashing: list[onnx.NodeProto]) -> None:
    """Add what gives the output of each node: the fingerprint modulo its number of buckets."""
    texts = [parts.input(node.input[0], "string") for node in hashing]
    flat = [value.along("Reshape", [-1]) for value in texts]
    sizes = parts.concat([value.apply("Shape", "int64") for value in flat], axis=0)
    found = fingerprints(parts, parts.concat(flat, axis=0)).cast("uint64")
    split = parts.several("Split", [found, sizes], ["uint64"] * len(hashing), axis=0)
    for node, source, words in zip(hashing, texts, split, strict=True):
        ids = (words % _buckets(node)).cast("int64")
        _as_shaped(parts, ids, source, node.output[0])


def _buckets(node: onnx.NodeProto) -> int:
    (number,) = (item.i for item in node.attribute if item.name == BUCKETS)
    return int(number)


def _as_shaped(parts: GraphParts, ids: Value, source: Value, name: str) -> None:
    parts.node("Reshape", [ids, source.apply("Shape", "int64")], "int64", name=name)


def _in_order(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Yield copies of nodes, each after those that make its inputs."""
    waiting = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    lacking = {name for node in waiting for name in node.output}
    while waiting:
        left = []
        for node in waiting:
            if lacking.isdisjoint(node.input):
                lacking -= set(node.output)
                yield node
            else:
                left.append(node)
        if len(left) == len(waiting):
            raise ValueError("nodes need each other")  # no graph of TensorFlow's does
        waiting = left
