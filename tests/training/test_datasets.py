"""The features for loops of one's own: both frameworks get the trainer's batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.core.features import load_split
from components.core.training_settings import Train
from components.training.parts import Parts

TRAIN = Train(batch_size=100, validation_share=0.1, class_weights="balanced", shuffle_window=256)

pytestmark = pytest.mark.slow


def expected(features: Path, epoch: int) -> list[dict[str, np.ndarray]]:
    parts = Parts.of(load_split(features, "train"), TRAIN)
    return [part.arrays.named() for part in parts.of_epoch(epoch)]


def assert_same(found: list[dict[str, np.ndarray]], wanted: list[dict[str, np.ndarray]]) -> None:
    assert len(found) == len(wanted) == 6
    for one, other in zip(found, wanted, strict=True):
        assert one.keys() == other.keys() == {"dense", "ids", "label", "weight"}
        for name, array in other.items():
            np.testing.assert_array_equal(one[name], array)


def test_a_torch_dataset_yields_the_trainers_batches(small_features: Path) -> None:
    from components.train_pytorch.dataset import FeatureBatches

    dataset = FeatureBatches(small_features, TRAIN)
    for epoch in (0, 1):
        dataset.set_epoch(epoch)
        found = [{name: part.numpy() for name, part in batch.items()} for batch in dataset]
        assert_same(found, expected(small_features, epoch))


def test_the_workers_of_a_data_loader_yield_each_batch_once(small_features: Path) -> None:
    from torch.utils.data import DataLoader

    from components.train_pytorch.dataset import FeatureBatches

    dataset = FeatureBatches(small_features, TRAIN)
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context="fork")
    found = [{name: part.numpy() for name, part in batch.items()} for batch in loader]
    assert_same(found, expected(small_features, 0))  # a DataLoader takes from workers in turn


def test_a_tensorflow_dataset_yields_the_trainers_batches(small_features: Path) -> None:
    from components.train_tensorflow.dataset import feature_batches

    for epoch in (0, 1):
        batches = feature_batches(small_features, TRAIN, epoch)
        assert_same([*batches.as_numpy_iterator()], expected(small_features, epoch))
