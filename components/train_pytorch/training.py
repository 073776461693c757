"""One training step in PyTorch, and what makes two runs equal.

Rules: threads are fixed; only deterministic algorithms; Adam's constants are those of
`components.training.adam`, so that the TensorFlow trainer takes equal steps; a trained model is
back on the CPU, where it is exported.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from components.core.features import FeatureArrays
from components.core.training_settings import Train
from components.train_pytorch import heads
from components.train_pytorch.devices import (
    device_name,
    find_device,
    finish_step,
    processes_here,
)
from components.train_pytorch.precision import Mixed
from components.train_pytorch.shards import shared_like, whole
from components.training import adam
from components.training.checkpoints import Checkpoints, State
from components.training.compiled import compared_rows, compiled_difference
from components.training.fit import Fit
from components.training.fitting import WEIGHTS, fit
from components.training.group import ALONE, Group
from components.training.heads import BINARY, Head
from components.training.memory import naming_the_batch_size

DETERMINISM = "torch.use_deterministic_algorithms"
STRATEGIES = {"replicated": "DistributedDataParallel", "sharded": "FSDP2"}
_GENERATOR, _GPU_GENERATOR = "random/generator", "random/gpu_generator"
_SCALER = "scaler"


def fix_machine(train: Train) -> torch.device:
    """Fix this process's device, threads, seed and algorithms; return the device.

    Raises SettingsError for a device that is absent.
    """
    # cuBLAS repeats its sums in one order only with a workspace of a fixed size.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    device = find_device(train.device)
    torch.set_num_threads(train.threads)
    torch.manual_seed(train.seed)
    torch.use_deterministic_algorithms(True)
    # Filling fresh memory finds reads of it; this model has none, and filling costs time.
    torch.utils.deterministic.fill_uninitialized_memory = False
    return device


def fit_model(
    model: nn.Module,
    arrays: FeatureArrays,
    train: Train,
    checkpoints: Checkpoints | None = None,
    group: Group = ALONE,
    head: Head = BINARY,
) -> Fit:
    """Train the model in place; in a group of several, the processes of torch.distributed."""
    model.train()
    with naming_the_batch_size(train, (RuntimeError,), _is_lack_of_memory):
        trainer = TorchTrainer(model, train, group, head)
        difference = trainer.compile(arrays) if train.compile else None
        done = fit(trainer, arrays, train, checkpoints, group, head)
    model.to("cpu").eval()
    strategy = None if group.count == 1 else STRATEGIES[train.parallel]
    return replace(done, device=trainer.device, compiled_difference=difference, strategy=strategy)


class TorchTrainer:
    """PyTorch's half of the loop."""

    def __init__(
        self, model: nn.Module, train: Train, group: Group = ALONE, head: Head = BINARY
    ) -> None:
        self._head = head
        self._device = find_device(train.device, *processes_here())
        self._model, self._train = model.to(self._device), train
        self._processes = group.count
        self._forward: nn.Module = model
        if group.count > 1:
            from components.train_pytorch.parallel import in_parallel

            self._forward = in_parallel(model, train, self._device)
        self._mixed = Mixed(train.precision, self._device.type)
        self._parameters = dict(model.named_parameters())
        self._optimiser = torch.optim.AdamW(
            self._parameters.values(),
            lr=train.learning_rate,
            betas=(adam.BETA_1, adam.BETA_2),
            eps=adam.EPSILON,
            weight_decay=train.weight_decay,
            fused=self._device.type != "xla",
            # Else the count of steps would be a constant, and each step a new program to compile.
            capturable=self._device.type == "xla",
        )

    @property
    def device(self) -> str:
        """What a record calls the device."""
        return device_name(self._device)

    def compile(self, arrays: FeatureArrays) -> float:
        """Compile the model; return how far it is from the one that is not compiled.

        Raises SettingsError where that is too far.
        """
        rows = compared_rows(arrays, self._head)
        eager = self._computed(rows)
        torch.compiler.reset()  # or a search's later models would be left uncompiled, silently
        compiled: nn.Module = torch.compile(self._model, dynamic=True)
        self._forward = compiled
        return compiled_difference(eager, self._computed(rows), self._train.precision)

    def _computed(self, batch: FeatureArrays) -> State:
        """Return the outputs and the gradients of a batch, without dropout."""
        self._model.eval()
        output, loss = self._output_and_loss(batch)
        gradients = torch.autograd.grad(loss, [*self._parameters.values()], allow_unused=True)
        self._model.train()
        gradient = torch.cat([part.flatten() for part in gradients if part is not None])
        both = {"output": output, "gradient": gradient}
        return {name: part.detach().cpu().numpy() for name, part in both.items()}

    def step(self, batch: FeatureArrays, rate: float, share: float) -> float:
        """Take one step."""
        self._optimiser.param_groups[0]["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        loss = self._loss_of(batch)
        self._mixed.backward(loss * (share * self._processes), self._optimiser)
        if self._train.clip_norm is not None:
            gradients = [p.grad for p in self._parameters.values() if p.grad is not None]
            _clip(gradients, self._train.clip_norm)
        self._mixed.step(self._optimiser)
        finish_step(self._device)
        return float(loss.item())

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def validate(self, batch: FeatureArrays) -> tuple[float, float]:
        """Return the mean loss of rows and the measure of them, without dropout."""
        self._model.eval()
        output, loss = self._output_and_loss(batch)
        self._model.train()
        label = torch.from_numpy(batch.label).to(output.device)
        return float(loss.item()), float(heads.measure(self._head.task, output, label).item())

    def _loss_of(self, batch: FeatureArrays) -> torch.Tensor:
        return self._output_and_loss(batch)[1]

    def _output_and_loss(self, batch: FeatureArrays) -> tuple[torch.Tensor, torch.Tensor]:
        given = {n: torch.from_numpy(part).to(self._device) for n, part in batch.named().items()}
        with self._mixed.arithmetic():
            output = self._forward(given["dense"], given["ids"])
        output = output.float()
        return output, heads.loss(self._head.task, output, given["label"], given.get("weight"))

    def state(self) -> State:
        """Return copies of the weights, of Adam's moments and counts, and of what draws."""
        found = {f"{WEIGHTS}{name}": part for name, part in self._model.state_dict().items()}
        for name, parameter in self._parameters.items():
            for slot, part in self._optimiser.state[parameter].items():
                found[f"{slot}/{name}"] = part
        found[_GENERATOR] = torch.get_rng_state()
        if self._device.type == "cuda":
            found[_GPU_GENERATOR] = torch.cuda.get_rng_state(self._device)
        arrays = {name: _array(part) for name, part in found.items()}
        scaler = self._mixed.state()
        return arrays if scaler is None else arrays | {_SCALER: scaler}

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def restore(self, state: State) -> None:
        """Set the arrays that are named."""
        own = self._model.state_dict()
        for name, array in state.items():
            part = torch.from_numpy(array.copy())
            kind, _, of = name.partition("/")
            if name == _GENERATOR:
                torch.set_rng_state(part)
            elif name == _GPU_GENERATOR:
                torch.cuda.set_rng_state(part, self._device)
            elif name == _SCALER:
                self._mixed.restore(array)
            elif f"{kind}/" == WEIGHTS:
                own[of].copy_(shared_like(part, own[of]))
            else:
                parameter = self._parameters[of]
                moment = kind != "step"  # the count is whole in every process
                value = shared_like(part, parameter) if moment else part.to(parameter.device)
                self._optimiser.state[parameter][kind] = value


def _clip(gradients: list[torch.Tensor], longest: float) -> None:
    """Scale gradients in place as `components.training.adam` says."""
    norm = whole(torch.nn.utils.get_total_norm(gradients))
    torch._foreach_mul_(gradients, longest / torch.clamp(norm, min=longest))


def _array(part: torch.Tensor) -> np.ndarray[Any, Any]:
    """Return a copy of the whole tensor."""
    return np.array(whole(part.detach()).cpu().numpy())


def _is_lack_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def weight_arrays(model: nn.Module) -> dict[str, np.ndarray[Any, Any]]:
    """Return the model's parameters and buffers by name."""
    return {name: whole(part.detach()).numpy() for name, part in model.state_dict().items()}


def parameter_count(model: nn.Module) -> int:
    """Return the number of trained parameters."""
    return sum(parameter.numel() for parameter in model.parameters())
