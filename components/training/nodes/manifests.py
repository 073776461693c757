"""The objects by which a cluster runs a training's nodes, as Kubernetes reads them.

PyTorch: a TrainJob of Kubeflow Trainer 2.2 or later, whose runtime gives torchrun its PET_*
variables (https://www.kubeflow.org/docs/components/trainer/operator-guides/runtime-patches/).
TensorFlow, for which Trainer has no runtime: an Indexed Job behind a headless Service, with
TF_CONFIG (https://www.tensorflow.org/guide/distributed_training#setting_up_the_tf_config).

Rules: each object belongs to the task's pod and goes with it; a node runs as the same user from the
same image, has the target's variables, the shared volume and no secret. A container's own /dev/shm
is 64 MiB, too small for what NCCL and a DataLoader's workers put there: a node's is bounded by its
memory, of which it takes what is written. Its account says whether it has a token of the cluster:
Trainer lets no job leave that out, nor say when images are pulled, which its runtime does.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core.quiet import QUIET
from components.core.training_nodes import TrainingNodes

Manifest = dict[str, Any]
OF_TRAINING = "tandem.invalid/training"
"""The label of every object and pod of one training, whose attempts have the same name."""
OF_ATTEMPT = "tandem.invalid/attempt"
"""That of one attempt, by its task's pod."""
OF_POLICY = {"app.kubernetes.io/component": "training-node"}
"""By which the NetworkPolicy of nodes knows them."""
TRAIN_JOB_API = "trainer.kubeflow.org/v1alpha1"
CONTAINER = "node"
"""As Trainer's own runtimes call it."""
PORT = 2222
_INDEX, _VOLUME, _SHARED_MEMORY = "TANDEM_NODE_INDEX", "workspace", "shared-memory"
_INDEX_LABEL = "metadata.labels['batch.kubernetes.io/job-completion-index']"
_MANAGER = "tandem.invalid/trainer"


@dataclass(frozen=True)
class Place:
    """A training's nodes: `name` is that of their objects, `folder` the one that they share."""

    nodes: TrainingNodes
    name: str
    folder: Path
    pod: str
    pod_uid: str
    threads: int

    @property
    def own(self) -> dict[str, str]:
        """What the pods of this attempt are found by."""
        return {OF_TRAINING: self.name, OF_ATTEMPT: self.pod_uid}

    @property
    def labels(self) -> dict[str, str]:
        """What the objects and pods are found by, and policies go by."""
        return {
            **self.nodes.labels,
            **self.own,
            "app.kubernetes.io/part-of": "tandem",
            **OF_POLICY,
            "sidecar.istio.io/inject": "false",  # it would neither end nor let gloo through
        }


def train_job(place: Place, arguments: Sequence[str], processes: int) -> Manifest:
    """Return the TrainJob that runs this Python with these arguments, `processes` on each node."""
    nodes = place.nodes
    container = {
        "name": CONTAINER,
        "securityContext": _container_security(nodes),
        "volumeMounts": _mounts(nodes),
    }
    template = {
        "metadata": {"labels": place.labels},
        "spec": {**_pod(nodes), "containers": [container]},
    }
    job = {"name": CONTAINER, "template": {"spec": {"template": template}}}
    return {
        **_object(TRAIN_JOB_API, "TrainJob", place, nodes.queue),
        "spec": {
            "runtimeRef": {"name": nodes.runtime},
            **_deadline(nodes),
            "trainer": {
                "image": nodes.image,
                "command": [sys.executable, "-P", *arguments],
                "env": _variables(place),
                "numNodes": nodes.count,
                "numProcPerNode": processes,
                "resourcesPerNode": _resources(nodes),
            },
            "runtimePatches": [
                {
                    "manager": _MANAGER,
                    "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [job]}}},
                }
            ],
        },
    }


def plain_workers(place: Place, arguments: Sequence[str]) -> list[Manifest]:
    """Return the Service and the Job of workers that run this Python, one process on each node."""
    return [_service(place), _indexed_job(place, arguments)]


