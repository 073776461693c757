"""A cluster that runs a training's nodes: a fake at the far side of kubernetes' own client.

As the real one does it wants a token (401) and a permission (403), refuses what its schemas do
(Kubeflow Trainer's own models, Kubernetes' own schemas), has a runtime or refuses the job, takes a
name once and removes no object of another uid (409). What Trainer, JobSet and the Job controller do
is done here: each node is a process of this machine, started by the object's own command with the
variables that its pod would have, and ended by a signal. Names of pods are all this machine's, a
claim is its folder, and /dev/shm is the machine's own.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import kubernetes_validate
from kubeflow_trainer_api.models.trainer_v1alpha1_train_job import TrainerV1alpha1TrainJob
from kubernetes_server import Answering, served, write_kubeconfig

from components.training.ports import held_ports, number_of

TOKEN, NAMESPACE, CLAIM = "token-of-the-pipeline", "team-a", "tandem-workspace"
OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "train-pod", "uid": "1-2-3"}
"""The task's pod, as its objects name it."""
GRACE_SECONDS = 20
_INDEX = "batch.kubernetes.io/job-completion-index"


@dataclass
class Node:
    """A pod: its metadata, and the process that is its container."""

    name: str
    labels: dict[str, str]
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def code(self) -> int | None:
        """The exit code as a container has it, None while it runs."""
        code = self.process.poll()
        return 128 - code if code is not None and code < 0 else code

    def pod(self) -> dict[str, Any]:
        code = self.code
        ended = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}
        state = {"running": {}} if code is None else ended
        phase = "Running" if code is None else "Failed" if code else "Succeeded"
        status = {"phase": phase, "containerStatuses": [{"name": "node", "state": state}]}
        return {"metadata": {"name": self.name, "labels": self.labels}, "status": status}


