"""A small model in both frameworks that sends SIGTERM to its own process at one of its steps.

STOP_AT is RANK:STEP, of the process and of the training step, from 1; without it nothing is sent.
STOP_BY names another signal, or says `wait`: then it says so and waits for ever.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import Any

from components.core.model_settings import ModelFamily

FAMILY = "stopping"
BUILT_IN = ModelFamily(family="wide_and_deep", hidden_units=(16, 8))


def rank() -> int:
    """Return the process's number, as its framework was told."""
    workers = json.loads(os.environ.get("TF_CONFIG", "{}"))
    return int(os.environ.get("RANK", workers.get("task", {}).get("index", 0)))


class Clock:
    """Counts training steps, and sends the signal at the one that STOP_AT names."""

    def __init__(self) -> None:
        self.steps = 0

    def tick(self) -> None:
        self.steps += 1
        if os.environ.get("STOP_AT") != f"{rank()}:{self.steps}":
            return
        if (by := os.environ.get("STOP_BY", "SIGTERM")) != "wait":
            os.kill(os.getpid(), signal.Signals[by])
            return
        print("waits", file=sys.stderr, flush=True)  # noqa: T201
        threading.Event().wait()


def pytorch(spec: Any, family: ModelFamily, seed: int) -> Any:
    import torch
    from torch import nn

    from components.train_pytorch.families.wide_and_deep import build_model

    class Stopping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.clock = build_model(spec, BUILT_IN, seed), Clock()

        def forward(self, dense: Any, ids: Any) -> Any:
            if torch.is_grad_enabled():
                self.clock.tick()
            return self.model(dense, ids)

    return Stopping()


def tensorflow(spec: Any, family: ModelFamily, seed: int) -> Any:
    import keras
    import tensorflow as tf

    from components.train_tensorflow.families.wide_and_deep import build_model

    clock = Clock()

    class Ticking(keras.layers.Layer):
        def call(self, dense: Any, training: bool = False) -> Any:
            if training:
                tf.numpy_function(clock.tick, [], [])
            return dense

    dense = keras.Input((len(spec.dense),), name="dense")
    ids = keras.Input((len(spec.ids),), dtype="int32", name="ids")
    logit = build_model(spec, BUILT_IN, seed)({"dense": Ticking()(dense), "ids": ids})
    return keras.Model({"dense": dense, "ids": ids}, logit)
