"""A training over the nodes of a cluster: equal to one here, and gone with its task."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from test_processes import STRATEGY, trained
from training_cluster import CLAIM, NAMESPACE, OWNER, TrainingCluster

from components.core.canonical import canonical_json
from components.core.errors import DataError, PlatformError, SettingsError
from components.core.resources import Stopwatch
from components.core.sources import use_sources
from components.core.training_nodes import NODES_VARIABLE, TrainingNodes, nodes_here
from components.training.fit import Fit
from components.training.nodes import cluster as asked
from components.training.nodes.manifests import OF_TRAINING
from components.training.processes import AROUND
from components.training.worker import BEAT

pytestmark = pytest.mark.slow


def told(workspace: Path, **changes: Any) -> dict[str, Any]:
    quantities = {"cpu": "2", "memory": "4Gi"}
    return {
        "count": 2,
        "runtime": "torch-distributed",
        "image": f"registry.example/tandem@sha256:{'0' * 64}",
        "claim": CLAIM,
        "path": str(workspace),
        "requests": quantities,
        "limits": quantities,
        "labels": {"team": "a"},
        "queue": {"kueue.x-k8s.io/queue-name": "tandem"},
        "node_selector": {"pool": "training"},
        "tolerations": [{"key": "training", "operator": "Exists", "effect": "NoSchedule"}],
        "environment": {"NCCL_DEBUG": "WARN", "OMP_NUM_THREADS": "64"},
        "user": 65532,
        "group": 65532,
        "pull_policy": "IfNotPresent",
        "service_account": "nobody",
        "deadline_seconds": 3600,
        **changes,
    }


@pytest.fixture(autouse=True)
def own_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_SOURCES", str(Path(__file__).parent))
    use_sources(Path(__file__).parent)


@pytest.fixture(autouse=True)
def spread(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The target has this process train over nodes."""
    monkeypatch.setenv(NODES_VARIABLE, canonical_json(told(workspace)).decode())