@dataclass
class TrainingCluster:
    """Objects by their paths, and the nodes that they run."""

    folder: Path
    image: dict[str, str] = field(default_factory=dict)
    """The variables that the image sets."""
    runtimes: set[str] = field(default_factory=lambda: {"torch-distributed"})
    has_trainer: bool = True
    may_remove: bool = True
    may: set[str] = field(default_factory=lambda: {"trainjobs", "jobs", "services", "pods"})
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    nodes: dict[str, list[Node]] = field(default_factory=dict)
    made: list[dict[str, Any]] = field(default_factory=list)
    outages: list[int] = field(default_factory=list)
    """What the next requests are answered with, 0 for a connection that breaks."""
    lost_answers: int = 0
    """How many of the next objects are made without an answer."""
    broken_lines: list[bool] = field(default_factory=list)
    """Whether logs break off after the next lines; the last is that of the next line."""
    asked: list[str] = field(default_factory=list)
    url: str = ""
    held: list[socket.socket] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def kubeconfig(self, place: Path) -> Path:
        return write_kubeconfig(place, self.url, TOKEN)

    def create(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        named = f"{path}/{body['metadata']['name']}"
        if named in self.objects:
            return 409, {"reason": "AlreadyExists", "message": f"{named} already exists"}
        problem = self._problem(body)
        if problem:
            return 403 if "denied the request" in problem else 422, {"message": problem}
        stored = {**body, "metadata": {**body["metadata"], "uid": str(uuid4())}}
        self.objects[named] = stored
        self.made.append(stored)
        if body["kind"] != "Service":
            self.nodes[named] = self._started(body)
        return 201, stored

    def show(self, named: str) -> dict[str, Any]:
        found = self.objects[named]
        return {**found, "status": {"conditions": self._conditions(named)}}

    def remove(self, named: str) -> None:
        for node in self.nodes.pop(named, []):
            _end(node)
        del self.objects[named]

    def running(self) -> list[Node]:
        return [node for nodes in self.nodes.values() for node in nodes if node.code is None]

    def listed(self, selector: str) -> list[Node]:
        wanted = dict(pair.split("=", 1) for pair in selector.split(","))
        every = [node for nodes in self.nodes.values() for node in nodes]
        return [node for node in every if wanted.items() <= node.labels.items()]

    def _conditions(self, named: str) -> list[dict[str, Any]]:
        codes = [node.code for node in self.nodes.get(named, [])]
        if any(codes):
            for node in self.nodes[named]:
                _end(node)  # as JobSet and the Job controller do with the others
            return [{"type": "Failed", "status": "True", "message": "a pod failed"}]
        done = all(code == 0 for code in codes)
        return [{"type": "Complete", "status": "True" if done else "False"}]

    def _problem(self, body: dict[str, Any]) -> str | None:
        if body["kind"] != "TrainJob":
            try:
                kubernetes_validate.validate(body, "1.34", strict=True)
            except kubernetes_validate.ValidationError as error:
                return str(error)
            return self._of_claims(body["spec"].get("template", {}).get("spec", {}))
        read = TrainerV1alpha1TrainJob.from_dict(body)
        if json.loads(read.to_json()) != body:
            return "strict decoding error: unknown field"
        if body["spec"]["runtimeRef"]["name"] not in self.runtimes:
            return (
                'admission webhook "validator.trainjob.trainer.kubeflow.org" denied the request: '
                "spec.runtimeRef: specified trainingRuntime must be created before the TrainJob"
            )
        return self._of_claims(_patched(body)["spec"])

    def _of_claims(self, pod: Mapping[str, Any]) -> str | None:
        named = [item.get("persistentVolumeClaim") for item in pod.get("volumes", ())]
        claims = {item["claimName"] for item in named if item is not None}
        return None if claims <= {CLAIM} else f"no claim {claims}"

    def _started(self, body: dict[str, Any]) -> list[Node]:
        if body["kind"] == "TrainJob":
            return self._torch_nodes(body)
        template, name = body["spec"]["template"], body["metadata"]["name"]
        (container,) = template["spec"]["containers"]
        service = self.objects[f"/api/v1/namespaces/{NAMESPACE}/services/{name}"]["spec"]
        assert service["selector"].items() <= template["metadata"]["labels"].items()
        hosts = {
            f"{name}-{number}.{template['spec']['subdomain']}:{service['ports'][0]['port']}": port
            for number, port in enumerate(self._ports(body["spec"]["completions"]))
        }
        found = []
        for number in range(body["spec"]["completions"]):
            labels = {**template["metadata"]["labels"], _INDEX: str(number)}
            own = {"metadata.labels": labels}
            environment = _environment(container["env"], own)
            for host, port in hosts.items():  # which the cluster's DNS finds
                for key, value in environment.items():
                    environment[key] = value.replace(host, f"127.0.0.1:{port}")
            found.append(self._node(f"{name}-{number}", labels, container["command"], environment))
        return found

    def _ports(self, count: int) -> list[int]:
        """Return ports that are these nodes' until the cluster ends."""
        found = held_ports(count)
        self.held += found
        return [number_of(each) for each in found]

    def _torch_nodes(self, body: dict[str, Any]) -> list[Node]:
        trainer, name = body["spec"]["trainer"], body["metadata"]["name"]
        port = self._ports(1)[0]
        found = []
        for number in range(trainer["numNodes"]):
            pet = {
                "PET_NNODES": str(trainer["numNodes"]),
                "PET_NPROC_PER_NODE": str(trainer["numProcPerNode"]),
                "PET_NODE_RANK": str(number),
                "PET_MASTER_ADDR": "127.0.0.1",
                "PET_MASTER_PORT": str(port),
            }
            labels = {**_patched(body)["metadata"]["labels"], _INDEX: str(number)}
            environment = _environment(trainer["env"], {}) | pet
            node = f"{name}-node-0-{number}"
            found.append(self._node(node, labels, trainer["command"], environment))
        return found

    def _node(
        self, name: str, labels: dict[str, str], command: list[str], environment: dict[str, str]
    ) -> Node:
        log = self.folder / f"{name}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command,
                env={**self.image, **environment},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
            )
        return Node(name, labels, process, log)


