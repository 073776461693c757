"""What a training's nodes need of a cluster, added to an overlay."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from built_manifests import KUBERNETES, OVERLAYS, kubectl, the
from manifest_policy import problems

from components.training.nodes import cluster, manifests

pytestmark = pytest.mark.slow
NAME = "tandem-training-nodes"
VERSIONS = ("1.33", "1.34", "1.35", "1.36")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_trainers_account_may_do_what_a_training_asks_for_and_no_more(
    overlay: str, tmp_path: Path
) -> None:
    parts = {"resources": f"overlays/{overlay}", "components": "components/training-nodes"}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        **{key: [os.path.relpath(KUBERNETES / part, tmp_path)] for key, part in parts.items()},
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    done = subprocess.run(
        [kubectl(), "kustomize", str(tmp_path)], capture_output=True, text=True, check=True
    )
    objects = list(yaml.safe_load_all(done.stdout))

    # gloo and NCCL choose their ports, among the nodes alone.
    assert problems(objects) == [f"NetworkPolicy {NAME}: opens every port"]
    account = the(objects, "ServiceAccount", "tandem-pipeline")["metadata"]
    role, binding, network, nobody = (
        the(objects, kind, NAME)
        for kind in ("Role", "RoleBinding", "NetworkPolicy", "ServiceAccount")
    )
    assert nobody["automountServiceAccountToken"] is False
    for item in (role, binding, network, nobody):
        for version in VERSIONS:
            assert kubernetes_validate.validate(item, version, strict=True) == version
        assert item["metadata"]["namespace"] == account["namespace"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    ]
    granted = {rule["resources"][0]: set(rule["verbs"]) for rule in role["rules"]}
    made = {key: {"create", "get", "delete"} for key in cluster._PLURALS.values()}
    assert granted == {**made, "pods": {"list"}, "pods/log": {"get"}}
    selected = network["spec"]["podSelector"]["matchLabels"]
    assert network["spec"]["ingress"] == [{"from": [{"podSelector": {"matchLabels": selected}}]}]


def test_the_policy_selects_the_pods_of_a_training() -> None:
    component = KUBERNETES / "components" / "training-nodes"
    network = yaml.safe_load((component / "network.yaml").read_text())
    assert network["spec"]["podSelector"]["matchLabels"] == manifests.OF_POLICY
