"""A small features artifact and transform graph that the tests of both trainers share.

The transform graph here is written by hand with ONNX operators, to the format of
transform_features; it holds no TFT graph. Tests of the SavedModel form use a real one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.core.canonical import sha256_file
from components.core.features import (
    FeatureArrays,
    FeatureSpec,
    IdFeature,
    load_split,
    write_split,
)

CARRIERS = ("AA", "B6", "UA")
PLACES = ("JFK", "LGA")
ROWS = {"train": 640, "eval": 200}


@pytest.fixture(scope="session")
def small_spec() -> FeatureSpec:
    ids = (
        IdFeature(name="carrier", size=len(CARRIERS)),
        IdFeature(name="origin", size=len(PLACES)),
    )
    return FeatureSpec(dense=("delay", "hour"), ids=ids, label="late", rows=ROWS)


@pytest.fixture(scope="session")
def small_features(
    tmp_path_factory: pytest.TempPathFactory, small_spec: FeatureSpec, small_transform_graph: Path
) -> Path:
    folder = tmp_path_factory.mktemp("features")
    made_by = {"preprocessing_sha256": sha256_file(small_transform_graph / "preprocessing.json")}
    small_spec.model_copy(update=made_by).write(folder)
    random = np.random.default_rng(5)
    for split, rows in ROWS.items():
        dense = random.standard_normal((rows, 2)).astype(np.float32)
        ids = np.stack([random.integers(0, f.buckets, rows) for f in small_spec.ids], axis=1)
        label = (dense[:, 0] + (ids[:, 0] == 1) > 0.5).astype(np.float32)
        write_split(folder, split, FeatureArrays(dense, ids.astype(np.int32), label))
    return folder


def without_a_row(features: Path, folder: Path, split: str) -> Path:
    """Copy a features artifact, the last row of one split left out."""
    arrays = load_split(shutil.copytree(features, folder), split)
    all_but_one = slice(0, arrays.rows - 1)
    parts = (arrays.dense[all_but_one], arrays.ids[all_but_one], arrays.label[all_but_one])
    write_split(folder, split, FeatureArrays(*(part.copy() for part in parts)))
    return folder


@pytest.fixture(scope="session")
def small_transform_graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("transform_graph")
    fitted = {"version": 1, "inputs": [], "dense": [], "ids": []}
    for name, words in (("carrier", CARRIERS), ("origin", PLACES)):
        fitted["ids"].append({"name": name, "size": len(words), "vocabulary": list(words)})
    (folder / "preprocessing.json").write_text(json.dumps(fitted))
    (folder / "preprocessing.onnx").write_bytes(handmade_preprocessing())
    return folder


def handmade_preprocessing() -> bytes:
    """Return (x - mean) / deviation of two numbers and the ids of two texts, as ONNX."""
    import onnx
    from onnx import TensorProto, helper

    nodes, initial = [], []
    for name, mean, deviation in (("delay", 6.0, 40.0), ("hour", 12.0, 5.0)):
        initial += [
            helper.make_tensor(f"{name}/mean", TensorProto.FLOAT, [], [mean]),
            helper.make_tensor(f"{name}/deviation", TensorProto.FLOAT, [], [deviation]),
        ]
        nodes += [
            helper.make_node("IsNaN", [name], [f"{name}/nan"]),
            helper.make_node("IsInf", [name], [f"{name}/infinite"]),
            helper.make_node("Or", [f"{name}/nan", f"{name}/infinite"], [f"{name}/missing"]),
            helper.make_node("Where", [f"{name}/missing", f"{name}/mean", name], [f"{name}/full"]),
            helper.make_node("Sub", [f"{name}/full", f"{name}/mean"], [f"{name}/centred"]),
            helper.make_node("Div", [f"{name}/centred", f"{name}/deviation"], [f"{name}/flat"]),
        ]
    for name, words in (("carrier", CARRIERS), ("origin", PLACES)):
        nodes.append(
            helper.make_node(
                "LabelEncoder",
                [name],
                [f"{name}/flat"],
                domain="ai.onnx.ml",
                keys_strings=list(words),
                values_int64s=list(range(len(words))),
                default_int64=len(words),
            )
        )
    initial.append(helper.make_tensor("last", TensorProto.INT64, [1], [1]))
    for output, names in (("dense", ("delay", "hour")), ("ids", ("carrier", "origin"))):
        nodes += [helper.make_node("Unsqueeze", [f"{n}/flat", "last"], [f"{n}/one"]) for n in names]
        nodes.append(helper.make_node("Concat", [f"{n}/one" for n in names], [output], axis=1))
    value = helper.make_tensor_value_info
    inputs = [value(n, TensorProto.FLOAT, ["batch"]) for n in ("delay", "hour")]
    inputs += [value(n, TensorProto.STRING, ["batch"]) for n in ("carrier", "origin")]
    outputs = [
        value("dense", TensorProto.FLOAT, ["batch", 2]),
        value("ids", TensorProto.INT64, ["batch", 2]),
    ]
    graph = helper.make_graph(nodes, "preprocessing", inputs, outputs, initial)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def handmade_model(opset: int = 18) -> Any:
    """Return sigmoid(sum of dense + sum of ids) of features, with what tools leave behind."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Cast", ["ids"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["dense", "numbers"], ["all"], axis=1),
        helper.make_node("ReduceSum", ["all", "axis"], ["sum"], keepdims=0),
        helper.make_node("Sigmoid", ["sum"], ["Identity:0"]),
    ]
    nodes[0].doc_string = "/home/someone/model.py:12"
    nodes[1].metadata_props.add(key="stack_trace", value="/home/someone/model.py:13")
    graph = helper.make_graph(
        nodes,
        "from /home/someone",
        [
            helper.make_tensor_value_info("dense", TensorProto.FLOAT, ["unk__55", 2]),
            helper.make_tensor_value_info("ids", TensorProto.INT32, ["unk__56", 2]),
        ],
        [helper.make_tensor_value_info("Identity:0", TensorProto.FLOAT, ["unk__57"])],
        [helper.make_tensor("axis", TensorProto.INT64, [1], [1])],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 2)]
    return helper.make_model(
        graph, opset_imports=opsets, ir_version=8, producer_name="a tool in /home/someone"
    )


