"""A SavedModel of serialised tf.Examples, as TFX's Trainer leaves it, opened as one of columns.

Why: rows are columns here, and what is served is ONNX, which has no tf.Example.

Rules:
1. the model's own output is that of tf.Examples, encoded a batch at once: a missing number or text
   is a feature without a value, a number has the type that the model parses;
2. its ONNX is the graph behind the parsing: of a feature that may be missing the values that there
   are, of a dense one its default where there is none;
3. its columns are those features that its output depends on; others are given nothing, or 0 where
   the parsing asks for a value;
4. one that parses with ragged features, or asks for a value that a row lacks, is refused.

This module imports TensorFlow: import it inside functions only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from components.core.errors import SettingsError
from components.core.tf_examples import as_lists
from components.graphs.graph_onnx import frozen, tables_of
from components.graphs.parsed_columns import as_dense, as_sparse
from components.import_model.carried_graph import carried
from components.import_model.originals import Array, Columns, Original
from components.import_model.saved_graph import PARSE
from components.import_model.saved_signature import SIGNATURE, TEXT
from components.import_model.served_form import output_of
from components.import_model.signature import Signature

_FIRST = 5  # the inputs of ParseExampleV2 before the defaults of dense features
_ARROW = {"float32": pa.float32(), "int64": pa.int64(), "string": pa.binary()}


@dataclass(frozen=True)
class Feature:
    """One feature as a model parses it; `default` is None where it asks for a value."""

    name: str
    dtype: Any
    sparse: bool
    default: Any = None

    @property
    def required(self) -> bool:
        """Say whether parsing fails on a row without a value."""
        return not self.sparse and self.default is None


def open_parsing(path: Path, signature: Signature) -> Original:
    """Load a SavedModel of tf.Examples; SettingsError for one that cannot be carried to ONNX."""
    model = tf.saved_model.load(str(path))
    function = model.signatures[SIGNATURE]
    output = output_of(sorted(function.structured_outputs), signature)
    constant = frozen(function)
    made = dict(zip(sorted(function.structured_outputs), constant.outputs, strict=True))
    graph_def = constant.graph.as_graph_def()
    features = _features(graph_def)
    tables = tables_of(function, graph_def)
    model_of_columns, used = _of_columns(graph_def, features, made[output].name, tables)
    (argument,) = function.structured_input_signature[1]

    def score(columns: Columns) -> Array:
        # TensorFlow's functions hold their variables weakly: this keeps the model.
        rows = _encoded(features, columns)
        return np.asarray(model.signatures[SIGNATURE](**{argument: tf.constant(rows)})[output])

    inputs = [{"name": f.name, "dtype": TEXT if f.dtype == tf.string else "float32"} for f in used]
    own = {"inputs": inputs, "positive": signature.positive}
    return Original(model_of_columns, Signature.model_validate(own), score)


def _features(graph_def: Any) -> list[Feature]:
    """Return what the graph parses, in the order of the parsing's outputs."""
    nodes = {node.name: node for node in graph_def.node}
    (parse,) = (node for node in graph_def.node if node.op == PARSE)
    if parse.attr["ragged_value_types"].list.type:
        raise SettingsError(
            "the model parses ragged features, and a row here has one value of each column",
            remedy="export a model of features with one value",
        )
    if any(math.prod(d.size for d in s.dim) != 1 for s in parse.attr["dense_shapes"].list.shape):
        raise SettingsError(
            "the model parses a feature of several values, and a row here has one of each column",
            remedy="export a model of features with one value",
        )
    sparse, dense = (_constant(nodes, parse.input[place]) for place in (2, 3))
    defaults = [_constant(nodes, name) for name in parse.input[_FIRST : _FIRST + len(dense)]]
    types = (*parse.attr["sparse_types"].list.type, *parse.attr["Tdense"].list.type)
    kinds = [tf.as_dtype(kind) for kind in types]
    of_sparse = [Feature(n.decode(), k, sparse=True) for n, k in zip(sparse, kinds, strict=False)]
    of_dense = [
        Feature(name.decode(), kind, sparse=False, default=given.ravel()[0] if given.size else None)
        for name, kind, given in zip(dense, kinds[len(sparse) :], defaults, strict=True)
    ]
    return [*of_sparse, *of_dense]


