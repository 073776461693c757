"""The precision of PyTorch's arithmetic: autocast, and loss scaling for fp16.

Rules: weights, gradients, Adam's moments and the loss are float32 whatever the precision; in fp32
nothing here changes a bit. A step whose scaled gradients overflow is not taken, and the scale is
halved (Micikevicius et al., Mixed Precision Training, 2018, section 3.2).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch

from components.core.training_settings import Precision
from components.training.precision import GROWTH_STEPS, INITIAL_SCALE

Array = np.ndarray[Any, Any]
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Mixed:
    """What a step does in the precision of the settings."""

    def __init__(self, precision: Precision, device: str) -> None:
        self._type, self._device = _TYPES.get(precision), device
        self._scaler = torch.amp.GradScaler(
            device,
            init_scale=INITIAL_SCALE,
            growth_interval=GROWTH_STEPS,
            enabled=precision == "fp16",
        )

    def arithmetic(self) -> AbstractContextManager[None]:
        """Return the context that the model and its loss are computed in."""
        context: AbstractContextManager[None] = torch.autocast(
            self._device, dtype=self._type, enabled=self._type is not None
        )
        return context

    def backward(self, loss: torch.Tensor, optimiser: torch.optim.Optimizer) -> None:
        """Compute the gradients, which are unscaled afterwards."""
        self._scaler.scale(loss).backward()
        if self._scaler.is_enabled():
            self._scaler.unscale_(optimiser)

    def step(self, optimiser: torch.optim.Optimizer) -> None:
        """Take the step, unless a gradient overflowed."""
        self._scaler.step(optimiser)
        self._scaler.update()

    def state(self) -> Array | None:
        """Return what a step changes here, in fp16: the scale, and the steps since it changed."""
        found = self._scaler.state_dict()
        return np.array([found["scale"], found["_growth_tracker"]]) if found else None

    def restore(self, state: Array) -> None:
        """Go on from such a pair."""
        scale, steps = state.tolist()
        known = self._scaler.state_dict()
        self._scaler.load_state_dict(known | {"scale": scale, "_growth_tracker": int(steps)})
