"""How a task and its nodes end: what is left behind, and whose fault it was.

The nodes are real processes that do no training but write or end as one would.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from training_cluster import CLAIM, NAMESPACE, TrainingCluster, training_cluster

from components.core.errors import PlatformError
from components.core.model_settings import ModelFamily
from components.core.training_nodes import TrainingNodes
from components.core.training_settings import Train
from components.training.nodes import training
from components.training.nodes.manifests import plain_workers
from components.training.processes import Request

pytestmark = pytest.mark.slow


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def cluster(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TrainingCluster]:
    """A cluster, and this process as the task's pod on it."""
    logs = tmp_path / "logs"
    logs.mkdir()
    with training_cluster(logs) as found:
        monkeypatch.setenv("KUBECONFIG", str(found.kubeconfig(tmp_path / "kubeconfig")))
        monkeypatch.setenv("TANDEM_POD_NAME", "train-pod")
        monkeypatch.setenv("TANDEM_POD_UID", "1-2-3")
        monkeypatch.setenv("TANDEM_POD_NAMESPACE", NAMESPACE)
        monkeypatch.setenv("TANDEM_PLATFORM_RUN", "run-of-kfp")
        yield found


def run_nodes(workspace: Path, program: str) -> None:
    """Have two nodes run a program, whose FOLDER and RANK are the training's and the node's."""
    features = workspace.parent / "features"
    features.mkdir(exist_ok=True)
    (features / "rows").write_text("rows")
    quantities = {"cpu": "2", "memory": "4Gi"}
    nodes = TrainingNodes(
        count=2,
        runtime="torch-distributed",
        image=f"registry.example/tandem@sha256:{'0' * 64}",
        claim=CLAIM,
        path=str(workspace),
        requests=quantities,
        limits=quantities,
        labels={},
        queue={},
        node_selector={},
        tolerations=(),
        user=65532,
        group=65532,
        pull_policy="IfNotPresent",
        deadline_seconds=None,
    )
    start = (
        "import json, os, signal, sys, time\nfrom pathlib import Path\nFOLDER = Path(sys.argv[1])\n"
        "RANK = json.loads(os.environ['TF_CONFIG'])['task']['index']\n"
    )
    request = Request(
        function="own:model",
        model=ModelFamily(family="wide_and_deep"),
        train=Train(processes=2),
        features=str(features),
    )
    training.train_on_nodes(
        request,
        nodes,
        lambda place: plain_workers(place, ["-c", start + program, str(place.folder)]),
    )


def test_a_task_that_is_told_to_end_has_no_folder_left_when_the_signal_ends_it(
    cluster: TrainingCluster, workspace: Path
) -> None:
    left: list[list[Path]] = []

    def note(number: int, frame: FrameType | None) -> None:
        left.append([*(workspace / "trainings").iterdir()])

    before = signal.signal(signal.SIGTERM, note)  # at the end of this one a process is gone
    try:
        with pytest.raises(PlatformError, match="stopped by SIGTERM"):
            run_nodes(workspace, f"os.kill({os.getpid()}, signal.SIGTERM)\ntime.sleep(60)")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert left == [[]]