def _service(place: Place) -> Manifest:
    return {
        **_object("v1", "Service", place, {}),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,  # workers look for each other while they start
            "selector": place.own,
            "ports": [{"name": "grpc", "port": PORT}],
        },
    }


def _indexed_job(place: Place, arguments: Sequence[str]) -> Manifest:
    nodes = place.nodes
    pod = {
        **_pod(nodes),
        "subdomain": place.name,
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [_worker(place, arguments)],
    }
    return {
        **_object("batch/v1", "Job", place, nodes.queue),
        "spec": {
            "completions": nodes.count,
            "parallelism": nodes.count,
            "completionMode": "Indexed",
            "backoffLimit": 0,  # the task itself is what is tried again
            **_deadline(nodes),
            "template": {"metadata": {"labels": place.labels}, "spec": pod},
        },
    }


def _worker(place: Place, arguments: Sequence[str]) -> Manifest:
    nodes = place.nodes
    return {
        "name": CONTAINER,
        "image": nodes.image,
        "imagePullPolicy": nodes.pull_policy,
        "command": [sys.executable, "-P", *arguments],
        "env": [*_variables(place), *_place_of_worker(place)],
        "ports": [{"containerPort": PORT}],
        "resources": _resources(nodes),
        "securityContext": _container_security(nodes),
        "volumeMounts": _mounts(nodes),
    }


def _place_of_worker(place: Place) -> list[Manifest]:
    """Return TF_CONFIG, into which Kubernetes fills the pod's index."""
    hosts = [f"{place.name}-{number}.{place.name}:{PORT}" for number in range(place.nodes.count)]
    index = {"name": _INDEX, "valueFrom": {"fieldRef": {"fieldPath": _INDEX_LABEL}}}
    task = f'{{"type": "worker", "index": $({_INDEX})}}'
    config = f'{{"cluster": {{"worker": {json.dumps(hosts)}}}, "task": {task}}}'
    return [index, {"name": "TF_CONFIG", "value": config}]


def _object(version: str, kind: str, place: Place, queue: Mapping[str, str]) -> Manifest:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": place.pod, "uid": place.pod_uid}
    metadata = {"name": place.name, "labels": {**place.labels, **queue}, "ownerReferences": [owner]}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _deadline(nodes: TrainingNodes) -> Manifest:
    return {"activeDeadlineSeconds": nodes.deadline_seconds} if nodes.deadline_seconds else {}


def _resources(nodes: TrainingNodes) -> Manifest:
    return {"requests": nodes.requests, "limits": nodes.limits}


def _variables(place: Place) -> list[dict[str, str]]:
    own = {**QUIET, **place.nodes.environment}
    own |= {"OMP_NUM_THREADS": str(place.threads), "PYTHONSAFEPATH": "1"}
    if (sources := os.environ.get("TANDEM_SOURCES")) is not None:
        own["TANDEM_SOURCES"] = sources
    return [{"name": name, "value": value} for name, value in sorted(own.items())]


def _pod(nodes: TrainingNodes) -> Manifest:
    memory = {"medium": "Memory", "sizeLimit": nodes.limits["memory"]}
    account = {} if nodes.service_account is None else {"serviceAccountName": nodes.service_account}
    return {
        **account,
        "nodeSelector": nodes.node_selector,
        "tolerations": list(nodes.tolerations),
        "securityContext": {
            "runAsUser": nodes.user,
            "runAsGroup": nodes.group,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [
            {"name": _VOLUME, "persistentVolumeClaim": {"claimName": nodes.claim}},
            {"name": _SHARED_MEMORY, "emptyDir": memory},
        ],
    }


def _container_security(nodes: TrainingNodes) -> Manifest:
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsUser": nodes.user,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _mounts(nodes: TrainingNodes) -> list[dict[str, str]]:
    places = {_VOLUME: nodes.path, _SHARED_MEMORY: "/dev/shm"}  # noqa: S108 - of the pod
    return [{"name": name, "mountPath": path} for name, path in places.items()]
