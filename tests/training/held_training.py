"""A training in a process of its own that a test can interrupt at a known step.

    python held_training.py FRAMEWORK FEATURES CHECKPOINTS...
    python held_training.py FRAMEWORK FEATURES CHECKPOINTS --hold STEP PLACE

It trains once from each folder of checkpoints and prints a line for each: the step that it went on
from, the digest of the weights, the kept epoch. Before the held step it writes to the FIFO
PLACE/held and waits for PLACE/go. Everything that a step depends on is on.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"

from components.core.features import FeatureArrays, load_split
from components.core.training_settings import Train
from components.training.checkpoints import Checkpoints
from components.training.fitting import fit
from components.training.sealing import weights_sha256

TRAIN = Train(
    epochs=4,
    batch_size=100,
    learning_rate=0.01,
    schedule="cosine",
    warmup_steps=3,
    clip_norm=0.1,
    weight_decay=0.01,
    class_weights="balanced",
    validation_share=0.2,
    checkpoint_steps=4,
)  # 512 rows train: 6 steps an epoch, 24 in all


def pytorch(arrays: FeatureArrays) -> tuple[Any, Any]:
    from torch import nn

    from components.train_pytorch import training

    class Dropping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 1)
            )

        def forward(self, dense: Any, ids: Any) -> Any:
            return self.layers(dense)

    training.fix_machine(TRAIN)
    model = Dropping().train()
    return training.TorchTrainer(model, TRAIN), lambda: training.weight_arrays(model)


def tensorflow(arrays: FeatureArrays) -> tuple[Any, Any]:
    import keras
    from keras import layers

    from components.train_tensorflow import training

    training.fix_machine(TRAIN)
    dense = keras.Input((2,), name="dense")
    ids = keras.Input((2,), dtype="int32", name="ids")
    hidden = layers.BatchNormalization()(layers.Dense(16, activation="relu", name="hidden")(dense))
    logit = layers.Dense(1, name="last")(layers.Dropout(0.5, seed=3)(hidden))
    model = keras.Model({"dense": dense, "ids": ids}, logit)
    trainer = training.KerasTrainer(model, arrays, TRAIN)
    return trainer, lambda: training.weight_arrays(model)


class Held:
    """A trainer that waits before one of its steps."""

    def __init__(self, trainer: Any, step: int, place: Path) -> None:
        self.trainer, self.left, self.place = trainer, step, place

    def __getattr__(self, name: str) -> Any:
        return getattr(self.trainer, name)

    def step(self, batch: FeatureArrays, rate: float, share: float) -> float:
        self.left -= 1
        if self.left == 0:
            (self.place / "held").write_text("")
            (self.place / "go").read_text()
        return float(self.trainer.step(batch, rate, share))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("framework", choices=("pytorch", "tensorflow"))
    parser.add_argument("features", type=Path)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--hold", nargs=2)
    asked = parser.parse_args()
    arrays = load_split(asked.features, "train")
    for folder in asked.checkpoints:
        make = pytorch if asked.framework == "pytorch" else tensorflow
        trainer, weights = make(arrays)
        held = Held(trainer, int(asked.hold[0]), Path(asked.hold[1])) if asked.hold else trainer
        done = fit(held, arrays, TRAIN, Checkpoints(folder, TRAIN))
        print(done.resumed_from_step, weights_sha256(weights()), done.kept_epoch)  # noqa: T201


if __name__ == "__main__":
    main()
