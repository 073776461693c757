"""The device that PyTorch trains on; components.training.devices says what the names mean."""

from __future__ import annotations

import os

import torch

from components.core.kubernetes_names import GPU
from components.training.devices import absent, require_given


def processes_here() -> tuple[int, int]:
    """Return how many of a training's processes are on this machine, and which one this is.

    By torchrun's own variables; without them it is the only one.
    """
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))


def find_device(asked: str, processes: int = 1, rank: int = 0) -> torch.device:
    """Return the device that the settings ask for; raise SettingsError where it is absent.

    Each of several processes on this machine has a GPU of its own, or all are on the CPU; `rank` is
    this one's number among them.
    """
    if asked == "tpu":
        return _xla_device()
    gpus = torch.cuda.device_count() if asked != "cpu" and torch.cuda.is_available() else 0
    require_given(asked, "PyTorch", GPU if gpus >= processes else None)
    if gpus >= processes:
        return torch.device("cuda", rank)
    if asked == "cuda" and gpus:
        raise absent(asked, "PyTorch", f"{processes} processes need a GPU each, of {gpus}")
    if asked == "cuda":
        built = torch.version.cuda
        raise absent(
            asked,
            "PyTorch",
            f"built for CUDA {built}, it finds no GPU" if built else "it is built for CPUs only",
        )
    return torch.device("cpu")


def _xla_device() -> torch.device:
    """Return the device that XLA has; PJRT_DEVICE=CPU, set by hand, makes it the CPU."""
    try:
        import torch_xla
    except ImportError:
        raise absent("tpu", "PyTorch", "torch_xla has an environment of its own") from None
    device: torch.device = torch_xla.device()
    return device


def finish_step(device: torch.device) -> None:
    """Have XLA compute what a step has only described so far; other devices have done it."""
    if device.type == "xla":
        import torch_xla

        torch_xla.sync()


def device_name(device: torch.device) -> str:
    """Return what a record calls the device."""
    if device.type == "cpu":
        return "cpu"
    if device.type == "xla":
        import torch_xla

        return f"xla: {torch_xla.runtime.device_type()}"
    return f"{device.type}: {torch.cuda.get_device_name(device)}"
