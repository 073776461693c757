"""Sample weights in training: in both frameworks a row of weight 2 counts as two."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.core.features import FeatureArrays, FeatureSpec, load_split, write_split
from components.core.model_settings import ModelFamily
from components.core.settings import Framework
from components.core.training_settings import Train
from components.training.course import Course
from components.training.parts import Parts

os.environ["KERAS_BACKEND"] = "tensorflow"
FAMILY = ModelFamily(family="wide_and_deep", hidden_units=(8,))
ONE_BATCH = Train(epochs=5, batch_size=10_000, learning_rate=0.01, device="cpu", clip_norm=1.0)


def features(folder: Path, spec: FeatureSpec, arrays: FeatureArrays) -> Path:
    folder.mkdir()
    weight = None if arrays.weight is None else "w"
    rows = {"train": arrays.rows, "eval": arrays.rows}
    spec.model_copy(update={"rows": rows, "weight": weight}).write(folder)
    for split in rows:
        write_split(folder, split, arrays)
    return folder


@pytest.fixture(scope="module")
def both(small_features: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Rows of weight 1 and 2, and the same rows with those of weight 2 there twice."""
    folder = tmp_path_factory.mktemp("weights")
    spec, plain = FeatureSpec.read(small_features), load_split(small_features, "train")
    twice = np.arange(plain.rows) % 3 == 0
    weight = np.where(twice, 2, 1).astype(np.float32)
    weighted = FeatureArrays(plain.dense, plain.ids, plain.label, weight)
    order = np.repeat(np.arange(plain.rows), weight.astype(int))
    repeated = FeatureArrays(plain.dense[order], plain.ids[order], plain.label[order])
    return features(folder / "weighted", spec, weighted), features(folder / "twice", spec, repeated)


def trained(framework: Framework, folder: Path) -> list[np.ndarray]:
    own: Any
    if framework == "pytorch":
        from components.train_pytorch.framework import PyTorch

        own = PyTorch()
    else:
        from components.train_tensorflow.framework import TensorFlow

        own = TensorFlow()
    model, _ = Course.on(own, FAMILY.function(framework), folder).trained(FAMILY, ONE_BATCH)
    return [np.array(part) for part in own.weights(model).values()]


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_a_row_of_weight_two_counts_as_two(framework: Framework, both: tuple[Path, Path]) -> None:
    one, other = (trained(framework, folder) for folder in both)
    for weighted, repeated in zip(one, other, strict=True):
        np.testing.assert_allclose(weighted, repeated, rtol=0, atol=1e-5)


def test_sample_and_class_weights_multiply(both: tuple[Path, Path]) -> None:
    arrays = load_split(both[0], "train")
    train = Train(batch_size=10_000, class_weights=(0.5, 4.0))
    [part] = Parts.of(arrays, train).of_epoch(0)
    assert part.arrays.weight is not None
    pairs = {*zip(part.arrays.label.tolist(), part.arrays.weight.tolist(), strict=True)}
    assert pairs == {(0.0, 0.5), (0.0, 1.0), (1.0, 4.0), (1.0, 8.0)}


def test_weights_are_written_and_mapped_back(both: tuple[Path, Path]) -> None:
    arrays = load_split(both[0], "train")
    assert arrays.weight is not None
    assert arrays.weight.tolist()[:4] == [2.0, 1.0, 1.0, 2.0]
    assert load_split(both[1], "train").weight is None
