"""Training in 16 bits: it learns, keeps its weights in float32, and exports what was trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from every_family import FAMILIES, on

from components.core.features import FeatureArrays, FeatureSpec, load_split
from components.core.training_settings import Precision, Train
from components.training.fitting import fit
from components.training.precision import GROWTH_STEPS, INITIAL_SCALE

pytestmark = pytest.mark.slow
FRAMEWORKS = ("pytorch", "tensorflow")
MIXED: tuple[Precision, ...] = ("bf16", "fp16")
FAMILY = FAMILIES["wide_and_deep batch"]


def settings(precision: Precision, **train: Any) -> Train:
    values = {"epochs": 3, "batch_size": 100, "learning_rate": 0.01, "clip_norm": 0.1}
    return Train.model_validate(values | {"precision": precision} | train)


def build(framework: str, spec: FeatureSpec, train: Train) -> Any:
    make = on(framework, FAMILY)[0]
    if framework == "pytorch":
        return make(spec, FAMILY, train.seed).train()
    from components.train_tensorflow.precision import policy

    with policy(train.precision):
        return make(spec, FAMILY, train.seed)


def trainer_of(framework: str, model: Any, arrays: FeatureArrays, train: Train) -> Any:
    if framework == "pytorch":
        from components.train_pytorch.training import TorchTrainer

        return TorchTrainer(model, train)
    from components.train_tensorflow.training import KerasTrainer

    return KerasTrainer(model, arrays, train)


@pytest.fixture(params=FRAMEWORKS)
def make(request: pytest.FixtureRequest, small_features: Path) -> Callable[[Train], Any]:
    """A function that gives a framework's trainer of the small features."""
    spec, arrays = FeatureSpec.read(small_features), load_split(small_features, "train")

    def trainer(train: Train) -> Any:
        return trainer_of(request.param, build(request.param, spec, train), arrays, train)

    return trainer


@pytest.mark.parametrize("precision", MIXED)
def test_a_training_in_16_bits_learns_what_one_in_32_does(
    make: Callable[[Train], Any], precision: Precision, small_features: Path
) -> None:
    arrays = load_split(small_features, "train")
    full, mixed = (
        fit(make(settings(used)), arrays, settings(used)).final_loss for used in ("fp32", precision)
    )
    assert mixed == pytest.approx(full, rel=0.05)
    assert mixed != full


@pytest.mark.parametrize("precision", MIXED)
def test_everything_that_is_kept_is_float32(
    make: Callable[[Train], Any], precision: Precision, small_features: Path
) -> None:
    trainer = make(settings(precision))
    trainer.step(first_rows(small_features), 0.01, 1.0)
    weights = [array for name, array in trainer.state().items() if name.startswith("weights/")]
    kinds = {array.dtype for array in weights if array.dtype.kind == "f"}
    assert kinds == {np.dtype(np.float32)}


@pytest.mark.parametrize("precision", MIXED)
def test_adam_is_given_the_gradients_of_the_loss_itself(
    make: Callable[[Train], Any], precision: Precision, small_features: Path
) -> None:
    rows, moments = first_rows(small_features), []
    for used in ("fp32", precision):
        trainer = make(settings(used, clip_norm=None))
        trainer.step(rows, 0.01, 1.0)
        state = trainer.state().items()
        moments.append([part for name, part in state if name.startswith(("exp_avg/", "adam/"))])
    assert sum(part.size for part in moments[0]) > 200
    for full, mixed in zip(*moments, strict=True):
        assert np.linalg.norm(mixed) == pytest.approx(np.linalg.norm(full), rel=0.1, abs=1e-3)


def test_fp16_doubles_its_scale_after_steps_that_went_well(
    make: Callable[[Train], Any], small_features: Path
) -> None:
    trainer, rows = make(settings("fp16")), first_rows(small_features)
    trainer.step(rows, 0.01, 1.0)
    set_scaler(trainer, 1024.0, GROWTH_STEPS - 1)
    trainer.step(rows, 0.01, 1.0)
    assert scaler_of(trainer) == (2048.0, 0)
    trainer.step(rows, 0.01, 1.0)
    assert scaler_of(trainer) == (2048.0, 1)


def test_fp16_leaves_out_a_step_whose_gradients_overflow(
    make: Callable[[Train], Any], small_features: Path
) -> None:
    trainer, rows = make(settings("fp16")), first_rows(small_features)
    trainer.step(rows, 0.01, 1.0)
    set_scaler(trainer, 2.0**60, 7)
    before = trained_weights(trainer)
    loss = trainer.step(rows, 0.01, 1.0)
    assert np.isfinite(loss)
    assert scaler_of(trainer) == (2.0**59, 0)
    after = trained_weights(trainer)
    assert all((after[name] == array).all() for name, array in before.items())


def test_fp16_begins_with_the_scale_of_both_frameworks(make: Callable[[Train], Any]) -> None:
    assert scaler_of(make(settings("fp16"))) == (INITIAL_SCALE, 0)


@pytest.mark.parametrize("precision", MIXED)
def test_the_exported_model_computes_in_float32_with_the_weights_that_were_trained(
    precision: Precision, small_features: Path
) -> None:
    from components.train_tensorflow.framework import TensorFlow

    spec, arrays = FeatureSpec.read(small_features), load_split(small_features, "train")
    train = settings(precision)
    trained = build("tensorflow", spec, train)
    fit(trainer_of("tensorflow", trained, arrays, train), arrays, train)
    exported = TensorFlow().exporting(
        trained, FAMILY, train, lambda _, given: build("tensorflow", spec, given)
    )
    rows = {"dense": arrays.dense[:50], "ids": arrays.ids[:50]}
    served, in_training = exported(rows).numpy(), trained(rows).numpy()
    assert served.dtype == np.float32
    assert in_training.dtype != np.float32
    np.testing.assert_allclose(served, in_training.astype(np.float32), atol=0.05)
    assert all(layer.compute_dtype == "float32" for layer in exported.layers)


def first_rows(features: Path) -> FeatureArrays:
    arrays = load_split(features, "train")
    first = (part[:100].copy() for part in (arrays.dense, arrays.ids, arrays.label))
    return FeatureArrays(*first)


def trained_weights(trainer: Any) -> dict[str, np.ndarray]:
    """Return what only a step changes, which the running means of a normalisation are not."""
    kept = {f"weights/{name}" for name in getattr(trainer, "_parameters", {})}
    state = trainer.state()
    if kept:
        return {name: state[name] for name in kept}
    numbers = [n for n, variable in enumerate(trainer._model.variables) if variable.trainable]
    return {f"weights/{n}": state[f"weights/{n}"] for n in numbers}


def scaler_of(trainer: Any) -> tuple[float, int]:
    """Return the scale, and the steps since it changed."""
    state = trainer.state()
    if "scaler" in state:
        scale, steps = state["scaler"].tolist()
        return scale, int(steps)
    return float(state["scaler/scale"]), int(state["scaler/steps"])


def set_scaler(trainer: Any, scale: float, steps: int) -> None:
    """Have the trainer go on with that scale."""
    if "scaler" in trainer.state():
        trainer.restore({"scaler": np.array([scale, steps])})
        return
    trainer.restore(
        {"scaler/scale": np.float32(scale), "scaler/steps": np.int32(steps)},
    )
