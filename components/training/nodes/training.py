"""A training over several nodes: started, followed, and brought home through the shared volume.

Rules: the folder of the training lies on the volume that the target's nodes share, with a copy of
the features, and is the same as of processes on one machine (processes.py); a beat in it says that
the task is alive, and nodes that miss it for long end by themselves (worker.py), however the task
ended. SIGTERM removes the nodes, which are told by the cluster and stop at the same step. What the
nodes used counts as the task's.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from components.core.artifacts import read_json, write_json
from components.core.errors import PlatformError, SettingsError, TandemError
from components.core.resources import count_elsewhere
from components.core.stage_identity import PLATFORM_RUN_VARIABLE
from components.core.training_nodes import POD_VARIABLES, TrainingNodes
from components.training.fit import Fit
from components.training.interruption import Interruption
from components.training.nodes.cluster import GONE_SECONDS, Cluster
from components.training.nodes.ends import Ends
from components.training.nodes.folder import copy_features, shared
from components.training.nodes.log import Log, say
from components.training.nodes.manifests import Manifest, Place
from components.training.processes import REQUEST, Request, Weights, brought, stopped_by_signal
from components.training.worker import USED

FOLDER = "trainings"
POLL_SECONDS = 1.0

Manifests = Callable[[Place], Sequence[Manifest]]


def train_on_nodes(
    request: Request, nodes: TrainingNodes, manifests: Manifests
) -> tuple[Fit, Weights]:
    """Start the nodes, wait for their end, and return what the first process brought.

    Raises what the first that failed failed with; PlatformError where SIGTERM came, where a node
    was lost or the cluster cannot be asked, SettingsError for what it refuses.
    """
    place, namespace = _place(nodes, request)
    cluster = Cluster.here(namespace)
    objects = manifests(place)
    with Interruption() as interruption, shared(place.folder, place.name):
        features = place.folder / "features"
        copy_features(request.features, features, lambda: interruption.received)
        sent = request.model_copy(update={"features": str(features), "nodes": nodes.count})
        write_json(place.folder / REQUEST, sent.model_dump(mode="json"))
        with _made(cluster, objects, place) as job:
            failure = _watched(cluster, job, place, lambda: interruption.received)
        _count_used(place.folder)
        if interruption.received:
            raise stopped_by_signal()
        if failure is not None:
            raise failure
        return brought(place.folder)


def _place(nodes: TrainingNodes, request: Request) -> tuple[Place, str]:
    """Return where this task's nodes are, by what its pod is called, and their namespace."""
    try:
        pod, uid, namespace = (os.environ[name] for name in POD_VARIABLES)
    except KeyError as error:
        raise SettingsError(
            f"{error.args[0]} is not set, by which a training's nodes belong to their task",
            remedy="compile the pipeline again for the target, and submit that",
        ) from None
    told = f"{os.environ.get(PLATFORM_RUN_VARIABLE) or uid}/{request.function}"
    name = f"tandem-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    folder = Path(nodes.path, FOLDER, f"{name}-{uid}")
    return Place(nodes, name, folder, pod, uid, request.train.threads), namespace


@contextmanager
def _made(cluster: Cluster, objects: Sequence[Manifest], place: Place) -> Iterator[Manifest]:
    """Have the objects on the cluster, and give the last; then wait until their pods are gone."""
    made: list[Manifest] = []
    try:
        for item in objects:
            made.append(cluster.replace(item))
        yield made[-1]
    finally:
        for item in reversed(made):
            with _left_to_their_owner(item["kind"]):
                cluster.remove(item)
        deadline = time.monotonic() + GONE_SECONDS
        with _left_to_their_owner("pods"):
            while cluster.pods(place.own) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)


@contextmanager
def _left_to_their_owner(kind: str) -> Iterator[None]:
    """Say what cannot be removed, which goes with the task's pod, and let the training's end be."""
    try:
        yield
    except TandemError as error:
        say(kind, f"goes with the task's pod: {error.message}")


def _watched(
    cluster: Cluster, job: Manifest, place: Place, stopped: Callable[[], bool]
) -> Exception | None:
    """Return why the nodes failed, None where they did not or SIGTERM came."""
    log, ends = Log(cluster), Ends()
    while not stopped():
        pods = cluster.pods(place.own)
        log.take(pods)
        conditions = cluster.conditions(job)
        if conditions is None:
            return PlatformError(
                f"the training's {job['kind']} is gone",
                remedy="find out who deleted it, and resume the run",
            )
        if "Complete" in conditions:
            log.finish()
            return None
        if "Suspended" in conditions:  # by a queue, which has it go on later
            ends = _forgotten(place.folder)
        else:
            ends.look(pods)
        if ends or "Failed" in conditions:
            ends.settle(lambda: cluster.pods(place.own))
            log.finish()
            return ends.failure(place.folder, conditions.get("Failed", ""))
        time.sleep(POLL_SECONDS)
    return None


def _forgotten(folder: Path) -> Ends:
    """Forget how nodes ended that will be made anew."""
    for path in folder.glob("error-*.json"):
        path.unlink(missing_ok=True)
    return Ends()


def _count_used(folder: Path) -> None:
    for path in sorted(folder.glob(USED.format("*"))):
        count_elsewhere(read_json(path))
