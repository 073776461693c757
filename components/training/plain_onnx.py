"""The plain form of an ONNX model: what it computes, and nothing of where it was made.

Why: equal models must have equal bytes, whichever machine and process made them.

Rules: what a tool leaves of the machine (paths, stack traces, its own name) and of the process
(names of dimensions) is removed, and operator sets that no node needs; nodes and weights stay.
"""

from __future__ import annotations

from typing import Any

import onnx

from components.core.operators import inner_graphs

BATCH = "batch"


def plain_form(model: Any) -> Any:
    """Return a copy without descriptions, the tool's name and names of dimensions."""
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    plain.producer_name, plain.producer_version = "tandem", ""
    plain.domain, plain.doc_string, plain.model_version = "", "", 0
    del plain.metadata_props[:]
    for function in plain.functions:
        function.doc_string = ""
        del function.metadata_props[:]
        del function.value_info[:]
        _strip_nodes(function.node)
    _strip_graph(plain.graph)
    _drop_unused_domains(plain)
    for value in [*plain.graph.input, *plain.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_param = BATCH
    return plain


def _drop_unused_domains(model: Any) -> None:
    """Drop operator sets that a tool declares and no node needs, or declares a second time.

    Of two parts that are put together each brings its own, and onnxruntime's tools refuse a model
    that names a set twice.
    """
    bodies = [model.graph.node, *(function.node for function in model.functions)]
    used = {"", *(node.domain for body in bodies for node in body)}
    once = {entry.domain: entry for entry in model.opset_import}
    kept = [entry for domain, entry in once.items() if domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def _strip_graph(graph: Any) -> None:
    graph.doc_string = ""
    del graph.metadata_props[:]
    del graph.value_info[:]
    for part in [*graph.input, *graph.output, *graph.initializer]:
        part.doc_string = ""
        del part.metadata_props[:]
    _strip_nodes(graph.node)


def _strip_nodes(nodes: Any) -> None:
    for node in nodes:
        node.doc_string = ""
        del node.metadata_props[:]
        for attribute in node.attribute:
            attribute.doc_string = ""
        for graph in inner_graphs(node):
            _strip_graph(graph)
