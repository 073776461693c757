"""The nodes over which a target spreads a training's processes: pods beside the trainer's own.

Rules: the trainer's task is told by one variable, as JSON, which placement fills from the target;
where it is not there, processes are this machine's. It holds no secret: a node gets none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import ValidationError

from components.core.errors import SettingsError
from components.core.kubernetes_names import Folder, Image, ObjectName
from components.core.settings import Count, Framework, Section

NODES_VARIABLE = "TANDEM_TRAINING_NODES"
POD_VARIABLES = {
    "TANDEM_POD_NAME": "metadata.name",
    "TANDEM_POD_UID": "metadata.uid",
    "TANDEM_POD_NAMESPACE": "metadata.namespace",
}
"""What the task's pod is called, for its nodes belong to it; by field of the pod."""


class TrainingNodes(Section):
    """What each node gets, in Kubernetes' words; `claim` is the volume that all of them share."""

    count: Count
    runtime: ObjectName
    image: Image
    claim: ObjectName
    path: Folder
    requests: dict[str, str]
    limits: dict[str, str]
    labels: dict[str, str]
    queue: dict[str, str]
    node_selector: dict[str, str]
    tolerations: tuple[dict[str, str], ...]
    environment: dict[str, str]
    user: int
    group: int
    pull_policy: str
    service_account: ObjectName | None = None
    deadline_seconds: Count | None


def processes_per_node(framework: Framework, processes: int, nodes: int) -> int:
    """Return how many processes each node runs: PyTorch's are shared alike, TensorFlow's is one.

    Raises SettingsError for processes that cannot be spread so.
    """
    each, over = divmod(processes, nodes)
    if each < 1 or over or (framework == "tensorflow" and each > 1):
        how = "as many as" if framework == "tensorflow" else "a multiple of"
        raise SettingsError(
            f"train.processes is {processes}, and the target gives the {framework} trainer "
            f"{nodes} nodes: its processes are {how} them",
            remedy="change train.processes or the target's nodes",
        )
    return each


def nodes_here(environment: Mapping[str, str] = os.environ) -> TrainingNodes | None:
    """Return the nodes that this task may start; None where it has none.

    Raises SettingsError for a variable that placement has not written.
    """
    text = environment.get(NODES_VARIABLE)
    if text is None:
        return None
    try:
        return TrainingNodes.model_validate_json(text)
    except ValidationError:
        raise SettingsError(
            f"{NODES_VARIABLE} does not say what nodes a training has",
            remedy="name the nodes in the target, and compile and submit again",
        ) from None
