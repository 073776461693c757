"""The device that PyTorch trains on; components.training.devices says what the names mean."""

from __future__ import annotations

import torch

from components.training.devices import absent


def find_device(asked: str) -> torch.device:
    """Return the device that the settings ask for; raise SettingsError where it is absent."""
    if asked == "tpu":
        raise absent(asked, "PyTorch", "TPUs need torch_xla, which has an environment of its own")
    if asked != "cpu" and torch.cuda.is_available():
        return torch.device("cuda")
    if asked == "cuda":
        built = torch.version.cuda
        raise absent(
            asked,
            "PyTorch",
            f"built for CUDA {built}, it finds no GPU" if built else "it is built for CPUs only",
        )
    return torch.device("cpu")


def device_name(device: torch.device) -> str:
    """Return what a record calls the device."""
    if device.type == "cpu":
        return "cpu"
    return f"{device.type}: {torch.cuda.get_device_name(device)}"
