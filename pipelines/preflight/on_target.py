"""Whether a target gives the trainers the device that the settings name, before anything is sent.

Rules: `auto` goes with every target; a device by name is there for both trainers, and an
accelerator that is held and paid for is one that the settings let be used. Whether the cluster has
such nodes is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from components.core.errors import SettingsError
from components.core.settings import Framework
from components.core.training_settings import Device
from pipelines.target import GPU, TPU, Target

RESOURCE_OF_DEVICE: Mapping[Device, str] = {"cuda": GPU, "tpu": TPU}


def check_on_target(device: Device, target: Target) -> None:
    """Raise SettingsError where the trainers could not, or would not, use what a target gives."""
    if target.images is None or device == "auto":  # this machine's devices: devices.py
        return
    given = {
        name: accelerator.resource for name, accelerator in sorted(target.accelerators.items())
    }
    if device == "cpu":
        if given:
            raise _unfit(device, target, f"{', '.join(given)} would hold an accelerator unused")
        return
    wanted = RESOURCE_OF_DEVICE[device]
    if without := [name for name in get_args(Framework) if given.get(name) != wanted]:
        raise _unfit(device, target, f"{', '.join(without)} would get no {wanted}")


def _unfit(device: Device, target: Target, why: str) -> SettingsError:
    return SettingsError(
        f"train.device is {device}, and on the target {target.name} {why}",
        remedy="set train.device=auto to take what is given, or change the target's accelerators",
    )
