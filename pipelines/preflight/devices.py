"""Whether this machine has the device that the settings name, without loading a framework.

Rules: what is refused here could only fail in a trainer; what passes may still be refused there,
because only a framework knows which GPUs it can use. `auto` and `cpu` are never refused.
"""

from __future__ import annotations

import ctypes
from importlib.metadata import version
from importlib.util import find_spec

from components.core.training_settings import Device
from components.training.devices import absent

DRIVER = "libcuda.so.1"


def check_device(device: Device) -> None:
    """Raise SettingsError where neither trainer could find the device."""
    if device == "tpu" and find_spec("torch_xla") is None:
        raise absent(device, "this environment", "TPUs need one of their own")
    if device == "cuda":
        if version("torch").endswith("+cpu"):
            raise absent(device, "PyTorch", "it was installed for CPUs only")
        if not _loads(DRIVER):
            raise absent(device, "this machine", f"there is no NVIDIA driver ({DRIVER})")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
