"""The forms of 8 bits of a Keras model: two of ONNX and one of LiteRT, proven by their worth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.core.artifacts import manifest
from components.core.bundle import Bundle
from components.core.features import load_split
from components.core.runtimes import open_form
from components.train_tensorflow.step import TrainTensorflowSettings, train_tensorflow

pytestmark = pytest.mark.slow
INT8 = ("onnx_int8_dynamic", "onnx_int8_static", "litert_int8")


def train(features: Path, graph: Path, folder: Path) -> Bundle:
    values = {"epochs": 4, "batch_size": 100, "learning_rate": 0.01, "forms": ("litert", *INT8)}
    settings = {"model": {"family": "wide_and_deep"}, "train": values}
    train_tensorflow(
        settings=TrainTensorflowSettings.model_validate(settings),
        features=features,
        transform_graph=graph,
        tensorflow_model=folder,
    )
    return Bundle.open(folder)


@pytest.fixture(scope="module")
def bundle(
    small_features: Path, tft_graph: Path, tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    return train(small_features, tft_graph, tmp_path_factory.mktemp("tensorflow_model"))


def test_each_form_says_what_it_keeps(bundle: Bundle) -> None:
    contract = bundle.contract
    assert {form.name for form in contract.forms} == {"onnx", "litert", *INT8}
    for name in INT8:
        form = contract.form(name)
        assert form.parity is None
        assert form.quality is not None
        assert form.quality.rows == 200
        assert form.quality.batch_sizes == (1, 7, 1024)
        assert form.quality.agreement >= 0.98
    assert contract.form("litert_int8").takes == "features"
    assert contract.form("onnx_int8_static").takes == "raw_rows"


def test_litert_multiplies_in_eight_bits(bundle: Bundle, small_features: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    operators = bundle.contract.form("litert_int8").operators["builtin"]
    assert {"QUANTIZE", "DEQUANTIZE", "FULLY_CONNECTED"} <= set(operators)
    details = Interpreter(str(bundle.path("litert_int8"))).get_tensor_details()
    assert any(tensor["dtype"] == np.int8 and len(tensor["shape"]) == 2 for tensor in details)
    arrays = load_split(small_features, "eval")
    rows = {"dense": np.array(arrays.dense), "ids": np.array(arrays.ids)}
    found, expected = (open_form(n, bundle.path(n))(rows) for n in ("litert_int8", "litert"))
    assert 0 < np.abs(found - expected).mean() < 0.02


def test_two_trainings_give_the_same_bytes(
    bundle: Bundle, small_features: Path, tft_graph: Path, tmp_path: Path
) -> None:
    train(small_features, tft_graph, tmp_path)
    assert manifest(tmp_path) == manifest(bundle.folder)
