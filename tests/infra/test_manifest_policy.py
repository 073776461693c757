"""The manifests keep their rules, and each rule finds what breaks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from built_manifests import OVERLAYS, Manifest, built, the
from manifest_policy import NO_BUDGET, RULES, problems

pytestmark = pytest.mark.slow

Change = Callable[[list[Manifest]], Any]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_keeps_every_rule(overlay: str) -> None:
    assert problems(built(overlay)) == []


def spec(objects: list[Manifest], kind: str = "Deployment", name: str = "notary") -> Any:
    item = the(objects, kind, name)["spec"]
    return (item["jobTemplate"]["spec"] if kind == "CronJob" else item)["template"]["spec"]


def container(objects: list[Manifest], kind: str = "Deployment", name: str = "notary") -> Any:
    return spec(objects, kind, name)["containers"][0]


def environment(name: str, value: str) -> Change:
    return lambda objects: container(objects)["env"].append({"name": name, "value": value})


def setting(key: str, value: Any) -> Change:
    """Change a field of the notary's container."""
    return lambda objects: container(objects).update({key: value})


def of_pod(key: str, value: Any) -> Change:
    return lambda objects: spec(objects)["securityContext"].update({key: value})


def of_container(key: str, value: Any) -> Change:
    return lambda objects: container(objects)["securityContext"].update({key: value})


def host(key: str) -> Change:
    return lambda objects: spec(objects).update({key: True})


def without(kind: str, name: str) -> Change:
    return lambda objects: objects.remove(the(objects, kind, name))


def unbound(account: str) -> Change:
    """Take away every binding of a namespace's account."""

    def change(objects: list[Manifest]) -> None:
        objects[:] = [
            item
            for item in objects
            if item["kind"] != "RoleBinding" or item["subjects"][0]["name"] != account
        ]

    return change


def rule(name: str, **changed: Any) -> Change:
    return lambda objects: the(objects, *name.split("/"))["rules"][0].update(changed)


def policy(name: str, **changed: Any) -> Change:
    return lambda objects: the(objects, "NetworkPolicy", name)["spec"].update(changed)


def added(**item: Any) -> Change:
    metadata = {"name": "new", "namespace": "tandem", "labels": {"app.kubernetes.io/part-of": "x"}}
    return lambda objects: objects.append({"metadata": metadata, **item})


