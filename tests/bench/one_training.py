"""Train the flights model in one of several ways, and print how fast, as JSON.

    python tests/bench/one_training.py WAY FEATURES

The rate is that of the epochs after the first, which traces and warms up: a training of EPOCHS
epochs less one of a single epoch. `seconds` is the longer training as a whole. All ways have the
same model, rows, batch size and optimiser, and one thread.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from components.core.features import FeatureArrays, FeatureSpec, load_split
from components.core.model_settings import ModelFamily
from components.core.training_settings import Train

EPOCHS = 4
FAMILY = ModelFamily.model_validate({"family": "wide_and_deep"})
BATCH = Train().batch_size
RATE = Train().learning_rate
Way = Callable[[FeatureSpec, FeatureArrays, int], None]


def main(way: str, features: str) -> int:
    """Train twice and print the rate."""
    spec, arrays = FeatureSpec.read(Path(features)), load_split(Path(features), "train")
    framework, _, name = way.partition(".")
    prepare = {"pytorch": prepare_torch, "tensorflow": prepare_tensorflow}[framework]
    prepare()
    train = WAYS[way]
    seconds = [timed(train, spec, arrays, epochs) for epochs in (1, EPOCHS)]
    rows = arrays.rows * (EPOCHS - 1)
    cost = {"name": name, "rate": rows / (seconds[1] - seconds[0]), "seconds": seconds[1]}
    print(json.dumps(cost))
    return 0


def timed(way: Way, spec: FeatureSpec, arrays: FeatureArrays, epochs: int) -> float:
    """Return the seconds of a training."""
    started = time.perf_counter()
    way(spec, arrays, epochs)
    return time.perf_counter() - started


def settings(epochs: int) -> Train:
    """Return the default settings with a number of epochs."""
    return Train(epochs=epochs, device="cpu")


def prepare_torch() -> None:
    """Fix the machine as the trainer does."""
    from components.train_pytorch.training import fix_machine

    fix_machine(settings(1))


def prepare_tensorflow() -> None:
    """Fix the machine as the trainer does."""
    from components.train_tensorflow.training import fix_machine

    fix_machine(settings(1))


def torch_model(spec: FeatureSpec) -> Any:
    """Build the model in PyTorch."""
    from components.train_pytorch.families.wide_and_deep import build_model

    return build_model(spec, FAMILY, 13)


def keras_model(spec: FeatureSpec) -> Any:
    """Build the model in Keras."""
    from components.train_tensorflow.families.wide_and_deep import build_model

    return build_model(spec, FAMILY, 13)


def torch_tandem(spec: FeatureSpec, arrays: FeatureArrays, epochs: int) -> None:
    """Train as train_pytorch does."""
    from components.train_pytorch.training import fit_model

    fit_model(torch_model(spec), arrays, settings(epochs))


def keras_tandem(spec: FeatureSpec, arrays: FeatureArrays, epochs: int) -> None:
    """Train as train_tensorflow does."""
    from components.train_tensorflow.training import fit_model

    fit_model(keras_model(spec), arrays, settings(epochs))


def torch_plain(spec: FeatureSpec, arrays: FeatureArrays, epochs: int) -> None:
    """Train in a loop over slices of tensors, as PyTorch's tutorial has it."""
    import torch

    dense, ids, label = torch_tensors(arrays)
    model = torch_model(spec).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(epochs):
        order = torch.randperm(len(label))
        for rows in order.split(BATCH):
            optimiser.zero_grad()
            loss = torch_loss(model(dense[rows], ids[rows]), label[rows])
            loss.backward()
            optimiser.step()


def torch_data_loader(spec: FeatureSpec, arrays: FeatureArrays, epochs: int) -> None:
    """Train in a loop over a DataLoader of a TensorDataset."""
    import torch

    model = torch_model(spec).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    loader = torch_loader(arrays)
    for _ in range(epochs):
        for dense, ids, label in loader:
            optimiser.zero_grad()
            loss = torch_loss(model(dense, ids), label)
            loss.backward()
            optimiser.step()


def torch_lightning(spec: FeatureSpec, arrays: FeatureArrays, epochs: int) -> None:
    """Train by Lightning's Trainer, with what it writes and prints switched off."""
    import pytorch_lightning as lightning
    import torch

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = torch_model(spec)

        def training_step(self, batch: Any, number: int) -> Any:
            dense, ids, label = batch
            return torch_loss(self.model(dense, ids), label)

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=RATE)

    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(), torch_loader(arrays))


def torch_tensors(arrays: FeatureArrays) -> tuple[Any, Any, Any]:
    """Return the features as tensors."""
    import torch

    parts = (arrays.dense, arrays.ids, arrays.label)
    dense, ids, label = (torch.from_numpy(part.copy()) for part in parts)
    return dense, ids, label


def torch_loader(arrays: FeatureArrays) -> Any:
    """Return PyTorch's own way to batches."""
    from torch.utils.data import DataLoader, TensorDataset

    return DataLoader(TensorDataset(*torch_tensors(arrays)), batch_size=BATCH, shuffle=True)


def torch_loss(output: Any, label: Any) -> Any:
    """Return the binary loss."""
    from torch.nn.functional import binary_cross_entropy_with_logits

    return binary_cross_entropy_with_logits(output.squeeze(1), label)


def keras_plain(spec: FeatureSpec, arrays: FeatureArrays, epochs: int) -> None:
    """Train in TensorFlow's custom loop over tf.data, with Keras's optimiser."""
    import keras
    import tensorflow as tf

    model, optimiser = keras_model(spec), keras.optimizers.Adam(RATE)
    losses = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function(reduce_retracing=True)
    def step(features: Any, label: Any) -> None:
        with tf.GradientTape() as tape:
            loss = losses(label[:, None], model(features, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimiser.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    data = keras_data(arrays)
    for _ in range(epochs):
        for features, label in data:
            step(features, label)


def keras_fit(spec: FeatureSpec, arrays: FeatureArrays, epochs: int) -> None:
    """Train by Keras's fit on tf.data."""
    import keras

    model = keras_model(spec)
    model.compile(
        optimizer=keras.optimizers.Adam(RATE),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    model.fit(keras_data(arrays), epochs=epochs, verbose=0)


def keras_data(arrays: FeatureArrays) -> Any:
    """Return TensorFlow's own way to batches; the shuffle holds all rows, as the others do."""
    import tensorflow as tf

    features = {"dense": arrays.dense, "ids": arrays.ids}
    data = tf.data.Dataset.from_tensor_slices((features, np.array(arrays.label)))
    return data.shuffle(arrays.rows).batch(BATCH).prefetch(1)


WAYS: dict[str, Way] = {
    "pytorch.Tandem": torch_tandem,
    "pytorch.a loop over slices of tensors": torch_plain,
    "pytorch.a loop over a DataLoader": torch_data_loader,
    "pytorch.Lightning on a DataLoader": torch_lightning,
    "tensorflow.Tandem": keras_tandem,
    "tensorflow.a custom loop over tf.data": keras_plain,
    "tensorflow.Keras's fit on tf.data": keras_fit,
}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
