"""A TensorFlow training over several devices or processes: tf.distribute with a loop of our own.

Rules: GPUs of one machine are the replicas of a MirroredStrategy in one process; where there are
fewer GPUs than processes are asked for, each process is a worker of a MultiWorkerMirroredStrategy
on the CPU. A replica derives its mean loss times its share of the whole batch, and the sum over all
replicas is the gradient of the whole. Every replica then takes the same step on its own copy of the
variables, by operations on the copy: an assignment through the strategy would want to know how to
put several values together.

Keras's fit does not work under MultiWorkerMirroredStrategy (keras issue 20585). TensorFlow's
workers listen on all interfaces, without authentication, while they train.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from components.core.errors import SettingsError
from components.core.features import FeatureArrays
from components.core.training_nodes import processes_per_node
from components.core.training_settings import Device, Train
from components.training.devices import absent
from components.training.group import part_of
from components.training.nodes.manifests import Manifest, Place, plain_workers
from components.training.ports import held_ports, number_of
from components.training.processes import Command

Array = np.ndarray[Any, Any]
WORKER = "components.train_tensorflow.worker"
Kind = Literal["none", "mirrored", "multi_worker", "tpu"]


def kind_of(device: Device, processes: int, gpus: int, tpus: int) -> Kind:
    """Return the strategy that the settings ask for on a machine with so many accelerators.

    Raises SettingsError where what is asked for by name is absent.
    """
    if device == "tpu" or (device == "auto" and tpus):
        if not tpus:
            raise absent(
                device,
                "TensorFlow",
                "tensorflow-tpu has an image of its own, infra/images/tensorflow",
            )
        return "tpu"
    if processes == 1:
        return "none"
    if device != "cpu" and gpus >= processes:
        return "mirrored"
    if device == "cuda":
        raise absent(device, "TensorFlow", f"{processes} processes need a GPU each, of {gpus}")
    return "multi_worker"


def kind_here(train: Train) -> Kind:
    """Return the strategy that the settings ask for on this machine; see `kind_of`."""
    gpus, tpus = (len(tf.config.list_physical_devices(kind)) for kind in ("GPU", "TPU"))
    return kind_of(train.device, train.processes, gpus, tpus)


def strategy(kind: Kind, processes: int) -> tf.distribute.Strategy:
    """Return the strategy of a process that trains by itself. TPUs: never run on one so far."""
    if kind == "tpu":
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(tpu="local")
        return tf.distribute.TPUStrategy(resolver)
    return tf.distribute.MirroredStrategy([f"GPU:{number}" for number in range(processes)])


def strategy_name() -> str | None:
    """Return what a record calls the strategy in whose scope this is; None outside of any."""
    if not tf.distribute.has_strategy():
        return None
    name = type(tf.distribute.get_strategy()).__name__
    # What TensorFlow calls it inside.
    return "MultiWorkerMirroredStrategy" if name == "CollectiveAllReduceStrategy" else name


def workers(folder: Path, processes: int) -> list[Command]:
    """Return what starts the workers, which find each other on free ports of this machine."""
    held = held_ports(processes)
    hosts = [f"127.0.0.1:{number_of(port)}" for port in held]
    configs = [
        {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": number}}
        for number in range(processes)
    ]
    arguments = ["-m", WORKER, str(folder)]
    return [
        Command(arguments, {"TF_CONFIG": json.dumps(config)}, [port])
        for config, port in zip(configs, held, strict=True)
    ]


def on_nodes(place: Place, train: Train) -> list[Manifest]:
    """Return what runs a worker on each of several nodes; SettingsError if it cannot be."""
    processes_per_node("tensorflow", train.processes, place.nodes.count)
    if train.device in ("cuda", "tpu"):
        raise SettingsError(
            "TensorFlow's workers on several nodes train on CPUs",
            remedy="set train.device to auto or cpu, or give the trainer no nodes",
        )
    return plain_workers(place, ["-m", WORKER, str(place.folder)])


def assign(variable: Any, value: Any) -> None:
    """Set this replica's copy of a variable; to be traced, in a step."""
    tf.raw_ops.AssignVariableOp(resource=variable.handle, value=value)


class Workers:
    """The processes of a MultiWorkerMirroredStrategy; see components.training.group.

    To be made before the process's first tensor, with TF_CONFIG in the environment.
    """

    def __init__(self) -> None:
        config = json.loads(os.environ["TF_CONFIG"])
        self.rank = int(config["task"]["index"])
        self.count = len(config["cluster"]["worker"])
        self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
        signature = [tf.TensorSpec([None], tf.float64)]
        self._sum = tf.function(self._sum_of, input_signature=signature)

    def total(self, values: Sequence[float]) -> list[float]:
        """Return the sums over all processes."""
        return [float(value) for value in self._sum(np.array(values, np.float64))]

    def _sum_of(self, values: Any) -> Any:
        own = self.strategy.run(lambda: tf.identity(values))  # of the one replica that it has
        return self.strategy.reduce("SUM", own, axis=None)


class Replicas:
    """The replicas of this process under a strategy."""

    def __init__(self, strategy: tf.distribute.Strategy, rank: int, processes: int) -> None:
        self._strategy = strategy
        self._local = strategy.num_replicas_in_sync // processes
        self._first = rank * self._local

    def run(
        self, function: Any, batch: FeatureArrays, rate: float, share: float
    ) -> tuple[Any, Sequence[float]]:
        """Call a traced function of (batches, rate, shares); return the local losses and weights.

        The weights say how much each replica's loss counts in this process's.
        """
        parts = [self._part(batch, replica) for replica in range(self._local)]
        batches = self._values([named for named, _ in parts])
        shares = self._values([np.float32(share * own) for _, own in parts])
        losses = function(batches, np.float32(rate), shares)
        return self._strategy.experimental_local_results(losses), [own for _, own in parts]

    def _part(self, batch: FeatureArrays, replica: int) -> tuple[Mapping[str, Array], float]:
        rows, share = part_of(np.arange(batch.rows), batch.weight, replica, self._local)
        return {name: array[rows] for name, array in batch.named().items()}, share

    def _values(self, values: Sequence[Any]) -> Any:
        def value(context: Any) -> Any:
            own = values[context.replica_id_in_sync_group - self._first]
            return tf.nest.map_structure(tf.convert_to_tensor, own)

        return self._strategy.experimental_distribute_values_from_function(value)
