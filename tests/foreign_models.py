"""A small use case, and models for it that were trained elsewhere: nothing of them is ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper

ORIGINS = {"EWR": 0.6, "JFK": -0.4, "LGA": 0.0}
SLOPE, BIAS = 1.5, -0.5
ROWS = 1200
CARD = {
    "origin": "a made-up shop",
    "collection": "written for the tests",
    "licence": "CC0-1.0",
    "purpose": "tests",
    "personal_data": {"present": False},
}
SETTINGS: dict[str, Any] = {
    "name": "parcels",
    "source": {
        "table": {"location": "rows.csv"},
        "spans": {"unit": "month", "columns": ["year", "month"]},
        "target": {"name": "late", "column": "came", "equals": "late"},
        "leave_out": ["year", "month"],
    },
    "window": {"first": "2013-01", "last": "2013-03"},
    "schema": "parcels.pbtxt",
    "card": "card.yaml",
    "transform": {"features": {"distance": {"kind": "zscore"}, "origin": {"kind": "vocabulary"}}},
    "model": {"family": "wide_and_deep"},
    "evaluate": {"slices": [["origin"]], "latency_runs": 10, "minimum_slice_rows": 50},
    "policy": {"gates": [{"metric": "auc", "operator": ">=", "threshold": 0.65}]},
    "registry": {"model_name": "parcels-late", "approvals": {"review": 0, "approval": 0}},
}
SCHEMA = """
feature { name: "distance" type: FLOAT presence { min_count: 1 } shape { dim { size: 1 } } }
feature { name: "late" type: INT presence { min_fraction: 1.0 } shape { dim { size: 1 } } }
feature {
  name: "origin" type: BYTES domain: "origin"
  presence { min_fraction: 1.0 } shape { dim { size: 1 } }
}
string_domain { name: "origin" value: "EWR" value: "JFK" value: "LGA" }
"""


def write_use_case(folder: Path) -> Path:
    """Write settings, schema, card and rows of three months; return the settings file."""
    random = np.random.default_rng(3)
    lines = ["year,month,distance,origin,came"]
    for month in (1, 2, 3):
        distance = random.normal(size=ROWS)
        origin = random.choice(list(ORIGINS), size=ROWS)
        logit = SLOPE * distance + np.array([ORIGINS[name] for name in origin]) + BIAS
        late = random.random(ROWS) < 1 / (1 + np.exp(-logit))
        lines += [
            f"2013,{month},{d:.4f},{o},{'late' if is_late else 'in time'}"
            for d, o, is_late in zip(distance, origin, late, strict=True)
        ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    (folder / "parcels.pbtxt").write_text(SCHEMA)
    (folder / "card.yaml").write_text(yaml.safe_dump(CARD))
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump(SETTINGS))
    return file


def columns_model(slope: float = SLOPE) -> onnx.ModelProto:
    """Return a logistic regression with an input [rows, 1] a column and probabilities [rows, 2]."""
    nodes = [
        helper.make_node("Mul", ["distance", "slope"], ["scaled"]),
        helper.make_node(
            "LabelEncoder",
            ["origin"],
            ["weight"],
            domain="ai.onnx.ml",
            keys_strings=list(ORIGINS),
            values_floats=list(ORIGINS.values()),
            default_float=0.0,
        ),
        helper.make_node("Sum", ["scaled", "weight", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["one"]),
        helper.make_node("Sub", ["unit", "one"], ["zero"]),
        helper.make_node("Concat", ["zero", "one"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "elsewhere",
        [
            value("distance", TensorProto.FLOAT, [None, 1]),
            value("origin", TensorProto.STRING, [None, 1]),
        ],
        [
            value("label", TensorProto.INT64, [None]),
            value("probabilities", TensorProto.FLOAT, [None, 2]),
        ],
        [
            helper.make_tensor(name, TensorProto.FLOAT, [1], [number])
            for name, number in (("slope", slope), ("bias", BIAS), ("unit", 1.0))
        ],
    )
    return _made(graph)


def matrix_model(columns: int = 1) -> onnx.ModelProto:
    """Return a logistic regression of one double matrix X, with one output [rows, 1]."""
    nodes = [
        helper.make_node("MatMul", ["X", "weights"], ["product"]),
        helper.make_node("Sigmoid", ["product"], ["probability"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "matrix",
        [value("X", TensorProto.DOUBLE, [None, columns])],
        [value("probability", TensorProto.DOUBLE, [None, 1])],
        [helper.make_tensor("weights", TensorProto.DOUBLE, [columns, 1], [SLOPE] * columns)],
    )
    return _made(graph)


def _made(graph: Any) -> onnx.ModelProto:
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def write_signature(file: Path, **more: Any) -> Path:
    """Write the signature of `columns_model`, changed by `more`."""
    said = {
        "inputs": [
            {"name": "distance", "dtype": "float32"},
            {"name": "origin", "dtype": "string"},
        ],
        "output": "probabilities",
    }
    file.write_text(yaml.safe_dump(said | more))
    return file
