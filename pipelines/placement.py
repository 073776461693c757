"""Tasks placed on a target, while a DAG is built, by kfp's and kfp-kubernetes' own calls.

Rules: without a target a task gets nothing but its retries, which is the plain form that this
machine runs; on a target every task gets all of it, the exit task too, but for retries, which KFP
does not give to one. Nothing here changes what a task does or what it waits for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from components.core.canonical import canonical_json
from components.core.image import IMAGE_OF_STAGE
from components.core.kubernetes_names import TPU, amount_of
from components.core.machine import IMAGE_VARIABLE
from components.core.prices import CHIPS_VARIABLE
from components.core.stage_identity import PLATFORM_RUN_VARIABLE
from components.core.threads import as_variables
from components.core.training_nodes import NODES_VARIABLE, POD_VARIABLES, TrainingNodes
from components.training.devices import GIVEN_VARIABLE
from pipelines.devices import Accelerator, Nodes
from pipelines.stage_resources import Resources, layered
from pipelines.target import Target

if TYPE_CHECKING:
    from kfp.dsl import PipelineTask

_TARGET: ContextVar[Target | None] = ContextVar("target", default=None)
PLAIN_RETRIES, PLAIN_BACKOFF = 2, "5s"
GIVE_UP_SECONDS = 3600
"""How long a schedule's task has to say that its run has grown too old, before its pod is ended."""
RUN_LABEL = "metadata.labels['pipeline/runid']"
"""Where KFP writes a run's id on each of its pods."""


@contextmanager
def placed_on(target: Target) -> Iterator[None]:
    """Have the DAGs that are built meanwhile placed on a target that has images."""
    token = _TARGET.set(target)
    try:
        yield
    finally:
        _TARGET.reset(token)


def place(*stages: PipelineTask) -> None:
    """Place tasks that may be tried again, over what the platform got wrong."""
    target = _TARGET.get()
    for stage in stages:
        if target is None:
            stage.set_retry(
                num_retries=PLAIN_RETRIES, backoff_duration=PLAIN_BACKOFF, backoff_factor=2
            )
            continue
        _retried(stage, target)
        _on_cluster(stage, target)


def place_closing(stage: PipelineTask) -> None:
    """Place the exit task."""
    target = _TARGET.get()
    if target is not None:
        _on_cluster(stage, target)


def _retried(task: PipelineTask, target: Target) -> None:
    retry = target.retry
    task.set_retry(
        num_retries=retry.number,
        backoff_duration=retry.backoff,
        backoff_factor=retry.factor,
        backoff_max_duration=retry.longest,
    )


def place_launcher(task: PipelineTask) -> None:
    """Place the task that a schedule runs: tried again, it finds the run that it submitted.

    It is in no queue of Kueue: there it would hold, while it waits, what its run waits for.

    The label has Kubeflow mount a token for that API, where it has users
    (kubeflow.org, "Connect the SDK to the API": PodDefault access-ml-pipeline).
    """
    from kfp import kubernetes

    target = _TARGET.get()
    if target is None or target.images is None:
        return
    _retried(task, target)
    given = target.of_launcher()
    ended = Resources(timeout_seconds=(given.timeout_seconds or 0) + GIVE_UP_SECONDS)
    _placed(task, target, "launch_run", target.images.registry, layered(given, ended))
    kubernetes.add_pod_label(task, "access-ml-pipeline", "true")


def _on_cluster(task: PipelineTask, target: Target) -> None:
    from kfp import kubernetes

    stage = task.component_spec.name.replace("-", "_")
    image = str(getattr(target.images, IMAGE_OF_STAGE[stage]))
    _placed(task, target, stage, image, target.of_stage(stage))
    for key, value in _queue(target).items():
        kubernetes.add_pod_label(task, key, value)
    framework = stage.removeprefix("train_")
    for name, nodes in target.nodes.items():
        if name == framework:
            _spread(task, target, stage, nodes, target.accelerators.get(name))
            return
    for name, accelerator in target.accelerators.items():
        if name == framework:
            _accelerated(task, accelerator)
            _sharing(task, str(target.of_stage(stage).memory_limit))


def _placed(task: PipelineTask, target: Target, stage: str, image: str, given: Resources) -> None:
    task.set_container_image(image)
    task.set_cpu_request(str(given.cpu_request)).set_cpu_limit(str(given.cpu_limit))
    task.set_memory_request(str(given.memory_request)).set_memory_limit(str(given.memory_limit))
    threads = as_variables(math.ceil(amount_of(str(given.cpu_limit))))
    _pod(task, target, stage, given.timeout_seconds or 0)
    _environment(task, target, {IMAGE_VARIABLE: image, **threads})


