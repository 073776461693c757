"""A cluster for a training's nodes, and the volume that they share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from training_cluster import NAMESPACE, OWNER, TrainingCluster, training_cluster


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The volume."""
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
        monkeypatch.setenv("TANDEM_POD_NAME", OWNER["name"])
        monkeypatch.setenv("TANDEM_POD_UID", OWNER["uid"])
        monkeypatch.setenv("TANDEM_POD_NAMESPACE", NAMESPACE)
        monkeypatch.setenv("TANDEM_PLATFORM_RUN", "run-of-kfp")
        yield found
