"""A frozen graph of TensorFlow's as ONNX, with its tables of texts: a user's transform or model.

Why: tf2onnx converts the graph; what it cannot, or gives another value for, is in graph_ops.

Rules: a table of texts becomes what it holds; texts that are hashed into several buckets get the
ids that TensorFlow gives them (hash_buckets.py); an operation that ONNX does not have stays in the
model, where `lacking` finds it, for the caller to refuse by name; inputs and outputs are named as
the caller says.

This module imports TensorFlow and tf2onnx: import it inside functions only.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from onnx import helper
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.ops import gen_lookup_ops
from tf2onnx import optimizer, tf_loader, tfonnx  # type: ignore[import-untyped]

from components.graphs.graph_ops import Tables, handlers
from components.graphs.hash_buckets import with_hashes
from components.graphs.onnx_sets import MICROSOFT, ML_DOMAIN, ML_OPSET, OPSET

_LOOK_UP = "LookupTableFindV2"


def frozen(function: Any) -> Any:
    """Return a function with its variables as constants and what it calls inside it."""
    return convert_variables_to_constants_v2(
        function, lower_control_flow=False, aggressive_inlining=True
    )


def tables_of(function: Any, graph_def: Any) -> Tables:
    """Return {placeholder: (texts, ids)} of the tables of texts that the function captured.

    `graph_def` is the function frozen: its look-ups say what is in a table, and TensorFlow ends the
    process that exports one as something else.
    """
    found, of_texts = {}, _looked_up_by_texts(graph_def)
    for table, placeholder in function.graph.captures:
        if placeholder.op.name in of_texts:
            texts, ids = gen_lookup_ops.lookup_table_export_v2(table, tf.string, tf.int64)
            order = np.argsort(ids.numpy())
            words = [text.decode("utf-8") for text in texts.numpy()[order].tolist()]
            found[placeholder.op.name] = (words, ids.numpy()[order].tolist())
    return found


def _looked_up_by_texts(graph_def: Any) -> set[str]:
    """Return the placeholders of tables in which texts are looked up, and give whole numbers."""
    nodes, found = {node.name: node for node in graph_def.node}, set()
    of_texts = [kind.as_datatype_enum for kind in (tf.string, tf.int64)]
    for node in (node for node in graph_def.node if node.op == _LOOK_UP):
        if [node.attr[name].type for name in ("Tin", "Tout")] == of_texts:
            table = nodes[node.input[0].partition(":")[0]]
            while table.op == "Identity":
                table = nodes[table.input[0].partition(":")[0]]
            found.add(table.name)
    return found


def converted(
    graph_def: Any, tables: Tables, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> onnx.ModelProto:
    """Return a frozen graph as ONNX; `inputs` and `outputs` are {tensor: name}."""
    _name_tables(graph_def, tables)
    given = list(inputs)
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it cannot do is told by us
    with tf.Graph().as_default():
        optimized = tf_loader.tf_optimize(given, list(outputs), graph_def)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(optimized, name="")
        made = tfonnx.process_tf_graph(
            graph,
            continue_on_error=True,
            opset=OPSET,
            extra_opset=[helper.make_opsetid(ML_DOMAIN, ML_OPSET)],
            custom_op_handlers=handlers(tables),
            input_names=given,
            output_names=list(outputs),
            tensors_to_rename=dict(inputs) | dict(outputs),
        )
    return with_hashes(optimizer.optimize_graph(made).make_model("converted"))


def lacking(model: onnx.ModelProto) -> list[str]:
    """Return the operations of a model that ONNX does not have, sorted."""
    known = {
        schema.name for schema in onnx.defs.get_all_schemas() if schema.domain in ("", ML_DOMAIN)
    }
    # What is of ONNX Runtime alone, only hash_buckets.py adds.
    return sorted({node.op_type for node in model.graph.node if node.domain != MICROSOFT} - known)


def _name_tables(graph_def: Any, tables: Tables) -> None:
    """Make each captured table a HashTableV2 whose shared name is the placeholder's."""
    for node in graph_def.node:
        if node.op == "Placeholder" and node.name in tables:
            node.attr.clear()
            node.op = "HashTableV2"
            node.attr["shared_name"].s = node.name.encode()
            node.attr["key_dtype"].type = tf.string.as_datatype_enum
            node.attr["value_dtype"].type = tf.int64.as_datatype_enum
