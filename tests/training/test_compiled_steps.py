"""Compiled steps: the weights of steps that are not, and a refusal where they would not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from every_family import FAMILIES, on

from components.core.errors import SettingsError
from components.core.features import FeatureArrays, FeatureSpec, LabelScale, load_split
from components.core.training_settings import Train
from components.training.compiled import compared_rows, compiled_difference
from components.training.heads import Head

FRAMEWORKS = ("pytorch", "tensorflow")
FAMILY = FAMILIES["dcn_v2 stacked"]
TRAIN = Train(epochs=2, batch_size=160, learning_rate=0.01, validation_share=0.2)
ANOTHER = r"computes another (output|gradient): it differs by 0\.01"
COMPILED = TRAIN.model_copy(update={"compile": True})


def fitted(framework: str, model: Any, features: Path, train: Train) -> tuple[Any, Any]:
    """Return what was done, and the weights."""
    if framework == "pytorch":
        from components.train_pytorch import training
    else:
        from components.train_tensorflow import training
    done = training.fit_model(model, load_split(features, "train"), train)
    return done, training.weight_arrays(model)


def test_steps_are_compared_on_labels_as_a_model_learns_them() -> None:
    rows = FeatureArrays(
        np.zeros((2, 1), np.float32), np.zeros((2, 0), np.int32), np.array([1e4, 0], np.float32)
    )
    head = Head("regression", scale=LabelScale(mean=4000, deviation=2000))
    assert compared_rows(rows, head).label.tolist() == [3, -2]
    assert compared_rows(rows).label.tolist() == [1e4, 0]


@pytest.mark.slow
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_compiled_steps_end_with_the_same_weights(framework: str, small_features: Path) -> None:
    spec, build = FeatureSpec.read(small_features), on(framework, FAMILY)[0]
    (eager, before), (compiled, after) = (
        fitted(framework, build(spec, FAMILY, train.seed), small_features, train)
        for train in (TRAIN, COMPILED)
    )
    assert eager.compiled_difference is None
    assert 0 <= compiled.compiled_difference < 1e-5
    assert compiled.steps == eager.steps
    for one, two in zip(before.values(), after.values(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4)
    facts = compiled.facts(COMPILED)
    assert facts["compiled_difference"] == compiled.compiled_difference


@pytest.mark.slow
def test_a_pytorch_model_that_computes_something_else_when_compiled_is_refused(
    small_features: Path,
) -> None:
    import torch

    class Different(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def forward(self, dense: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
            output: torch.Tensor = self.layer(dense)
            return output * 1.01 if torch.compiler.is_compiling() else output

    with pytest.raises(
        SettingsError, match=r"computes another (output|gradient): it differs by 0\.01"
    ):
        fitted("pytorch", Different(), small_features, COMPILED)


@pytest.mark.slow
def test_a_keras_model_that_computes_something_else_when_compiled_is_refused(
    small_features: Path,
) -> None:
    import keras
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util

    class Different(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            inside = control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
            return inputs * 1.01 if inside else inputs

    dense = keras.Input((2,), name="dense")
    ids = keras.Input((2,), dtype="int32", name="ids")
    logit = Different()(keras.layers.Dense(1, name="layer")(dense))
    model = keras.Model({"dense": dense, "ids": ids}, logit)
    with pytest.raises(
        SettingsError, match=r"computes another (output|gradient): it differs by 0\.01"
    ):
        fitted("tensorflow", model, small_features, COMPILED)


def test_what_differs_most_is_named_with_what_is_allowed() -> None:
    eager = {"output": np.array([3.0, -4.0]), "gradient": np.array([4.0, 0.0])}
    near = {"output": np.array([3.0, -4.0004]), "gradient": np.array([4.0, 1e-4])}
    assert compiled_difference(eager, near, "fp32") == pytest.approx(8e-5)
    far = near | {"gradient": np.array([4.0, 0.004])}
    with pytest.raises(SettingsError, match=r"another gradient: it differs by 0\.001") as caught:
        compiled_difference(eager, far, "fp32")
    assert "0.0001" in str(caught.value.expected)
    assert compiled_difference(eager, far, "bf16") == pytest.approx(1e-3)


def test_what_is_no_number_is_a_difference() -> None:
    eager, compiled = {"output": np.ones(2)}, {"output": np.array([1.0, np.nan])}
    with pytest.raises(SettingsError, match="differs by nan"):
        compiled_difference(eager, compiled, "bf16")


@pytest.mark.slow
def test_each_model_of_a_search_is_compiled(small_features: Path) -> None:
    """PyTorch gives up after eight compilations of one function, and says so in a warning only."""
    import torch
    from torch._dynamo.utils import counters

    class Layers(torch.nn.Module):
        def __init__(self, units: int) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Linear(2, units), torch.nn.Linear(units, 1))

        def forward(self, dense: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
            output: torch.Tensor = self.layers(dense)
            return output

    train = COMPILED.model_copy(update={"epochs": 1})
    for units in range(1, 7):
        counters.clear()
        fitted("pytorch", Layers(units), small_features, train)
        assert counters["stats"]["unique_graphs"] >= 2, units
