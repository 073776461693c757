"""What a target gives a trainer besides its own pod's CPUs: accelerators, and nodes.

Rules: whether a device is used, and by how many processes, the run's settings say (train.device,
train.processes); a target says what there is. A TPU slice is one pod's, whole.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.core.kubernetes_names import (
    GPU,
    TPU,
    LabelKey,
    LabelValue,
    ObjectName,
    Topology,
    chips_of,
)
from components.core.settings import Count, Section

TPU_TYPE, TPU_TOPOLOGY = "cloud.google.com/gke-tpu-accelerator", "cloud.google.com/gke-tpu-topology"


class Toleration(Section):
    """A taint that a pod puts up with."""

    key: LabelKey
    operator: Literal["Equal", "Exists"] = "Exists"
    value: LabelValue = ""
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"] = "NoSchedule"


class Accelerator(Section):
    """What a trainer gets besides CPUs; the run's settings say that it is used (train.device)."""

    resource: Literal["nvidia.com/gpu", "google.com/tpu"]
    count: Count = 1
    tpu_type: LabelValue | None = Field(default=None, description="such as tpu-v5-lite-podslice")
    tpu_topology: Topology | None = None
    node_selector: dict[LabelKey, LabelValue] = Field(default={})
    tolerations: tuple[Toleration, ...] = ()

    @model_validator(mode="after")
    def _named(self) -> Accelerator:
        tpu = self.tpu_type is not None and self.tpu_topology is not None
        if (self.resource == TPU) != tpu or (self.resource == GPU and self.tpu_type):
            raise ValueError("tpu_type and tpu_topology go with google.com/tpu, both of them")
        if self.tpu_topology and (chips := chips_of(self.tpu_topology)) != self.count:
            raise ValueError(
                f"the topology {self.tpu_topology} has {chips} chips and count is {self.count}: "
                "a trainer is one pod, which takes the slice whole"
            )
        return self

    @property
    def selector(self) -> dict[str, str]:
        """The labels of the nodes that have it."""
        tpu = {TPU_TYPE: self.tpu_type, TPU_TOPOLOGY: self.tpu_topology}
        return {**self.node_selector, **{key: value for key, value in tpu.items() if value}}

    @property
    def tolerated(self) -> tuple[Toleration, ...]:
        """What is written, or the taint that clusters put on such nodes."""
        return self.tolerations or (Toleration(key=self.resource),)


class Nodes(Section):
    """The pods that a trainer's processes (train.processes) are spread over, beside its own."""

    count: Annotated[int, Field(ge=2)]
    runtime: ObjectName = Field(
        default="torch-distributed",
        description="the PyTorch trainer's ClusterTrainingRuntime, of Kubeflow Trainer",
    )
    service_account: ObjectName | None = Field(
        default=None, description="of the nodes, which ask nothing of the cluster; else `default`"
    )