def _pod(task: PipelineTask, target: Target, stage: str, seconds: int) -> None:
    from kfp import kubernetes

    kubernetes.set_timeout(task, seconds)
    kubernetes.set_image_pull_policy(task, target.pull_policy)
    kubernetes.set_security_context(
        task,
        run_as_user=target.security.user,
        run_as_group=target.security.group,
        run_as_non_root=True,
    )
    for key, value in sorted(_labels(target, stage).items()):
        kubernetes.add_pod_label(task, key, value)
    if target.workspace is not None:
        kubernetes.mount_pvc(task, target.workspace.claim, target.workspace.path)
    for mount in target.mounts:
        kubernetes.use_config_map_as_volume(task, mount.config_map, mount.path)


def _labels(target: Target, stage: str) -> dict[str, str]:
    ours = {"app.kubernetes.io/part-of": "tandem", "app.kubernetes.io/component": stage}
    return {**ours, **target.labels}


def _queue(target: Target) -> dict[str, str]:
    return {} if target.queue is None else {"kueue.x-k8s.io/queue-name": target.queue}


def _environment(task: PipelineTask, target: Target, own: dict[str, str]) -> None:
    from kfp import kubernetes

    shared = {}
    if (workspace := target.workspace) is not None:
        shared = {
            "TANDEM_CACHE": "cache",
            "TANDEM_CHECKPOINTS": "checkpoints",
            "TANDEM_HOME": "home",
        }
        shared = {name: f"{workspace.path}/{folder}" for name, folder in shared.items()}
    _set_variables(task, {**own, **dict(sorted({**shared, **target.environment}.items()))})
    kubernetes.use_field_path_as_env(task, PLATFORM_RUN_VARIABLE, RUN_LABEL)
    for name, secret in sorted(target.secrets.items()):
        kubernetes.use_secret_as_env(task, secret.secret, {secret.key: name})
    for name, entry in sorted(target.config_maps.items()):
        kubernetes.use_config_map_as_env(task, entry.config_map, {entry.key: name})


def _set_variables(task: PipelineTask, variables: dict[str, str]) -> None:
    """Set them by one call: each reads the source of every caller (kfp 2.17, inspect.stack)."""
    (name, value), *others = variables.items()
    task.set_env_variable(name, value).container_spec.env.update(others)


def _spread(
    task: PipelineTask, target: Target, stage: str, nodes: Nodes, accelerator: Accelerator | None
) -> None:
    """Tell a trainer what its nodes get, which is what it would get itself, and its device."""
    from kfp import kubernetes

    given, workspace = target.of_stage(stage), target.workspace
    if workspace is None:  # which a target with nodes has
        return
    devices, environment = dict[str, str](), dict(target.environment)
    if accelerator is not None:
        devices = {accelerator.resource: str(accelerator.count)}
        environment[GIVEN_VARIABLE] = accelerator.resource
    told = TrainingNodes(
        count=nodes.count,
        runtime=nodes.runtime,
        image=str(getattr(target.images, IMAGE_OF_STAGE[stage])),
        claim=workspace.claim,
        path=workspace.path,
        requests={"cpu": str(given.cpu_request), "memory": str(given.memory_request), **devices},
        limits={"cpu": str(given.cpu_limit), "memory": str(given.memory_limit), **devices},
        labels=target.labels,
        queue=_queue(target),
        node_selector={} if accelerator is None else accelerator.selector,
        tolerations=tuple(
            one.model_dump(exclude_defaults=True) | {"operator": one.operator, "effect": one.effect}
            for one in (accelerator.tolerated if accelerator else ())
        ),
        environment=environment,
        user=target.security.user,
        group=target.security.group,
        pull_policy=target.pull_policy,
        service_account=nodes.service_account,
        deadline_seconds=given.timeout_seconds,
    )
    task.set_env_variable(NODES_VARIABLE, canonical_json(told.model_dump(mode="json")).decode())
    for name, field in POD_VARIABLES.items():
        kubernetes.use_field_path_as_env(task, name, field)


def _sharing(task: PipelineTask, memory: str) -> None:
    """Give the processes of one pod room for what they share: a container has 64 MiB of its own."""
    from kfp import kubernetes

    shared = "/dev/shm"  # noqa: S108 - of the pod
    kubernetes.empty_dir_mount(task, "shared-memory", shared, medium="Memory", size_limit=memory)


def _accelerated(task: PipelineTask, accelerator: Accelerator) -> None:
    from kfp import kubernetes

    task.set_accelerator_type(accelerator.resource).set_accelerator_limit(accelerator.count)
    task.set_env_variable(GIVEN_VARIABLE, accelerator.resource)
    if accelerator.resource == TPU:
        task.set_env_variable(CHIPS_VARIABLE, str(accelerator.count))
    for key, value in sorted(accelerator.selector.items()):
        kubernetes.add_node_selector(task, key, value)
    for toleration in accelerator.tolerated:
        kubernetes.add_toleration(
            task, toleration.key, toleration.operator, toleration.value or None, toleration.effect
        )
