"""An accelerator that the cluster lacks is said before anything is submitted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asked import said
from kfp_server import KfpServer
from machines_api import MachinesApi, machines_api

from components.core.errors import SettingsError
from pipelines.kubeflow.machines import check_machines
from pipelines.target import Target, load_target

GPU, LABEL = "nvidia.com/gpu", {"cloud.google.com/gke-accelerator": "nvidia-l4"}
TAINT = {"key": GPU, "value": "present", "effect": "NoSchedule"}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MachinesApi]:
    with machines_api() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "kubeconfig")))
        yield api


def target_of(**accelerator: Any) -> Target:
    dev = load_target("dev").model_dump(exclude_unset=True)
    given = {"resource": GPU, "node_selector": LABEL} | accelerator
    return Target.model_validate(dev | {"accelerators": {"pytorch": given}})


def test_a_machine_that_gives_it_is_enough(cluster: MachinesApi) -> None:
    cluster.add("small", LABEL, {GPU: "1"})
    cluster.add("large", LABEL, {GPU: "4"}, taints=[TAINT])
    assert check_machines(target_of(count=4)) is None


def test_the_last_page_is_looked_at_too(cluster: MachinesApi) -> None:
    for number in range(600):
        cluster.add(f"cpu-{number}", LABEL, {})
    cluster.add("gpu", LABEL, {GPU: "1"})
    assert check_machines(target_of()) is None


@pytest.mark.parametrize(
    ("labels", "allocatable", "spec"),
    [
        ({}, {GPU: "1"}, {}),
        (LABEL, {GPU: "0"}, {}),
        (LABEL, {}, {}),
        (LABEL, {GPU: "1"}, {"unschedulable": True}),
        (LABEL, {GPU: "1"}, {"taints": [TAINT, {"key": "team", "effect": "NoExecute"}]}),
    ],
)
def test_a_cluster_without_such_a_machine_is_said(
    cluster: MachinesApi, labels: dict[str, str], allocatable: dict[str, str], spec: dict[str, Any]
) -> None:
    cluster.add("machine", labels, allocatable, **spec)
    with pytest.raises(SettingsError, match=f"no machine of the cluster gives 1 {GPU}") as raised:
        check_machines(target_of())
    assert "--no-machine-check" in raised.value.remedy


def test_a_taint_that_only_prefers_other_pods_keeps_none_off(cluster: MachinesApi) -> None:
    cluster.add("gpu", LABEL, {GPU: "1"}, taints=[{"key": "x", "effect": "PreferNoSchedule"}])
    assert check_machines(target_of()) is None


def with_nodes(runtime: str, **said: str) -> Target:
    dev = load_target("dev").model_dump(exclude_unset=True)
    nodes = {"pytorch": {"count": 2, "runtime": runtime}, "tensorflow": {"count": 2}}
    return Target.model_validate(dev | {"workspace": {"claim": "shared"}, "nodes": nodes} | said)


def test_a_runtime_that_trainer_has_not_is_said(cluster: MachinesApi) -> None:
    cluster.runtimes["torch-distributed"] = {}
    assert check_machines(with_nodes("torch-distributed")) is None
    with pytest.raises(SettingsError, match="no ClusterTrainingRuntime torch-of-ours") as raised:
        check_machines(with_nodes("torch-of-ours"))
    assert "Kubeflow Trainer 2.2" in raised.value.remedy


def test_a_runtime_that_pulls_images_otherwise_than_the_target_says_is_refused(
    cluster: MachinesApi,
) -> None:
    """A TrainJob has no word for it."""
    cluster.runtimes |= {"torch-distributed": {}, "torch-fresh": {"imagePullPolicy": "Always"}}
    assert check_machines(with_nodes("torch-fresh", pull_policy="Always")) is None
    with pytest.raises(SettingsError, match="torch-distributed pulls its nodes' image IfNotPresen"):
        check_machines(with_nodes("torch-distributed", pull_policy="Always"))
    with pytest.raises(SettingsError, match="torch-fresh pulls its nodes' image Always") as raised:
        check_machines(with_nodes("torch-fresh"))
    assert "imagePullPolicy IfNotPresent" in raised.value.remedy


def test_who_may_not_see_runtimes_is_told_so(cluster: MachinesApi) -> None:
    cluster.runtimes["torch-distributed"] = {}
    cluster.may_list = False
    found = check_machines(with_nodes("torch-distributed"))
    assert found == "Kubernetes answers 403 to a question for Trainer's runtimes"


def test_who_may_not_see_machines_is_told_so(cluster: MachinesApi) -> None:
    cluster.may_list = False
    assert check_machines(target_of()) == "Kubernetes answers 403 to a list of machines"


def test_a_kubeconfig_that_cannot_be_read_names_no_cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for text in (b"a: [", b"\xff\xfe"):
        (tmp_path / "kubeconfig").write_bytes(text)
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        assert check_machines(target_of()) == "no kubeconfig names a cluster"


def test_without_a_cluster_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert check_machines(target_of()) == "no kubeconfig names a cluster"


def test_a_target_without_accelerators_asks_nobody(cluster: MachinesApi) -> None:
    cluster.may_list = False
    assert check_machines(load_target("dev")) is None


@pytest.mark.slow
def test_nothing_is_submitted_to_a_cluster_that_lacks_it(
    cluster: MachinesApi, served: KfpServer, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(target)
    path.write_text(path.read_text() + f"accelerators: {{pytorch: {{resource: {GPU}}}}}\n")
    words = ("submit", "flights", "--target", target, "--window", "2013-01:2013-02")
    code, answer = said(capsys, *words)
    assert (code, "no machine of the cluster" in answer["error"]["message"]) == (2, True)
    assert served.calls == []
    assert said(capsys, *words, "--no-machine-check")[1]["submitted"]
