"""Whether a target gives the trainers the device that the settings name, before anything is sent.

Rules: `auto` goes with every target; a device by name is there for both trainers, and an
accelerator that is held and paid for is one that the settings let be used. Whether the cluster has
such machines is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from components.core.errors import SettingsError
from components.core.settings import Framework
from components.core.training_nodes import processes_per_node
from components.core.training_settings import Device, Train
from pipelines.target import GPU, TPU, Target

RESOURCE_OF_DEVICE: Mapping[Device, str] = {"cuda": GPU, "tpu": TPU}


def check_on_target(train: Train, target: Target) -> None:
    """Raise SettingsError where the trainers could not, or would not, use what a target gives."""
    if target.images is None:  # this machine's devices: devices.py
        return
    _check_nodes(train, target)
    _check_device(train.device, target)


def _check_nodes(train: Train, target: Target) -> None:
    """Hold the processes to the nodes that they are spread over; one process needs none.

    But it would be in the trainer's task, which leaves the accelerator to the nodes.
    """
    for name, nodes in sorted(target.nodes.items()):
        if train.processes == 1 and name in target.accelerators:
            raise SettingsError(
                f"train.processes is 1, and the target {target.name} gives the {name} trainer's "
                f"{target.accelerators[name].resource} to its {nodes.count} nodes alone",
                remedy=f"set train.processes to {nodes.count} or more, or take a target without "
                "nodes",
            )
        if train.processes > 1:
            processes_per_node(name, train.processes, nodes.count)


def _check_device(device: Device, target: Target) -> None:
    if device == "auto":
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
