"""The ONNX forms of 8 bits: asked for by name, smaller, proven by what they are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from every_family import FAMILIES, on

from components.core.artifacts import manifest
from components.core.bundle import Bundle
from components.core.contract import Contract
from components.core.errors import SettingsError
from components.core.runtimes import open_form
from components.train_pytorch.step import TrainPytorchSettings, train_pytorch
from components.training.evidence import Evidence
from components.training.int8 import write_int8
from components.training.parity import Evaluated
from components.training.proof import Prover, Written
from components.training.sealing import Preprocessing

pytestmark = pytest.mark.slow
INT8 = ("onnx_int8_dynamic", "onnx_int8_static")
RAW = {
    "delay": np.array([60.0, np.nan, -3.0], np.float32),
    "hour": np.array([17.0, np.nan, 0.0], np.float32),
    "carrier": np.array(["B6", "", "\u4e16"], object),
    "origin": np.array(["JFK", "never seen", ""], object),
}


def train(features: Path, graph: Path, folder: Path, **more: Any) -> Contract:
    values = {"epochs": 4, "batch_size": 100, "learning_rate": 0.01, "forms": INT8, **more}
    settings = {"model": {"family": "wide_and_deep"}, "train": values}
    train_pytorch(
        settings=TrainPytorchSettings.model_validate(settings),
        features=features,
        transform_graph=graph,
        pytorch_model=folder,
    )
    return Bundle.open(folder).contract


@pytest.fixture(scope="module")
def folder(
    small_features: Path, small_transform_graph: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    made = tmp_path_factory.mktemp("pytorch_model")
    train(small_features, small_transform_graph, made)
    return made


def test_each_form_takes_raw_rows_and_says_what_it_keeps(folder: Path) -> None:
    contract = Bundle.open(folder).contract
    assert [form.name for form in contract.forms] == ["onnx", *INT8]
    for name in INT8:
        form = contract.form(name)
        assert (form.takes, form.opset, form.parity) == ("raw_rows", 18, None)
        assert form.quality is not None
        assert form.quality.rows == 200
        assert form.quality.batch_sizes == (1, 7, 1024)
        assert form.quality.framework_auc > 0.9
        assert form.quality.agreement >= 0.98
    assert "MatMulInteger" in contract.form("onnx_int8_dynamic").operators["ai.onnx"]
    assert "QuantizeLinear" in contract.form("onnx_int8_static").operators["ai.onnx"]


def test_the_probabilities_are_near_those_of_the_form_that_is_served(folder: Path) -> None:
    bundle = Bundle.open(folder)
    expected = open_form("onnx", bundle.path("onnx"))(RAW)
    assert expected.std() > 0.1
    for name in INT8:
        found = open_form(name, bundle.path(name))(RAW)
        assert 0 < np.abs(found - expected).max() < 0.05


def test_weights_are_of_eight_bits(folder: Path) -> None:
    for name in INT8:
        model = onnx.load(str(Bundle.open(folder).path(name)))
        kinds = {weight.name: weight.data_type for weight in model.graph.initializer}
        of_eight = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
        rounded = [kind for kind in kinds.values() if kind in of_eight]
        assert len(rounded) >= 3, kinds


def test_two_trainings_give_the_same_bytes(
    folder: Path, small_features: Path, small_transform_graph: Path, tmp_path: Path
) -> None:
    train(small_features, small_transform_graph, tmp_path)
    assert manifest(tmp_path) == manifest(folder)


def test_no_form_of_8_bits_is_made_unless_it_is_asked_for(
    small_features: Path, small_transform_graph: Path, tmp_path: Path
) -> None:
    contract = train(small_features, small_transform_graph, tmp_path, forms=())
    assert [form.name for form in contract.forms] == ["onnx"]
    assert set(contract.files) == {"model.onnx", "preprocessing.onnx"}


def with_other_weights(model: Any) -> None:
    for weight in model.graph.initializer:
        if weight.data_type == onnx.TensorProto.UINT8 and len(weight.dims) == 2:
            values = 255 - onnx.numpy_helper.to_array(weight)
            weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))


def with_other_preprocessing(model: Any) -> None:
    for weight in model.graph.initializer:
        if weight.name.endswith("delay/mean"):
            weight.CopyFrom(onnx.numpy_helper.from_array(np.float32(-1000.0), weight.name))


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (with_other_weights, "the onnx_int8_static form at batches of 1 has an AUC of "),
        (with_other_preprocessing, "the onnx_int8_static form on raw rows at batches of .* is not"),
    ],
)
def test_a_form_that_was_changed_is_refused(
    change: Any, cause: str, folder: Path, small_transform_graph: Path, small_features: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    from components.core.features import load_split
    from components.training.composition import open_features_part

    bundle = Bundle.open(folder)
    served = open_features_part(bundle.path("onnx"))

    def predict(dense: np.ndarray, ids: np.ndarray) -> np.ndarray:
        return np.asarray(served({"dense": dense, "ids": ids}))

    evaluated = Evaluated.by(predict, load_split(small_features, "eval"))
    evidence: Evidence = Preprocessing.read(small_transform_graph).evidence(predict, evaluated)
    model = onnx.load(str(bundle.path("onnx_int8_static")))
    written = Written("onnx_int8_static", "model.onnx", "raw_rows", 18)
    onnx.save(model, tmp_path / "model.onnx")
    assert Prover("onnx").prove(tmp_path, [written], evidence)
    change(model)
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(SettingsError, match=cause):
        Prover("onnx").prove(tmp_path, [written], evidence)


@pytest.mark.parametrize("name", ["wide_and_deep layer", "dcn_v2 low rank", "ft_transformer"])
def test_every_built_in_family_can_be_of_8_bits(
    name: str, small_features: Path, small_transform_graph: Path, small_spec: Any, tmp_path: Path
) -> None:
    from components.core.features import load_split
    from components.train_pytorch import export
    from components.training.composition import open_features_part

    arrays, preprocessing = (
        load_split(small_features, "train"),
        Preprocessing.read(small_transform_graph),
    )
    build, _ = on("pytorch", FAMILIES[name])
    model = build(small_spec, FAMILIES[name], 3)
    exported = export.to_onnx(export.trace(model, small_spec), preprocessing.opset)
    rows = {"dense": np.array(arrays.dense), "ids": np.array(arrays.ids)}
    expected = export.predictor(model)(rows["dense"], rows["ids"])
    written = write_int8(tmp_path, exported, preprocessing, INT8, arrays)
    assert [form.name for form in written] == list(INT8)
    for form in written:
        found = open_features_part(tmp_path / form.path)(rows)
        assert 0 < np.abs(found - expected).mean() < 0.1 * expected.std(), form