@pytest.fixture
def small_model() -> Callable[..., Any]:
    return handmade_model


@pytest.fixture
def small_bundle(tmp_path: Path, sealed_bundle: Path) -> Path:
    """A copy of the sealed bundle, to change as a test likes."""
    return shutil.copytree(sealed_bundle, tmp_path / "bundle")


@pytest.fixture(scope="session")
def sealed_bundle(
    tmp_path_factory: pytest.TempPathFactory, small_spec: FeatureSpec, small_transform_graph: Path
) -> Path:
    """A sealed bundle around the handmade model; its weights are none, and no test changes it."""
    from components.training.fit import Fit
    from components.training.parity import Evaluated
    from components.training.proof import Prover
    from components.training.sealing import Preprocessing, Trained, seal, write_raw_onnx

    def predict(dense: np.ndarray, ids: np.ndarray) -> np.ndarray:
        total = dense.sum(axis=1) + ids.sum(axis=1)
        with np.errstate(over="ignore"):
            return (1 / (1 + np.exp(-total.astype(np.float64)))).astype(np.float32)

    folder = tmp_path_factory.mktemp("sealed") / "bundle"
    folder.mkdir()
    preprocessing = Preprocessing.read(small_transform_graph)
    rows = ROWS["eval"]
    evaluation = FeatureArrays(
        np.ones((rows, 2), np.float32), np.ones((rows, 2), np.int32), np.zeros(rows, np.float32)
    )
    evaluated = Evaluated.by(predict, evaluation)
    written = write_raw_onnx(folder, handmade_model(), preprocessing)
    forms = Prover("onnx").prove(folder, [written], preprocessing.evidence(predict, evaluated))
    fit = Fit(epoch_rows=(ROWS["train"],), epoch_losses=(0.5,), steps=1, kept_epoch=1)
    trained = Trained("pytorch", "custom", small_spec, {}, 0, fit, rows)
    seal(folder, trained, preprocessing, forms)
    return folder
