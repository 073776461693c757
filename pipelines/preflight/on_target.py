"""Whether a target gives what the settings need, before anything is sent.

Rules: a device by name is there for both trainers, and an accelerator that is held and paid for is
one that the settings let be used: `auto` goes with every target but one that gives the PyTorch
trainer a TPU, which it takes by name alone; of GPUs there is one for each process of their trainer,
since fewer would leave all processes of a pod on the CPU, and more idle; an index of subjects gets
a key, and a place that outlasts its pod. Whether the cluster has such machines, and the images the
libraries for them, is not known here: a trainer refuses to begin without what it is given
(components/training/devices.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import get_args

from components.audit.folder import HOME_VARIABLE
from components.audit.subjects import HEX_VARIABLE, KEY_VARIABLE
from components.core.errors import SettingsError
from components.core.kubernetes_names import GPU, TPU
from components.core.settings import Framework
from components.core.training_nodes import processes_per_node
from components.core.training_settings import Device, Train
from pipelines.target import Target

RESOURCE_OF_DEVICE: Mapping[Device, str] = {"cuda": GPU, "tpu": TPU}
_FOR_ONE_TRAINER = (
    "; a device by name is both trainers': for a TPU of the tensorflow trainer alone set auto, and "
    f"let the target's accelerators give it {TPU} and the pytorch trainer {GPU} or nothing"
)


def check_on_target(train: Train, target: Target) -> None:
    """Raise SettingsError where the trainers could not, or would not, use what a target gives."""
    if target.images is None:  # this machine's devices: devices.py
        return
    _check_nodes(train, target)
    _check_device(train.device, target)
    _check_gpus(train, target)


def check_subjects(subject: str | None, target: Target) -> None:
    """Raise SettingsError where a target would lose an index of subjects, or gives no key for it.

    A pod's own disk goes with the pod; nobody could answer for, or erase, a person afterwards.
    """
    if subject is None or target.images is None:
        return
    if target.workspace is None:
        raise SettingsError(
            f"source.subject is {subject}, and the target {target.name} has no workspace: the "
            "index of subjects would go with its pod",
            remedy="give the target a workspace, which the index then lies on",
        )
    folder = target.workspace.path
    home = target.environment.get(HOME_VARIABLE, f"{folder}/home")
    if not PurePosixPath(home).is_relative_to(folder):
        raise SettingsError(
            f"source.subject is {subject}, and {HOME_VARIABLE} of the target {target.name} is "
            f"{home}: the index of subjects would go with its pod",
            remedy=f"name a folder below {folder}, or leave {HOME_VARIABLE} out",
        )
    given = {*target.environment, *target.secrets, *target.config_maps}
    if not given & {KEY_VARIABLE, HEX_VARIABLE}:
        raise SettingsError(
            f"source.subject is {subject}, and the target {target.name} gives no key of subjects",
            remedy=f"name {HEX_VARIABLE} below its secrets: 64 hexadecimal digits in a Secret",
        )


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
    given = {
        name: accelerator.resource for name, accelerator in sorted(target.accelerators.items())
    }
    if device == "auto":
        if given.get("pytorch") == TPU:  # components/train_pytorch/devices.py
            raise SettingsError(
                f"train.device is auto, and the target {target.name} gives the pytorch trainer "
                f"{TPU}, which it takes by name alone: it would be held unused",
                remedy="set train.device=tpu, with an image that has torch_xla (docs/images.md), "
                "or change the target's accelerators",
            )
        return
    if device == "cpu":
        if given:
            raise _unfit(device, target, f"{', '.join(given)} would hold an accelerator unused")
        return
    wanted = RESOURCE_OF_DEVICE[device]
    if without := [name for name in get_args(Framework) if given.get(name) != wanted]:
        why = f"{', '.join(without)} would get no {wanted}"
        raise _unfit(device, target, why, _FOR_ONE_TRAINER if device == "tpu" else "")


def _check_gpus(train: Train, target: Target) -> None:
    for name, accelerator in sorted(target.accelerators.items()):
        nodes = target.nodes[name].count if name in target.nodes else 1
        if accelerator.resource == GPU and accelerator.count * nodes != train.processes:
            raise SettingsError(
                f"train.processes is {train.processes}, and the target {target.name} gives the "
                f"{name} trainer {accelerator.count * nodes} {GPU}: each process takes one",
                remedy=f"set train.processes={accelerator.count * nodes}, or change the count of "
                "the target's accelerators",
            )


def _unfit(device: Device, target: Target, why: str, more: str = "") -> SettingsError:
    return SettingsError(
        f"train.device is {device}, and on the target {target.name} {why}",
        remedy="set train.device=auto to take what is given, or change the target's accelerators"
        f"{more}",
    )
