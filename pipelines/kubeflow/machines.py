"""Whether the cluster has what a target's trainers need of it, before anything is sent.

Rules: asked of Kubernetes itself, by the kubeconfig of whoever asks or the pod's own account; a
machine, which Kubernetes calls a node, counts if it may be scheduled on, has the labels, has no
taint that is not tolerated, and can give as many at once. Where Kubernetes cannot be asked, or not
by this account, that is said, and refuses nothing. Machines that an autoscaler would make are not
there to be seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from components.core.errors import SettingsError
from components.core.find_cluster import find_cluster
from components.training.nodes.manifests import CONTAINER, TRAIN_JOB_API
from pipelines.devices import Accelerator, Toleration
from pipelines.target import Target

SECONDS = 15
_PAGE = 500
_KEEPS_OFF = ("NoSchedule", "NoExecute")


def check_machines(target: Target) -> str | None:
    """Return why the cluster could not be looked at, None where it was, or need not be.

    Raises SettingsError for an accelerator that no machine gives, and for a runtime of a training's
    nodes that Kubeflow Trainer does not have, or that pulls images otherwise than the target says.
    """
    from kubernetes.client import ApiException
    from kubernetes.config import ConfigException
    from urllib3.exceptions import HTTPError

    asked = "a list of machines"
    try:
        for framework, accelerator in sorted(target.accelerators.items()):
            _require_machine(framework, accelerator)
        asked = "a question for Trainer's runtimes"
        if "pytorch" in target.nodes:
            _require_runtime(target.nodes["pytorch"].runtime, target.pull_policy)
    except ConfigException:
        return "no kubeconfig names a cluster"
    except ApiException as error:
        return f"Kubernetes answers {error.status} to {asked}"
    except HTTPError as error:
        return f"Kubernetes cannot be reached ({type(error).__name__})"
    return None


def _require_machine(framework: str, accelerator: Accelerator) -> None:
    if not any(_gives(machine, accelerator) for machine in _machines(accelerator)):
        raise SettingsError(
            f"no machine of the cluster gives {accelerator.count} {accelerator.resource} to the "
            f"{framework} trainer: {_wanted(accelerator)}",
            remedy="change the target's accelerators; where an autoscaler makes such machines "
            "when they are needed, give --no-machine-check",
        )


def _require_runtime(name: str, pull_policy: str) -> None:
    """Hold a runtime to the target: no TrainJob can say when its image is pulled."""
    found = _pull_policy(_runtime(name))
    if found != pull_policy:
        raise SettingsError(
            f"the target's pull_policy is {pull_policy}, and the ClusterTrainingRuntime {name} "
            f"pulls its nodes' image {found}",
            remedy=f"give the container {CONTAINER} of a runtime of your own imagePullPolicy "
            f"{pull_policy}, and name it in the target's nodes, or change the pull_policy",
        )


def _pull_policy(runtime: Any) -> str:
    """Return that of the container that trains; Kubernetes' own for an image by digest."""
    for job in runtime["spec"]["template"]["spec"]["replicatedJobs"]:
        for container in job["template"]["spec"]["template"]["spec"]["containers"]:
            if container["name"] == job["name"] == CONTAINER:
                return str(container.get("imagePullPolicy") or "IfNotPresent")
    return "IfNotPresent"


def _runtime(name: str) -> Any:
    from kubernetes import client

    find_cluster()
    group, _, version = TRAIN_JOB_API.partition("/")
    try:
        return client.CustomObjectsApi().get_cluster_custom_object(
            group, version, "clustertrainingruntimes", name, _request_timeout=SECONDS
        )
    except client.ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        raise SettingsError(
            f"the cluster has no ClusterTrainingRuntime {name}, which the target's nodes name",
            remedy="install Kubeflow Trainer 2.2 or later with its runtimes, or name another",
        ) from None


def _machines(accelerator: Accelerator) -> Iterator[Any]:
    """Yield the machines with the labels that an accelerator selects by."""
    from kubernetes import client

    find_cluster()
    api, token = client.CoreV1Api(), ""
    selector = ",".join(f"{key}={value}" for key, value in sorted(accelerator.selector.items()))
    while True:
        page = api.list_node(
            label_selector=selector, limit=_PAGE, _continue=token, _request_timeout=SECONDS
        )
        yield from page.items
        token = page.metadata._continue or ""
        if not token:
            return


def _gives(machine: Any, accelerator: Accelerator) -> bool:
    allocatable = int((machine.status.allocatable or {}).get(accelerator.resource, "0"))
    taints = [taint for taint in machine.spec.taints or () if taint.effect in _KEEPS_OFF]
    return (
        not machine.spec.unschedulable
        and allocatable >= accelerator.count
        and all(any(_takes(one, taint) for one in accelerator.tolerated) for taint in taints)
    )


def _takes(toleration: Toleration, taint: Any) -> bool:
    same_value = toleration.operator == "Exists" or toleration.value == (taint.value or "")
    return (toleration.key, toleration.effect) == (taint.key, taint.effect) and same_value


def _wanted(accelerator: Accelerator) -> str:
    labels = ", ".join(f"{key}={value}" for key, value in sorted(accelerator.selector.items()))
    return f"it would have {labels or 'any labels'} and only taints that the target tolerates"
