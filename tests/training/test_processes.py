"""A training in several processes: equal to one in one, stopped together, and ended together."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.core.errors import DataError, PlatformError
from components.core.model_settings import ModelFamily
from components.core.sources import use_sources
from components.core.training_settings import Train
from components.training.course import Course
from components.training.fit import Fit

os.environ["KERAS_BACKEND"] = "tensorflow"
OWN = ModelFamily(pytorch="stopping_models:pytorch", tensorflow="stopping_models:tensorflow")
TRAIN: Mapping[str, Any] = {
    "epochs": 2,
    "batch_size": 511,  # 512 rows train: the second batch of an epoch is one row
    "learning_rate": 0.01,
    "device": "cpu",
    "clip_norm": 0.1,
    "weight_decay": 0.01,
    "class_weights": "balanced",
    "validation_share": 0.2,
}
STRATEGY = {
    ("pytorch", "replicated"): "DistributedDataParallel",
    ("pytorch", "sharded"): "FSDP2",
    ("tensorflow", "replicated"): "MultiWorkerMirroredStrategy",
}
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def own_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_SOURCES", "")
    monkeypatch.delenv("STOP_AT", raising=False)
    use_sources(Path(__file__).parent)


def trained(
    framework: str, features: Path, kept: Path | None = None, **settings: Any
) -> tuple[dict[str, np.ndarray], Fit]:
    own: Any
    if framework == "pytorch":
        from components.train_pytorch.framework import PyTorch

        own = PyTorch()
    else:
        from components.train_tensorflow.framework import TensorFlow

        own = TensorFlow()
    course = Course.on(own, OWN.function(framework), features)
    model, done = course.trained(OWN, Train(**{**TRAIN, **settings}), kept)
    return {name: np.array(part) for name, part in own.weights(model).items()}, done


@pytest.mark.parametrize(("framework", "parallel"), STRATEGY)
def test_two_processes_end_with_the_weights_of_one_although_they_were_stopped(
    framework: str, parallel: str, small_features: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """One is told to stop, both do, at one step; what goes on from there ends where one does."""
    expected, alone = trained(framework, small_features)
    two = {"processes": 2, "parallel": parallel}
    monkeypatch.setenv("STOP_AT", "1:3")
    with pytest.raises(PlatformError, match="stopped by SIGTERM after step 3"):
        trained(framework, small_features, tmp_path, **two)
    monkeypatch.delenv("STOP_AT")
    found, together = trained(framework, small_features, tmp_path, **two)
    assert (together.resumed_from_step, together.steps) == (3, 4)
    assert (alone.strategy, together.strategy) == (None, STRATEGY[framework, parallel])
    assert together.epoch_rows == alone.epoch_rows
    np.testing.assert_allclose(together.epoch_losses, alone.epoch_losses, rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        together.validation_losses, alone.validation_losses, rtol=0, atol=1e-6
    )
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_where_one_process_is_killed_the_other_ends_and_the_operator_is_told(
    framework: str, small_features: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("STOP_AT", "1:2")
    monkeypatch.setenv("STOP_BY", "SIGKILL")
    with pytest.raises(PlatformError, match="ended by signal 9"):
        trained(framework, small_features, processes=2)


def test_what_stops_every_process_is_told_as_from_one(small_features: Path) -> None:
    with pytest.raises(DataError, match=r"the loss is (nan|inf) at batch"):
        trained("pytorch", small_features, processes=2, learning_rate=1e30, clip_norm=None)


def test_devices_of_one_process_end_with_the_weights_of_one(small_features: Path) -> None:
    """Two logical CPUs stand for two GPUs: the strategy and its reductions are the real ones."""
    program = Path(__file__).with_name("mirrored_training.py")
    subprocess.run([sys.executable, program, small_features], check=True)


def test_processes_end_with_the_one_that_started_them(small_features: Path) -> None:
    """All of them write to one pipe, which has an end once none of them is left."""
    program = (
        "import sys, test_processes as own\n"
        "from pathlib import Path\n"
        "own.use_sources(Path(own.__file__).parent)\n"
        "own.trained('pytorch', Path(sys.argv[1]), processes=2)\n"
    )
    own = {"PYTHONPATH": str(Path(__file__).parent), "STOP_AT": "1:2", "STOP_BY": "wait"}
    with subprocess.Popen(
        [sys.executable, "-c", program, small_features],
        env={**os.environ, **own},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any(line == "waits\n" for line in process.stderr)
        process.kill()
        process.stderr.read()