def same(
    one: tuple[Mapping[str, np.ndarray], Fit], other: tuple[Mapping[str, np.ndarray], Fit]
) -> None:
    assert one[0].keys() == other[0].keys()
    for name, value in one[0].items():
        np.testing.assert_allclose(other[0][name], value, rtol=0, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(one[1].epoch_losses, other[1].epoch_losses, rtol=0, atol=1e-6)


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_two_nodes_end_with_the_weights_of_one_process_although_one_was_drained(
    framework: str,
    cluster: TrainingCluster,
    small_features: Path,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Before the second attempt the first one's job is still there, and the API has an outage."""
    monkeypatch.delenv(NODES_VARIABLE)
    alone = trained(framework, small_features)
    monkeypatch.setenv(NODES_VARIABLE, canonical_json(told(workspace)).decode())
    kept = workspace / "checkpoints"
    cluster.image["STOP_AT"] = "1:3"
    with pytest.raises(PlatformError, match="stopped by SIGTERM after step 3"):
        trained(framework, small_features, kept, processes=2)
    del cluster.image["STOP_AT"]
    check_what_was_made(framework, cluster.made)
    left = cluster.made[-1]
    base = {"Job": "/apis/batch/v1", "TrainJob": "/apis/trainer.kubeflow.org/v1alpha1"}[
        left["kind"]
    ]
    place = f"{base}/namespaces/{NAMESPACE}/{left['kind'].lower()}s/{left['metadata']['name']}"
    cluster.objects[place] = left
    cluster.outages += [503, 0, 429, 409]
    watch = Stopwatch()
    found = trained(framework, small_features, kept, processes=2)

    same(alone, found)
    done = found[1]
    assert (done.resumed_from_step, done.steps) == (3, 4)
    assert done.strategy == STRATEGY[framework, "replicated"]
    own = sum(os.times()[:2]) - watch._cpu
    assert watch.read()["cpu_seconds"] > own + 1  # two nodes load a framework each
    assert "Running" in capfd.readouterr().out
    assert (cluster.objects, cluster.nodes) == ({}, {})
    assert not list((workspace / "trainings").iterdir())


def check_what_was_made(framework: str, made: list[dict[str, Any]]) -> None:
    """Each object belongs to the task's pod; a node runs as nobody, and may do little."""
    *_, job = made
    for item in made:
        assert item["metadata"]["ownerReferences"] == [OWNER]
        assert item["metadata"]["labels"]["team"] == "a"
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "tandem"
    assert job["spec"]["activeDeadlineSeconds"] == 3600
    if framework == "pytorch":
        (patch,) = job["spec"]["runtimePatches"]
        (of_nodes,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
        template = of_nodes["template"]["spec"]["template"]
        assert job["spec"]["trainer"]["numProcPerNode"] == 1
    else:
        template = job["spec"]["template"]
        assert template["spec"]["automountServiceAccountToken"] is False
        assert job["spec"]["backoffLimit"] == 0
    (container,) = template["spec"]["containers"]
    check_shared_memory(template["spec"], container)
    variables = job["spec"]["trainer"]["env"] if framework == "pytorch" else container["env"]
    given = {item["name"]: item.get("value") for item in variables}
    assert (given["NCCL_DEBUG"], given["OMP_NUM_THREADS"]) == ("WARN", "1")
    assert template["metadata"]["labels"][OF_TRAINING] == job["metadata"]["name"]
    assert template["spec"]["nodeSelector"] == {"pool": "training"}
    assert template["spec"]["serviceAccountName"] == "nobody"
    assert template["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def check_shared_memory(pod: dict[str, Any], container: dict[str, Any]) -> None:
    """It is of memory, and may take as much of it as the node has."""
    names = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    name = names["/dev/shm"]  # noqa: S108 - of a pod
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == name)
    assert volume["emptyDir"] == {"medium": "Memory", "sizeLimit": "4Gi"}


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_a_node_that_is_killed_ends_the_others_and_is_the_platforms_fault(
    framework: str, cluster: TrainingCluster, small_features: Path
) -> None:
    cluster.image |= {"STOP_AT": "1:2", "STOP_BY": "SIGKILL"}
    with pytest.raises(PlatformError, match="ended by signal 9") as caught:
        trained(framework, small_features, processes=2)
    assert "memory" in caught.value.remedy
    assert cluster.objects == {}


def test_what_stops_every_node_is_told_as_from_one(
    cluster: TrainingCluster, small_features: Path
) -> None:
    with pytest.raises(DataError, match=r"the loss is (nan|inf) at batch"):
        trained("pytorch", small_features, processes=2, learning_rate=1e30, clip_norm=None)


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_a_task_that_is_told_to_end_removes_its_nodes(
    framework: str,
    cluster: TrainingCluster,
    small_features: Path,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signals: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        signals.append(number)

    before = signal.signal(signal.SIGTERM, note)  # which the training hands on in the end
    over = threading.Event()

    def stop_when_it_trains() -> None:
        while not over.wait(0.1):
            if any(b"waits" in node.log.read_bytes() for node in cluster.running()):
                cluster.image.clear()
                os.kill(os.getpid(), signal.SIGTERM)
                return

    cluster.image |= {"STOP_AT": "1:2", "STOP_BY": "wait"}
    watcher = threading.Thread(target=stop_when_it_trains)
    watcher.start()
    try:
        monkeypatch.setattr("training_cluster.GRACE_SECONDS", 1)
        with pytest.raises(PlatformError, match="stopped by SIGTERM"):
            trained(framework, small_features, workspace / "kept", processes=2)
    finally:
        over.set()
        watcher.join()
        signal.signal(signal.SIGTERM, before)
    assert signals == [signal.SIGTERM]
    assert (cluster.objects, cluster.running()) == ({}, [])


@pytest.mark.parametrize(
    ("change", "error", "said", "remedy"),
    [
        ({"has_trainer": False}, SettingsError, "make TrainJob: 404", "Kubeflow Trainer 2.2"),
        ({"runtimes": set()}, SettingsError, "must be created before", "target's nodes"),
        ({"may": {"pods"}}, SettingsError, "trainjobs is forbidden", "tandem-training-nodes"),
    ],
)
def test_what_the_cluster_refuses_is_told_with_what_to_do(
    cluster: TrainingCluster,
    small_features: Path,
    change: Mapping[str, Any],
    error: type[SettingsError],
    said: str,
    remedy: str,
) -> None:
    for name, value in change.items():
        setattr(cluster, name, value)
    with pytest.raises(error, match=said) as caught:
        trained("pytorch", small_features, processes=2)
    assert remedy in caught.value.remedy


def test_a_cluster_that_stays_away_is_given_up(
    cluster: TrainingCluster, small_features: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "LOST_SECONDS", 1.0)
    cluster.outages += [503] * 100
    with pytest.raises(PlatformError, match="the cluster's API does not answer: 503"):
        trained("pytorch", small_features, processes=2)


def test_processes_that_nodes_cannot_share_alike_are_refused(
    cluster: TrainingCluster, small_features: Path
) -> None:
    for framework, how in (("pytorch", "a multiple of"), ("tensorflow", "as many as")):
        with pytest.raises(SettingsError, match=f"2 nodes: its processes are {how} them"):
            trained(framework, small_features, processes=3)
    assert cluster.made == []


def test_one_process_stays_in_the_task(cluster: TrainingCluster, small_features: Path) -> None:
    trained("pytorch", small_features, epochs=1)
    assert cluster.asked == []


def test_nodes_that_no_longer_hear_of_their_task_end(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from components.training import worker\n"
        "worker.BEAT_SECONDS, worker.PATIENCE_SECONDS = 0.05, 1.0\n"
        "worker._end_without_beat(Path(sys.argv[1]))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, tmp_path]) as process:
        for count in range(20):
            (tmp_path / BEAT).write_text(str(count))
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.1)
        assert process.wait(30) == AROUND


def test_a_variable_that_placement_did_not_write_is_refused() -> None:
    with pytest.raises(SettingsError, match=NODES_VARIABLE):
        nodes_here({NODES_VARIABLE: "{}"})
    assert nodes_here({}) is None
    said = canonical_json(told(Path("/tandem"))).decode()
    assert nodes_here({NODES_VARIABLE: said}) == TrainingNodes(**told(Path("/tandem")))
