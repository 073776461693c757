"""What each stage asks for of a cluster and may use, by default and as a target says.

Rules: requests are limits by default, so that a stage is not evicted for what a neighbour does (QoS
Guaranteed); what asks for more than it may use is refused here, since Kubernetes would refuse the
stage's pod, hours into a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from components.core.kubernetes_names import Cpu, Memory, amount_of
from components.core.settings import Count, Section


class Resources(Section):
    """What a stage asks for and may use, in Kubernetes' quantities."""

    cpu_request: Cpu | None = None
    cpu_limit: Cpu | None = None
    memory_request: Memory | None = None
    memory_limit: Memory | None = None
    timeout_seconds: Count | None = Field(default=None, description="after which its pod is ended")

    def problem(self) -> str | None:
        """Say of what more is asked for than may be used."""
        for what, request, limit in (
            ("CPU", self.cpu_request, self.cpu_limit),
            ("memory", self.memory_request, self.memory_limit),
        ):
            if request and limit and amount_of(request) > amount_of(limit):
                return f"more {what} ({request}) than it may use ({limit})"
        return None


def layered(*layers: Resources) -> Resources:
    """Return resources of which the last layer that says a thing counts."""
    found: dict[str, Any] = {}
    for layer in layers:
        found |= layer.model_dump(exclude_none=True)
    return Resources.model_validate(found)


def _guaranteed(cpu: str, memory: str, hours: int) -> Resources:
    return Resources(
        cpu_request=cpu,
        cpu_limit=cpu,
        memory_request=memory,
        memory_limit=memory,
        timeout_seconds=hours * 3600,
    )


DEFAULTS: Mapping[str, Resources] = {
    "ingest_examples": _guaranteed("2", "8Gi", 4),
    "validate_examples": _guaranteed("2", "8Gi", 4),
    "transform_features": _guaranteed("2", "8Gi", 4),
    "train_pytorch": _guaranteed("4", "16Gi", 24),
    "train_tensorflow": _guaranteed("4", "16Gi", 24),
    "import_model": _guaranteed("2", "8Gi", 2),
    "evaluate_models": _guaranteed("2", "8Gi", 4),
    "measure_models": _guaranteed("2", "8Gi", 2),
    "decide_release": _guaranteed("1", "4Gi", 1),
    "register_models": _guaranteed("1", "4Gi", 1),
    "seal_run": _guaranteed("1", "2Gi", 1),
}
LAUNCHER = Resources(
    cpu_request="500m",
    cpu_limit="1",
    memory_request="1Gi",
    memory_limit="2Gi",
    timeout_seconds=7 * 24 * 3600,
)
"""Of the task that a schedule runs; its limit is how old the run may grow that it waits for."""
