"""What a training's nodes write, said by the task that waits for them.

Rules: a log is followed again from where it broke off, for what lies between may close a connection
on which nothing is said for long; one that may not be read is given up.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from components.training.nodes.cluster import Cluster

_LAST_LINES_SECONDS = 10.0


class Log:
    """What the nodes write, and what they wait for, on this task's standard output."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._said: dict[str, str] = {}
        self._heard: dict[str, str] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._done: set[str] = set()

    def take(self, pods: Sequence[dict[str, Any]]) -> None:
        """Say what is new of the pods, and follow those that run: again where that broke off."""
        for pod in pods:
            name, status = pod["metadata"]["name"], pod.get("status", {})
            state = _state(status)
            if self._said.get(name) != state:
                self._said[name] = state
                say(name, state)
            if (phase := status.get("phase")) in ("Running", "Succeeded", "Failed"):
                self._follow(name, is_over=phase != "Running")

    def finish(self) -> None:
        """Wait a while for the last lines."""
        deadline = time.monotonic() + _LAST_LINES_SECONDS
        for thread in self._threads.values():
            thread.join(max(0.0, deadline - time.monotonic()))

    def _follow(self, name: str, *, is_over: bool) -> None:
        before = self._threads.get(name)
        if name in self._done or (before is not None and before.is_alive()):
            return
        if is_over:
            self._done.add(name)
        thread = threading.Thread(target=self._hear, args=[name], daemon=True)
        self._threads[name] = thread
        thread.start()

    def _hear(self, name: str) -> None:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            for at, text in self._cluster.lines(name, self._heard.get(name, "")):
                self._heard[name] = at
                say(name, text)
        except ApiException as error:
            self._done.add(name)
            say(name, f"its log is not shown: {error.status}")
        except HTTPError:  # it is followed again as long as the pod runs
            return


def _state(status: dict[str, Any]) -> str:
    """Return a pod's phase, with why it waits."""
    waits = [
        container["state"]["waiting"].get("reason", "")
        for container in status.get("containerStatuses") or ()
        if "waiting" in container.get("state", {})
    ]
    waits += [
        f"{item.get('reason', '')}: {item.get('message', '')}"
        for item in status.get("conditions") or ()
        if item["type"] == "PodScheduled" and item["status"] == "False"
    ]
    return " ".join([str(status.get("phase", "Pending")), *waits]).strip()


def say(name: str, text: str) -> None:
    """Write a line about a node."""
    sys.stdout.write(f"[{name}] {text}\n")
    sys.stdout.flush()
