"""One training step in PyTorch, and what makes two runs equal.

Rules: threads are fixed; only deterministic algorithms; Adam's constants are those of
`components.training.adam`, so that the TensorFlow trainer takes equal steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from components.core.features import FeatureArrays
from components.core.settings import Train
from components.train_pytorch import heads
from components.training import adam
from components.training.checkpoints import Checkpoints, State
from components.training.fitting import WEIGHTS, Fit, fit
from components.training.memory import naming_the_batch_size

DETERMINISM = "torch.use_deterministic_algorithms"
_GENERATOR = "random/generator"


def fix_machine(train: Train) -> None:
    """Fix this process's threads, seed and algorithms."""
    torch.set_num_threads(train.threads)
    torch.manual_seed(train.seed)
    torch.use_deterministic_algorithms(True)
    # Filling fresh memory finds reads of it; this model has none, and filling costs time.
    torch.utils.deterministic.fill_uninitialized_memory = False


def fit_model(
    model: nn.Module, arrays: FeatureArrays, train: Train, checkpoints: Checkpoints | None = None
) -> Fit:
    """Train the model in place."""
    model.train()
    with naming_the_batch_size(train, (RuntimeError,), _is_lack_of_memory):
        done = fit(TorchTrainer(model, train), arrays, train, checkpoints)
    model.eval()
    return done


class TorchTrainer:
    """PyTorch's half of the loop."""

    def __init__(self, model: nn.Module, train: Train) -> None:
        self._model, self._clip_norm = model, train.clip_norm
        self._parameters = dict(model.named_parameters())
        self._optimiser = torch.optim.AdamW(
            self._parameters.values(),
            lr=train.learning_rate,
            betas=(adam.BETA_1, adam.BETA_2),
            eps=adam.EPSILON,
            weight_decay=train.weight_decay,
            fused=True,
        )

    def step(self, batch: FeatureArrays, rate: float) -> float:
        """Take one step."""
        self._optimiser.param_groups[0]["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        loss = self._loss_of(batch)
        loss.backward()
        if self._clip_norm is not None:
            _clip(
                [p.grad for p in self._parameters.values() if p.grad is not None], self._clip_norm
            )
        self._optimiser.step()
        return float(loss.item())

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def loss(self, batch: FeatureArrays) -> float:
        """Return the mean loss of rows, without dropout."""
        self._model.eval()
        loss = float(self._loss_of(batch).item())
        self._model.train()
        return loss

    def _loss_of(self, batch: FeatureArrays) -> torch.Tensor:
        given = {name: torch.from_numpy(array) for name, array in batch.named().items()}
        logit = self._model(given["dense"], given["ids"])
        return heads.loss("binary", logit, given["label"], given.get("weight"))

    def state(self) -> State:
        """Return copies of the weights, Adam's moments and counts, and the generator's state."""
        found = {f"{WEIGHTS}{name}": part for name, part in self._model.state_dict().items()}
        for name, parameter in self._parameters.items():
            for slot, part in self._optimiser.state[parameter].items():
                found[f"{slot}/{name}"] = part
        found[_GENERATOR] = torch.get_rng_state()
        return {name: part.detach().numpy().copy() for name, part in found.items()}

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def restore(self, state: State) -> None:
        """Set the arrays that are named."""
        own = self._model.state_dict()
        for name, array in state.items():
            part = torch.from_numpy(array.copy())
            kind, _, of = name.partition("/")
            if name == _GENERATOR:
                torch.set_rng_state(part)
            elif f"{kind}/" == WEIGHTS:
                own[of].copy_(part)
            else:
                self._optimiser.state[self._parameters[of]][kind] = part


def _clip(gradients: list[torch.Tensor], longest: float) -> None:
    """Scale gradients in place as `components.training.adam` says."""
    norm = torch.nn.utils.get_total_norm(gradients)
    torch._foreach_mul_(gradients, longest / torch.clamp(norm, min=longest))


def _is_lack_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def weight_arrays(model: nn.Module) -> dict[str, np.ndarray[Any, Any]]:
    """Return the model's parameters and buffers by name."""
    return {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}


def parameter_count(model: nn.Module) -> int:
    """Return the number of trained parameters."""
    return sum(parameter.numel() for parameter in model.parameters())