def _patched(body: dict[str, Any]) -> dict[str, Any]:
    (patch,) = body["spec"]["runtimePatches"]
    (job,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    assert job["name"] == "node"
    template: dict[str, Any] = job["template"]["spec"]["template"]
    return template


def _environment(variables: list[dict[str, Any]], pod: Mapping[str, Mapping[str, str]]) -> Any:
    """Return variables as a pod has them: fields filled in, $(NAME) of earlier ones put in."""
    found: dict[str, str] = {}
    for item in variables:
        if "valueFrom" in item:
            path = re.fullmatch(r"(metadata\.labels)\['(.+)'\]", _field(item))
            assert path is not None
            found[item["name"]] = pod[path[1]][path[2]]
        else:
            found[item["name"]] = re.sub(r"\$\((\w+)\)", lambda m: found[m[1]], item["value"])
    return found


def _field(item: dict[str, Any]) -> str:
    return str(item["valueFrom"]["fieldRef"]["fieldPath"])


def _end(node: Node) -> None:
    """End a container: SIGTERM, and SIGKILL after the grace period."""
    if node.code is not None:
        return
    node.process.send_signal(signal.SIGTERM)
    try:
        node.process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(node.process.pid, signal.SIGKILL)
        node.process.wait()


class Api(Answering):
    """The API server of a cluster, which a class of its own names."""

    cluster: TrainingCluster
    lock: threading.Lock

    def do_POST(self) -> None:
        body = self._body()
        if self._allowed():
            with self.lock:
                answer = self.cluster.create(self.path, body)
            if self.cluster.lost_answers and answer[0] == 201:
                self.cluster.lost_answers -= 1
                self.close_connection = True
            else:
                self.send(*answer)

    def do_DELETE(self) -> None:
        options = self._body()
        assert options["propagationPolicy"] == "Foreground"
        if not self._allowed():
            return
        with self.lock:
            found = self.cluster.objects.get(self.path)
            if found is None:
                self.send(404, {"message": "not found"})
            elif found["metadata"]["uid"] != options["preconditions"]["uid"]:
                self.send(409, {"message": "Precondition failed: UID in precondition"})
            else:
                self.cluster.remove(self.path)
                self.send(200, {"status": "Success"})

    def do_GET(self) -> None:
        if not self._allowed():
            return
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path.endswith("/log"):
            self._log(path.split("/")[-2])
            return
        with self.lock:
            if path.endswith("/pods"):
                found = self.cluster.listed(query["labelSelector"][0])
                self.send(200, {"items": [node.pod() for node in found]})
            elif path in self.cluster.objects:
                self.send(200, self.cluster.show(path))
            else:
                self.send(404, {"message": "not found"})

    def _body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return found

    def _allowed(self) -> bool:
        """Say whether to go on; answer with an outage, or a refusal, where not."""
        path = urlsplit(self.path).path
        self.cluster.asked.append(f"{self.command} {path}")
        if self.cluster.outages:
            if status := self.cluster.outages.pop(0):
                self.send(status, {"reason": "Conflict", "message": "try again"})
            else:
                self.close_connection = True
            return False
        refusal = self._refusal(path.split("/")[6 if path.startswith("/apis") else 5])
        if refusal is not None:
            self.send(refusal[0], {"message": refusal[1]})
        return refusal is None

    def _refusal(self, plural: str) -> tuple[int, str] | None:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, "Unauthorized"
        if plural == "trainjobs" and not self.cluster.has_trainer:
            return 404, "the server could not find the requested resource"
        may = plural in self.cluster.may and (self.cluster.may_remove or self.command != "DELETE")
        return None if may else (403, f"{plural} is forbidden")

    def _log(self, name: str) -> None:
        """Send the lines with their times, which are their numbers; break off where a test says."""
        every = (node for nodes in self.cluster.nodes.values() for node in nodes)
        node = next(one for one in every if one.name == name)
        self.send_response(200)
        self.end_headers()
        number = 0
        with node.log.open("rb") as stream:
            while True:
                over = node.code is not None
                for line in iter(stream.readline, b""):
                    self.wfile.write(f"2026-01-01T00:00:00.{number:09}Z ".encode() + line)
                    number += 1
                    if self.cluster.broken_lines and self.cluster.broken_lines.pop():
                        return
                if over:
                    return
                threading.Event().wait(0.05)


@contextmanager
def training_cluster(folder: Path) -> Iterator[TrainingCluster]:
    """Serve on the loopback address; end what still runs."""
    image = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    cluster = TrainingCluster(folder, image={**image, "KERAS_BACKEND": "tensorflow"})
    handler = type("Handler", (Api,), {"cluster": cluster, "lock": cluster.lock})
    with served(handler) as cluster.url:
        try:
            yield cluster
        finally:
            for named in list(cluster.objects):
                cluster.remove(named)
            for held in cluster.held:
                held.close()
