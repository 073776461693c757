"""The learning rate of each step: one number for both frameworks.

Rules: a rate depends on the settings, the step and the number of steps of all epochs, never on
what was measured; the constant schedule without a warm-up gives the settings' own number. An early
stop leaves the rates of the steps before it as they were.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from components.core.errors import SettingsError
from components.core.training_settings import Train

_FALLING: Mapping[str, Callable[[float], float]] = {
    "constant": lambda part: 1.0,
    "cosine": lambda part: (1 + math.cos(math.pi * part)) / 2,
    "linear": lambda part: 1 - part,
}


@dataclass(frozen=True)
class Schedule:
    """The rates of a training of that many steps."""

    train: Train
    steps: int

    def __post_init__(self) -> None:
        if self.train.warmup_steps >= self.steps:
            raise SettingsError(
                f"the warm-up takes {self.train.warmup_steps} of the training's {self.steps} steps",
                remedy="lower train.warmup_steps",
                expected=f"less than {self.steps}",
                actual=self.train.warmup_steps,
            )

    def rate(self, step: int) -> float:
        """Return the rate of a step, counted from 0.

        The warm-up rises in equal parts and reaches the full rate with its last step; what follows
        falls by the share of the steps after the warm-up that has been taken.
        """
        full, warmup = self.train.learning_rate, self.train.warmup_steps
        if step < warmup:
            return full * ((step + 1) / warmup)
        part = (step - warmup) / (self.steps - warmup)
        return full * _FALLING[self.train.schedule](part)
