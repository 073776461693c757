"""A PyTorch training in several processes: DistributedDataParallel, or FSDP2 where it is sharded.

Rules: both average gradients over the processes, so a process derives its mean loss times its share
times their number, and the sum is the gradient of the whole batch. What is sharded (fully_shard of
the whole model: parameters, gradients and Adam's moments) is put together before it leaves this
package. CPUs talk through gloo, GPUs through NCCL; the processes meet by a file, so nothing but
gloo's and NCCL's own connections is opened.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from components.core.training_nodes import processes_per_node
from components.core.training_settings import Train
from components.training.nodes.manifests import Manifest, Place, train_job
from components.training.processes import Command

STORE, RENDEZVOUS = "store", "rendezvous"  # files by which processes meet
LOOPBACK = "lo"
MEETING_SECONDS = 3600
"""How long a node waits for the others, whose machines and images may have to come first."""
LAUNCHER, WORKER = (f"components.train_pytorch.{name}" for name in ("launcher", "worker"))


class TorchGroup:
    """The processes that torchrun started; components.training.group says what is asked of it."""

    def __init__(self) -> None:
        self.rank, self.count = dist.get_rank(), dist.get_world_size()

    def total(self, values: Sequence[float]) -> list[float]:
        """Return the sums over all processes."""
        sums = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(sums)
        return [float(value) for value in sums]


def torchrun(folder: Path, processes: int) -> Command:
    """Return the command that starts the processes, which meet in that folder."""
    rendezvous = ["--rdzv-backend=c10d", f"--rdzv-endpoint={folder / RENDEZVOUS}"]
    return Command(
        [
            *("-m", LAUNCHER, "--nnodes=1", f"--nproc-per-node={processes}"),
            *(*rendezvous, "--rdzv-conf=store_type=file", "--rdzv-id=tandem"),
            *("--max-restarts=0", "-m", WORKER, str(folder)),
        ],
        {"GLOO_SOCKET_IFNAME": LOOPBACK, "NCCL_SOCKET_IFNAME": LOOPBACK},
    )


def on_nodes(place: Place, processes: int) -> Manifest:
    """Return the TrainJob of several nodes, whose torchruns meet at its first.

    Raises SettingsError for processes that nodes cannot share alike.
    """
    each = processes_per_node("pytorch", processes, place.nodes.count)
    patience = f"--rdzv-conf=timeout={MEETING_SECONDS}"
    arguments = ["-m", LAUNCHER, patience, "--max-restarts=0", "-m", WORKER, str(place.folder)]
    return train_job(place, arguments, each)


def join(folder: Path, device: torch.device, nodes: int = 1) -> TorchGroup:
    """Meet the other processes; return when all are there.

    On one machine they meet in the folder, on several where torchrun says (MASTER_ADDR).
    """
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
        init_method=(folder / STORE).resolve().as_uri() if nodes == 1 else "env://",
        rank=int(os.environ["RANK"]),
        world_size=int(os.environ["WORLD_SIZE"]),
    )
    return TorchGroup()


def in_parallel(model: nn.Module, train: Train, device: torch.device) -> nn.Module:
    """Return what computes the model's steps; a sharded model is changed in place."""
    if train.parallel == "sharded":
        mesh = init_device_mesh(device.type, (dist.get_world_size(),))
        sharded: nn.Module = fully_shard(model, mesh=mesh)
        return sharded
    # A graph that stays the same may have parameters that the loss does not depend on.
    return DistributedDataParallel(model, static_graph=True)
