"""How the pods of a training ended, and why the training failed by that.

Rules: the first that ends otherwise than well ends the training, whatever its job would do: JobSet
has a container start again in its pod, beside nodes that have given it up. Those that it takes
along end soon after, so that all are waited for a while; a signal then says more than an exit code,
and that more than that the others were lost. A pod that is no longer there went with its machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.core.errors import PlatformError
from components.training.nodes.manifests import CONTAINER
from components.training.processes import cause

SETTLING_SECONDS = 10.0
_POLL_SECONDS = 1.0
_KILLED = -9

Pods = Sequence[dict[str, Any]]


@dataclass
class Ends:
    """What is known so far, by the names of pods."""

    codes: dict[str, int] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    _there: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        """Say whether one has ended otherwise than well."""
        return bool(self.codes or self.lost)

    def look(self, pods: Pods) -> None:
        """Note how pods have ended, and which have gone."""
        self.lost |= self._there - {_name(pod) for pod in pods}
        self.codes |= {_name(pod): code for pod in pods if (code := exit_code(pod))}
        self._there = {_name(pod) for pod in pods if _phase(pod) != "Succeeded"}

    def settle(self, pods: Callable[[], Pods]) -> None:
        """Look until every pod has ended, for a while."""
        deadline = time.monotonic() + SETTLING_SECONDS
        while time.monotonic() < deadline:
            self.look(found := pods())
            if all(_phase(pod) in ("Succeeded", "Failed") for pod in found):
                return
            time.sleep(_POLL_SECONDS)

    def failure(self, folder: Path, told: str) -> Exception:
        """Return what a process said, else what became of the pods, else what the job says."""
        if self.codes or any(folder.glob("error-*.json")):
            return cause(folder, [*self.codes.values()])
        gone = f"{', '.join(sorted(self.lost))} is gone" if self.lost else "no pod says why"
        return PlatformError(
            f"the training's nodes failed: {told or gone}",
            remedy="look at the cluster's events; a node that was lost is tried again by the stage",
        )


def exit_code(pod: dict[str, Any]) -> int:
    """Return that of a pod's container, of the first if it was started again; 0 while it runs.

    Of one that was taken away, or lacked memory, it is a signal's.
    """
    status = pod.get("status", {})
    disrupted = any(
        item["type"] == "DisruptionTarget" and item["status"] == "True"
        for item in status.get("conditions") or ()
    )
    containers = status.get("containerStatuses") or ()
    for container in (item for item in containers if item["name"] == CONTAINER):
        for state in ("lastState", "state"):
            ended = (container.get(state) or {}).get("terminated")
            if ended and (code := int(ended["exitCode"])):
                return _KILLED if disrupted or ended.get("reason") == "OOMKilled" else code
    taken = disrupted or status.get("reason") in ("Evicted", "NodeLost", "Preempting")
    return _KILLED if taken and _phase(pod) == "Failed" else 0


def _name(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["name"])


def _phase(pod: dict[str, Any]) -> str:
    return str(pod.get("status", {}).get("phase", "Pending"))
