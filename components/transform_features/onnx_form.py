"""The transform as ONNX, assembled from the fitted values: raw rows in, `dense` and `ids` out.

Why: a PyTorch model takes raw rows in production with no TensorFlow beside it. Converters leave
TFT's table lookups as ops that onnxruntime refuses, so the graph is built from the same declared
features instead, and the stage compares it with TFT's own output before it may pass.

Rules: opset 18 and ai.onnx.ml 3; every input is rank 1, [batch], named as its column; the same
formulas as graph.py, in float64, rounded once; equal fitted values give equal bytes. A plain
onnxruntime loads it: no library of custom operators is needed, hashes included (onnx_text.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from components.graphs.onnx_parts import TYPES, GraphParts, Value, floor
from components.graphs.onnx_sets import sets_of
from components.transform_features.civil_dates import LIMIT, date_part
from components.transform_features.fitted import SMALLEST, FittedTransform
from components.transform_features.fitted_columns import (
    AffineColumn,
    BucketColumn,
    CyclicColumn,
    DenseColumn,
    HashColumn,
    IdColumn,
    MissingColumn,
    VocabularyColumn,
)
from components.transform_features.onnx_text import hashes_of, look_up
from components.transform_features.text_hash import join

FILE_NAME = "preprocessing.onnx"
IR_VERSION = 9
Inputs = Mapping[str, Value]


def write_onnx(folder: Path, fitted: FittedTransform) -> Path:
    """Write preprocessing.onnx and return its path."""
    path = folder / FILE_NAME
    path.write_bytes(build(fitted).SerializeToString(deterministic=True))
    return path


def build(fitted: FittedTransform) -> onnx.ModelProto:
    """Return the checked model of the fitted transform."""
    parts = GraphParts()
    raw = {i.name: parts.input(i.name, i.dtype) for i in fitted.inputs}
    outputs = {}
    if fitted.dense:
        outputs[_dense(parts, raw, fitted.dense)] = len(fitted.dense)
    if fitted.ids:
        outputs[_ids(parts, raw, fitted.ids)] = len(fitted.ids)
    graph = helper.make_graph(
        parts.nodes,
        "preprocessing",
        [helper.make_tensor_value_info(v.name, TYPES[v.kind], ["batch"]) for v in raw.values()],
        [
            helper.make_tensor_value_info(v.name, TYPES[v.kind], ["batch", width])
            for v, width in outputs.items()
        ],
        parts.constants,
    )
    model = helper.make_model(
        graph,
        opset_imports=sets_of(parts.nodes),
        ir_version=IR_VERSION,
        producer_name="tandem",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _dense(parts: GraphParts, raw: Inputs, columns: Sequence[DenseColumn]) -> Value:
    """Compute the columns kind by kind, as graph.py does, then put them in order."""
    scaled = [c for c in columns if isinstance(c, AffineColumn)]
    sines = [c for c in columns if isinstance(c, CyclicColumn) and c.kind == "sin"]
    cosines = [c for c in columns if isinstance(c, CyclicColumn) and c.kind == "cos"]
    missing = [c for c in columns if isinstance(c, MissingColumn)]
    computed = []
    if scaled:
        computed.append(_scale(parts, raw, scaled))
    if sines:
        computed += _circle(parts, raw, sines)
    if missing:
        _, unknown = _stack(parts, raw, [c.column for c in missing])
        computed.append(unknown.cast("float64"))
    names = [c.name for c in (*scaled, *sines, *cosines, *missing)]
    joined = parts.concat(computed, axis=1)
    ordered = joined.along("Gather", [names.index(c.name) for c in columns], axis=1)
    return ordered.cast("float32", name="dense")


def _stack(parts: GraphParts, raw: Inputs, columns: Sequence[str]) -> tuple[Value, Value]:
    """Return columns as float64 [batch, n], and where they hold no value."""
    stacked = [raw[column].along("Unsqueeze", [1]) for column in columns]
    x = parts.concat(stacked, axis=1).cast("float64")
    nan, infinite = x.apply("IsNaN", "bool"), x.apply("IsInf", "bool")
    return x, parts.node("Or", [nan, infinite], "bool")


def _scale(parts: GraphParts, raw: Inputs, columns: Sequence[AffineColumn]) -> Value:
    """(x - centre) / divisor of x or of log(1 + max(x, 0)); 0 where there is no value."""
    x, missing = _stack(parts, raw, [c.column for c in columns])
    logged = (1.0 + x.maximum(0.0)).apply("Log")
    is_logged = np.array([c.kind in ("log", "log_zscore") for c in columns])
    x = parts.constant(is_logged, "bool").where(logged, x)
    centres = np.array([c.centre for c in columns])
    scaled = (x - centres) / np.array([c.divisor for c in columns])
    return missing.where(0.0, scaled)


def _circle(parts: GraphParts, raw: Inputs, columns: Sequence[CyclicColumn]) -> list[Value]:
    """Sine and cosine of 2 pi (x fmod period) / period; 0 where there is no value."""
    x, missing = _stack(parts, raw, [c.column for c in columns])
    if any(c.part for c in columns):
        dated = parts.constant(np.array([c.part is not None for c in columns]), "bool")
        beyond = x.apply("Abs").at_least(LIMIT)
        beyond = parts.node("And", [dated, beyond], "bool")
        missing = parts.node("Or", [missing, beyond], "bool")
        x = parts.concat([_count(x, place, c) for place, c in enumerate(columns)], axis=1)
    periods = np.array([c.period for c in columns])
    angle = x.fmod(periods) / periods * (2.0 * math.pi)
    return [missing.where(0.0, angle.apply(op)) for op in ("Sin", "Cos")]


def _count(x: Value, place: int, column: CyclicColumn) -> Value:
    count = x.along("Gather", [place], axis=1)
    return date_part(column.part, count, floor) if column.part else count


def _ids(parts: GraphParts, raw: Inputs, columns: Sequence[IdColumn]) -> Value:
    hashes = hashes_of(parts, raw, _hashed_columns(columns))
    found = [_id(raw, column, hashes).along("Unsqueeze", [1]) for column in columns]
    return parts.concat(found, axis=1, name="ids")


def _hashed_columns(columns: Sequence[IdColumn]) -> list[str]:
    found: set[str] = set()
    for column in columns:
        if isinstance(column, HashColumn):
            found |= set(column.columns)
        elif isinstance(column, VocabularyColumn) and column.oov_buckets > 1:
            found.add(column.column)
    return sorted(found)


def _id(raw: Inputs, column: IdColumn, hashes: Mapping[str, Value]) -> Value:
    if isinstance(column, HashColumn):
        texts = [hashes[name] for name in column.columns]
        return (join(texts) if len(texts) > 1 else texts[0]) % column.size
    if isinstance(column, BucketColumn):
        return _bucket(raw[column.column], column)
    ids = look_up(raw[column.column], column.vocabulary)
    if column.oov_buckets == 1:
        return ids
    return ids.equal(column.size).where(
        hashes[column.column] % column.oov_buckets + column.size, ids
    )


def _bucket(x: Value, column: BucketColumn) -> Value:
    """Return how many boundaries lie at or below x; boundaries are float32 values, as x is."""
    boundaries = np.array(column.boundaries, np.float32)
    flushed = x.apply("Abs").less(SMALLEST).where(0.0, x)
    reached = flushed.along("Unsqueeze", [1]).at_least(boundaries).cast("int64")
    ids = reached.along("ReduceSum", [1], keepdims=0)
    nan, infinite = x.apply("IsNaN", "bool"), x.apply("IsInf", "bool")
    missing = x.parts.node("Or", [nan, infinite], "bool")
    return missing.where(column.size, ids)
