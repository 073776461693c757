"""Machines and training runtimes of a Kubernetes API server: a fake behind the cluster's client.

As the real one does it wants a bearer token (401), refuses one that may not list (403), filters by
labels and gives pages (https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/node-v1/).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubernetes_server import Answering, served, write_kubeconfig

TOKEN = "token-of-a-user"
PATH = "/api/v1/nodes"
RUNTIMES = "/apis/trainer.kubeflow.org/v1alpha1/clustertrainingruntimes/"


@dataclass
class MachinesApi:
    """Machines, as Kubernetes writes its nodes; `may_list` says whether the user may see them."""

    machines: list[dict[str, Any]] = field(default_factory=list)
    may_list: bool = True
    runtimes: dict[str, dict[str, str]] = field(default_factory=dict)
    """Those of Trainer by their names, with what the container that trains has of its own."""
    url: str = ""

    def add(
        self, name: str, labels: dict[str, str], allocatable: dict[str, str], **spec: Any
    ) -> None:
        metadata = {"name": name, "labels": labels}
        status = {"allocatable": allocatable}
        self.machines.append({"metadata": metadata, "spec": spec, "status": status})

    def kubeconfig(self, place: Path) -> Path:
        """Write a kubeconfig for the server."""
        return write_kubeconfig(place, self.url, TOKEN)

    def page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """Return a page of the machines that have the labels."""
        wanted = dict(
            pair.split("=", 1) for pair in query.get("labelSelector", [""])[0].split(",") if pair
        )
        found = [
            one for one in self.machines if wanted.items() <= one["metadata"]["labels"].items()
        ]
        start, size = int(query.get("continue", ["0"])[0] or 0), int(query["limit"][0])
        more = str(start + size) if start + size < len(found) else ""
        return {
            "kind": "NodeList",
            "apiVersion": "v1",
            "metadata": {"continue": more},
            "items": found[start : start + size],
        }


def _runtime(name: str, own: dict[str, str]) -> dict[str, Any]:
    """Return a runtime as Trainer's own `torch-distributed` is."""
    container = {"name": "node", "image": "pytorch/pytorch:2.9.1-cuda12.8-cudnn9-runtime", **own}
    pods = {"template": {"spec": {"containers": [container]}}}
    job = {"name": "node", "groupName": "default", "replicas": 1, "template": {"spec": pods}}
    policy = {"numNodes": 1, "torch": {"numProcPerNode": "auto"}}
    return {
        "kind": "ClusterTrainingRuntime",
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "metadata": {"name": name},
        "spec": {"mlPolicy": policy, "template": {"spec": {"replicatedJobs": [job]}}},
    }


@contextmanager
def machines_api() -> Iterator[MachinesApi]:
    """Serve on the loopback address."""
    api = MachinesApi()

    class Handler(Answering):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            name = url.path.removeprefix(RUNTIMES)
            if url.path != PATH and name not in api.runtimes:
                self.send(404, {"kind": "Status", "code": 404})
            elif self.headers["Authorization"] != f"Bearer {TOKEN}":
                self.send(401, {"kind": "Status", "code": 401})
            elif not api.may_list:
                self.send(403, {"kind": "Status", "code": 403, "reason": "Forbidden"})
            elif url.path == PATH:
                self.send(200, api.page(parse_qs(url.query)))
            else:
                self.send(200, _runtime(name, api.runtimes[name]))

    with served(Handler) as api.url:
        yield api
