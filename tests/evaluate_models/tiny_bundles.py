"""Small examples and real ONNX bundles of a logistic model, for tests that need no framework."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper

from components.core.artifacts import sha256_file
from components.core.bundle import files_of
from components.core.contract import Contract
from components.core.examples import ExamplesManifest

ORIGINS = ("EWR", "JFK", "LGA")
WEIGHTS = {"EWR": 0.5, "JFK": -0.2, "LGA": 0.1}
COLUMNS = {"distance": "float64", "hour": "int64", "late": "int64", "origin": "string"}


def table(rows: int = 3000, seed: int = 7) -> pa.Table:
    """Return rows whose label follows distance and origin, with some values missing."""
    generator = np.random.default_rng(seed)
    distance = generator.normal(size=rows)
    origin = generator.choice(ORIGINS, size=rows)
    logit = 1.2 * distance + np.array([WEIGHTS[name] for name in origin]) - 1.0
    late = (generator.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    missing = generator.random(rows) < 0.02
    return pa.table(
        {
            "distance": pa.array(distance, mask=missing),
            "hour": pa.array(generator.integers(0, 4, size=rows)),
            "late": pa.array(late),
            "origin": pa.array(origin, mask=generator.random(rows) < 0.01),
        }
    )


def write_examples(folder: Path, rows: pa.Table) -> Path:
    """Write an examples artifact whose eval split is these rows."""
    shards = []
    for split, span in (("train", "2013-11"), ("eval", "2013-12")):
        path = folder / f"Split-{split}" / f"{span}.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(rows, path)
        shards.append(
            {
                "path": path.relative_to(folder).as_posix(),
                "split": split,
                "span": span,
                "rows": rows.num_rows,
                "bytes": path.stat().st_size,
                "sha256": sha256_file(path),
            }
        )
    ExamplesManifest.model_validate(
        {
            "columns": COLUMNS,
            "label": "late",
            "splits": {"train": ["2013-11"], "eval": ["2013-12"]},
            "shards": shards,
            "source": {"files": [], "rows": 2 * rows.num_rows},
            "dropped": [],
            "rows": 2 * rows.num_rows,
            "card_sha256": "0" * 64,
        }
    ).write(folder)
    return folder


def write_bundle(folder: Path, framework: str, slope: float = 1.2, bias: float = -1.0) -> Path:
    """Write a bundle of sigmoid(slope * distance + weight[origin] + bias); a NaN counts as 0."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_model(slope, bias), folder / "model.onnx")
    Contract.from_dict(_contract(folder, framework)).write(folder)
    return folder


def _contract(folder: Path, framework: str) -> dict[str, Any]:
    form = {
        "name": "onnx",
        "path": "model.onnx",
        "takes": "raw_rows",
        "opset": 18,
        "parity": {"rows": 10, "max_abs_difference": 0.0, "tolerance": 1e-5},
    }
    transform = {} if framework == "imported" else {"transform_sha256": "1" * 64}
    return transform | {
        "version": 1,
        "framework": framework,
        "family": "wide_and_deep",
        "inputs": [
            {"name": "distance", "dtype": "float32"},
            {"name": "origin", "dtype": "string"},
        ],
        "output": {"name": "probability", "dtype": "float32"},
        "forms": [form],
        "files": files_of(folder),
        "weights_sha256": "2" * 64,
        "parameters": 5,
        "carried": {"preprocessing": "complete"},
    }


def _model(slope: float, bias: float) -> onnx.ModelProto:
    nodes = [
        helper.make_node("IsNaN", ["distance"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "distance"], ["filled"]),
        helper.make_node(
            "LabelEncoder",
            ["origin"],
            ["weight"],
            domain="ai.onnx.ml",
            keys_strings=list(WEIGHTS),
            values_floats=list(WEIGHTS.values()),
            default_float=0.0,
        ),
        helper.make_node("Mul", ["filled", "slope"], ["scaled"]),
        helper.make_node("Sum", ["scaled", "weight", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
    ]
    numbers = {"zero": 0.0, "slope": slope, "bias": bias}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("distance", TensorProto.FLOAT, ["batch"]),
            helper.make_tensor_value_info("origin", TensorProto.STRING, ["batch"]),
        ],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch"])],
        [helper.make_tensor(name, TensorProto.FLOAT, [], [n]) for name, n in numbers.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 2)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)