PINNED = "registry.invalid/x@sha256:" + 64 * "a"
BROKEN: dict[str, list[tuple[Change, str]]] = {
    "images_are_pinned": [
        (setting("image", "registry.invalid/x:latest"), "no digest"),
        (setting("image", "registry.invalid/x"), "no digest"),
        (setting("image", PINNED.replace("@", ":1@")), "or a tag"),
        (lambda o: spec(o)["initContainers"][0].update(image="x:1"), "no digest"),
    ],
    "nobody_is_root": [
        (of_pod("runAsNonRoot", False), "may run as root"),
        (of_pod("runAsUser", 0), "may run as root"),
        (of_container("runAsUser", 0), "a container of it"),
        (of_container("runAsNonRoot", False), "a container of it"),
    ],
    "containers_are_confined": [
        (of_pod("seccompProfile", {"type": "Unconfined"}), "seccomp"),
        (of_container("privileged", True), "not confined"),
        (of_container("allowPrivilegeEscalation", True), "not confined"),
        (of_container("readOnlyRootFilesystem", False), "not confined"),
        (of_container("capabilities", {"drop": ["ALL"], "add": ["SYS_ADMIN"]}), "not confined"),
        (lambda o: spec(o)["initContainers"][0].pop("securityContext"), "keys is not confined"),
    ],
    "nothing_is_the_hosts": [
        (host("hostNetwork"), "host's namespaces"),
        (host("hostPID"), "host's namespaces"),
        (host("hostIPC"), "host's namespaces"),
        (lambda o: spec(o)["volumes"].append({"hostPath": {"path": "/"}}), "host's files"),
        (setting("ports", [{"containerPort": 1, "hostPort": 1}]), "port of the host"),
    ],
    "limits_are_set": [
        (setting("resources", {"requests": {"cpu": "1", "memory": "1Gi"}}), "no limits"),
        (lambda o: container(o)["resources"]["requests"].pop("memory"), "no requests"),
        (lambda o: container(o, "CronJob", "monitor").pop("resources"), "no limits"),
    ],
    "secrets_are_named_only": [
        (added(kind="Secret", stringData={"password": "x"}), "is in no file"),
        (added(kind="ConfigMap", data={"AWS_SECRET_ACCESS_KEY": "x"}), "in plain text"),
        (added(kind="ConfigMap", data={"x": "postgresql://me:word@host/x"}), "in plain text"),
        (environment("DATABASE_PASSWORD", "word"), "in plain text"),
        (environment("ADDRESS", "postgresql://me:word@host/x"), "in plain text"),
        (lambda o: container(o)["command"].append("--x=http://me:word@host"), "in plain text"),
    ],
    "tokens_are_only_where_the_cluster_is_asked": [
        (lambda o: spec(o, name="mlflow").pop("automountServiceAccountToken"), "token is mounted"),
        (
            lambda o: the(o, "ServiceAccount", "tandem-mlflow").pop("automountServiceAccountToken"),
            "does not say",
        ),
        (without("ClusterRoleBinding", "tandem-notary"), "for nothing"),
        (unbound("tandem-pipeline"), "for nothing"),
    ],
    "roles_are_narrow": [
        (rule("ClusterRole/tandem-notary", verbs=["*"]), "allows everything"),
        (rule("Role/tandem-pipeline", resources=["*"]), "allows everything"),
        (rule("Role/tandem-launcher", verbs=["*"]), "allows everything"),
        (rule("Role/tandem-pipeline", resources=["secrets"]), "every Secret"),
    ],
    "paths_are_named": [
        (without("NetworkPolicy", "nothing-else"), "nothing closes"),
        (policy("nothing-else", policyTypes=["Ingress"]), "nothing closes"),
        (policy("nothing-else", egress=[{}]), "nothing closes"),
        (without("NetworkPolicy", "mlflow-database"), "no policy says"),
        (policy("notary", egress=[{}]), "every port"),
        (policy("notary", ingress=[{"ports": [{"port": 8765}]}]), "lets everybody in"),
    ],
    "disruptions_are_thought_of": [
        (without("PodDisruptionBudget", "mlflow"), "neither a disruption budget"),
        (
            lambda o: the(o, "Deployment", "notary")["metadata"]["annotations"].pop(NO_BUDGET),
            "neither a disruption budget",
        ),
        (lambda o: the(o, "Deployment", "mlflow")["spec"].update(replicas=1), "every drain"),
    ],
    "servers_are_probed": [
        (lambda o: container(o).pop("livenessProbe"), "no livenessProbe"),
        (lambda o: container(o, "StatefulSet", "mlflow-database").pop("readinessProbe"), "no read"),
    ],
    "jobs_do_not_overlap": [
        (lambda o: the(o, "CronJob", "monitor")["spec"].pop("concurrencyPolicy"), "at once"),
    ],
    "everything_is_labelled": [
        (
            lambda o: the(o, "Deployment", "notary")["spec"]["template"]["metadata"]["labels"].pop(
                "app.kubernetes.io/part-of"
            ),
            "its pods lack",
        ),
        (lambda o: the(o, "Service", "notary")["metadata"].pop("labels"), "lacks"),
    ],
    "namespaces_are_restricted": [
        (
            lambda o: the(o, "Namespace", "tandem")["metadata"]["labels"].update(
                {"pod-security.kubernetes.io/enforce": "baseline"}
            ),
            "does not enforce",
        ),
        (
            lambda o: the(o, "Namespace", "tandem")["metadata"]["labels"].update(
                {"pod-security.kubernetes.io/enforce-version": "latest"}
            ),
            "change with the cluster",
        ),
    ],
    "what_is_named_is_there": [
        (without("ServiceAccount", "tandem-monitor"), "names ServiceAccount tandem-monitor"),
        (without("PersistentVolumeClaim", "notary"), "names PersistentVolumeClaim notary"),
        (
            lambda o: objects_without_settings(o),
            "names ConfigMap anchors",
        ),
    ],
}


def objects_without_settings(objects: list[Manifest]) -> None:
    objects[:] = [item for item in objects if item["kind"] != "ConfigMap"]


def test_every_rule_is_tried() -> None:
    assert [each.__name__ for each in RULES] == list(BROKEN)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        pytest.param(name, *each, id=f"{name}-{place}")
        for name, cases in BROKEN.items()
        for place, each in enumerate(cases)
    ],
)
def test_a_rule_finds_what_breaks_it(name: str, change: Change, said: str) -> None:
    objects = built("generic")
    change(objects)
    found = next(list(each(objects)) for each in RULES if each.__name__ == name)
    assert any(said in problem for problem in found), found