def _constant(nodes: Mapping[str, Any], name: str) -> Array:
    """Return the values of a constant; tf.io.parse_example reshapes those of defaults."""
    node = nodes[name.partition(":")[0]]
    while node.op in ("Identity", "Reshape"):
        node = nodes[node.input[0].partition(":")[0]]
    return np.asarray(tf.make_ndarray(node.attr["value"].tensor))


def _of_columns(
    graph_def: Any, features: Sequence[Feature], output: str, tables: Any
) -> tuple[Any, list[Feature]]:
    """Return the ONNX of the graph behind the parsing, and the features that it uses."""
    (parse,) = (node for node in graph_def.node if node.op == PARSE)
    for node in graph_def.node:  # what only has to come first would keep the parsing
        for name in [name for name in node.input if name.startswith("^")]:
            node.input.remove(name)
    with tf.Graph().as_default() as graph:
        columns = [
            tf.compat.v1.placeholder(
                tf.string if feature.dtype == tf.string else tf.float32, [None], f"column_{place}"
            )
            for place, feature in enumerate(features)
        ]
        fed = _fed(parse, features, columns)
        (found,) = tf.graph_util.import_graph_def(graph_def, fed, [output], name="")
        whole = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), [found.op.name])
    there = {node.name for node in whole.node}
    used = {f"column_{p}:0": f for p, f in enumerate(features) if f"column_{p}" in there}
    inputs = {tensor: feature.name for tensor, feature in used.items()}
    return carried(whole, tables, inputs, found.name), list(used.values())


def _fed(parse: Any, features: Sequence[Feature], columns: Sequence[Any]) -> dict[str, Any]:
    """Return what stands for each output of the parsing: indices, values, shapes, dense values."""
    sparse = sum(feature.sparse for feature in features)
    shapes = parse.attr["dense_shapes"].list.shape
    fed: dict[str, Any] = {}
    for place, (feature, column) in enumerate(zip(features, columns, strict=True)):
        if feature.sparse:
            found = as_sparse(column, feature.dtype)
            parts = (found.indices, found.values, found.dense_shape)
            fed |= {f"{parse.name}:{place + n * sparse}": part for n, part in enumerate(parts)}
        else:
            shape = [dim.size for dim in shapes[place - sparse].dim]
            dense = as_dense(column, feature.dtype, shape, feature.default)
            fed[f"{parse.name}:{place + 2 * sparse}"] = dense
    return fed


def _encoded(features: Sequence[Feature], columns: Columns) -> list[bytes]:
    """Return rows as serialised tf.Examples (rule 1)."""
    from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

    rows = len(next(iter(columns.values())))
    arrays = {}
    for feature in features:
        if feature.name in columns:
            arrays[feature.name] = as_lists(_values(feature, columns[feature.name]))
        elif feature.required:
            nothing = b"" if feature.dtype == tf.string else 0
            arrays[feature.name] = as_lists(pa.array([nothing] * rows, _ARROW[feature.dtype.name]))
    batch = pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
    encoded: list[bytes] = RecordBatchToExamplesEncoder().encode(batch)
    return encoded


def _values(feature: Feature, column: Array) -> pa.Array:
    """Return a column in the type that is parsed; SettingsError where a value is asked for."""
    text = feature.dtype == tf.string
    missing = column == "" if text else np.isnan(column)
    if feature.required and missing.any():
        raise SettingsError(
            f"the model asks for a value of {feature.name} in every row, and {missing.sum()} of "
            f"{len(column)} have none",
            remedy="train it on rows that may lack one, or drop these (source.drop_where_null)",
        )
    if text:
        return pa.array([str(value).encode() for value in column], pa.binary(), mask=missing)
    plain = np.where(missing, np.float32(0), column).astype(feature.dtype.as_numpy_dtype)
    return pa.array(plain, mask=missing)
