"""What every object of infra/kubernetes must be: each rule yields what breaks it, as a sentence.

Rules look at built objects, so that what an overlay changes is seen too. They say nothing of KFP's
own objects, nor of the pods that KFP makes of a run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from built_manifests import Manifest, containers, pods

Problems = Iterator[str]
BY_DIGEST = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}")
NO_BUDGET = "tandem.invalid/no-disruption-budget"
LABELS = tuple(f"app.kubernetes.io/{name}" for name in ("name", "component", "part-of"))
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|CREDENTIAL|ACCESS_KEY", re.IGNORECASE)
SECRET_VALUE = re.compile(r"://[^/@$]*:[^/@$]+@|-----BEGIN")


def name_of(item: Manifest) -> str:
    return f"{item['kind']} {item['metadata']['name']}"


def of_kind(objects: list[Manifest], *kinds: str) -> list[Manifest]:
    return [item for item in objects if item["kind"] in kinds]


def images_are_pinned(objects: list[Manifest]) -> Problems:
    for item, template in pods(objects):
        for container in containers(template):
            if not BY_DIGEST.fullmatch(container["image"]):
                yield f"{name_of(item)}: {container['image']} has no digest, or a tag"


def nobody_is_root(objects: list[Manifest]) -> Problems:
    for item, template in pods(objects):
        contexts = [template["spec"].get("securityContext", {})]
        contexts += [each.get("securityContext", {}) for each in containers(template)]
        if not (contexts[0].get("runAsNonRoot") and contexts[0].get("runAsUser")):
            yield f"{name_of(item)}: its pod may run as root"
        if any(not each.get(key, 1) for each in contexts for key in ("runAsNonRoot", "runAsUser")):
            yield f"{name_of(item)}: a container of it may run as root"


def containers_are_confined(objects: list[Manifest]) -> Problems:
    """Pod Security's level `restricted`, and a root file system that cannot be written."""
    for item, template in pods(objects):
        profile = template["spec"].get("securityContext", {}).get("seccompProfile", {})
        if profile.get("type") != "RuntimeDefault":
            yield f"{name_of(item)}: no seccomp profile"
        for container in containers(template):
            context = container.get("securityContext", {})
            confined = (
                context.get("allowPrivilegeEscalation") is False
                and context.get("readOnlyRootFilesystem") is True
                and context.get("capabilities") == {"drop": ["ALL"]}
                and not context.get("privileged")
            )
            if not confined:
                yield f"{name_of(item)}: container {container['name']} is not confined"


def nothing_is_the_hosts(objects: list[Manifest]) -> Problems:
    for item, template in pods(objects):
        spec = template["spec"]
        if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{name_of(item)}: shares the host's namespaces"
        if any("hostPath" in volume for volume in spec.get("volumes", ())):
            yield f"{name_of(item)}: mounts the host's files"
        ports = [port for each in containers(template) for port in each.get("ports", ())]
        if any("hostPort" in port for port in ports):
            yield f"{name_of(item)}: takes a port of the host"


def limits_are_set(objects: list[Manifest]) -> Problems:
    for item, template in pods(objects):
        for container in containers(template):
            for kind in ("requests", "limits"):
                said = container.get("resources", {}).get(kind, {})
                if not {"cpu", "memory"} <= said.keys():
                    yield f"{name_of(item)}: container {container['name']} has no {kind}"


def secrets_are_named_only(objects: list[Manifest]) -> Problems:
    for item in of_kind(objects, "Secret"):
        yield f"{name_of(item)}: a Secret is made by who installs, and is in no file"
    for item in of_kind(objects, "ConfigMap"):
        for key, value in item.get("data", {}).items():
            if SECRET_NAME.search(key) or SECRET_VALUE.search(value):
                yield f"{name_of(item)}: {key} is a secret in plain text"
    for item, template in pods(objects):
        for container in containers(template):
            words = [*container.get("command", ()), *container.get("args", ())]
            said = [(entry["name"], entry.get("value", "")) for entry in container.get("env", ())]
            if any(value and SECRET_NAME.search(key) for key, value in said) or any(
                SECRET_VALUE.search(text) for text in (*words, *(value for _, value in said))
            ):
                yield f"{name_of(item)}: container {container['name']} has a secret in plain text"


def tokens_are_only_where_the_cluster_is_asked(objects: list[Manifest]) -> Problems:
    bound = {
        subject["name"]
        for item in of_kind(objects, "RoleBinding", "ClusterRoleBinding")
        for subject in item["subjects"]
    }
    for item in of_kind(objects, "ServiceAccount"):
        if "automountServiceAccountToken" not in item:
            yield f"{name_of(item)}: does not say whether its token is mounted"
        elif item["automountServiceAccountToken"] and item["metadata"]["name"] not in bound:
            yield f"{name_of(item)}: its token is mounted, for nothing that it may do"
    for item, template in pods(objects):
        mounted = template["spec"].get("automountServiceAccountToken", True)
        if mounted and template["spec"].get("serviceAccountName") not in bound:
            yield f"{name_of(item)}: a token is mounted, for nothing that it may do"


def roles_are_narrow(objects: list[Manifest]) -> Problems:
    for item in of_kind(objects, "Role", "ClusterRole"):
        for rule in item["rules"]:
            if "*" in (*rule["apiGroups"], *rule["resources"], *rule["verbs"]):
                yield f"{name_of(item)}: allows everything of a kind"
            if "secrets" in rule["resources"] and not rule.get("resourceNames"):
                yield f"{name_of(item)}: allows every Secret"


def _selects(policy: Manifest, labels: dict[str, str]) -> bool:
    said = policy["spec"]["podSelector"]
    assert said.keys() <= {"matchLabels"}, "the rules know no other selector"
    return said.get("matchLabels", {}).items() <= labels.items()


def paths_are_named(objects: list[Manifest]) -> Problems:
    """A policy that closes each namespace, and one of its own for each pod."""
    policies = of_kind(objects, "NetworkPolicy")
    closed = {
        policy["metadata"]["namespace"]
        for policy in policies
        if policy["spec"]["podSelector"] == {}
        and sorted(policy["spec"]["policyTypes"]) == ["Egress", "Ingress"]
        and not {"ingress", "egress"} & policy["spec"].keys()
    }
    for item, template in pods(objects):
        labels, namespace = template["metadata"]["labels"], item["metadata"]["namespace"]
        if namespace not in closed:
            yield f"{name_of(item)}: nothing closes namespace {namespace}"
        if not any(
            _selects(policy, labels)
            for policy in policies
            if policy["spec"]["podSelector"] and policy["metadata"]["namespace"] == namespace
        ):
            yield f"{name_of(item)}: no policy says what it may connect to"
    for policy in policies:
        ways = [*policy["spec"].get("ingress", ()), *policy["spec"].get("egress", ())]
        if any(not way.get("ports") for way in ways):
            yield f"{name_of(policy)}: opens every port"
        if any(not way.get("from") for way in policy["spec"].get("ingress", ())):
            yield f"{name_of(policy)}: lets everybody in"


def disruptions_are_thought_of(objects: list[Manifest]) -> Problems:
    budgets = of_kind(objects, "PodDisruptionBudget")
    for item in of_kind(objects, "Deployment", "StatefulSet"):
        labels = item["spec"]["template"]["metadata"]["labels"]
        its = [
            each
            for each in budgets
            if each["spec"]["selector"]["matchLabels"].items() <= labels.items()
        ]
        if not its and not item["metadata"].get("annotations", {}).get(NO_BUDGET):
            yield f"{name_of(item)}: neither a disruption budget nor why not"
        if any(each["spec"]["minAvailable"] >= item["spec"]["replicas"] for each in its):
            yield f"{name_of(item)}: its disruption budget stops every drain"


def servers_are_probed(objects: list[Manifest]) -> Problems:
    for item in of_kind(objects, "Deployment", "StatefulSet"):
        for container in item["spec"]["template"]["spec"]["containers"]:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if probe not in container:
                    yield f"{name_of(item)}: container {container['name']} has no {probe}"


def jobs_do_not_overlap(objects: list[Manifest]) -> Problems:
    for item in of_kind(objects, "CronJob"):
        if item["spec"].get("concurrencyPolicy") != "Forbid":
            yield f"{name_of(item)}: two of its jobs may run at once"


def everything_is_labelled(objects: list[Manifest]) -> Problems:
    for item, template in pods(objects):
        if not set(LABELS) <= template["metadata"]["labels"].keys():
            yield f"{name_of(item)}: its pods lack one of {', '.join(LABELS)}"
    for item in objects:
        if LABELS[-1] not in item["metadata"].get("labels", {}):
            yield f"{name_of(item)}: lacks {LABELS[-1]}"


def namespaces_are_restricted(objects: list[Manifest]) -> Problems:
    for item in of_kind(objects, "Namespace"):
        labels = item["metadata"].get("labels", {})
        for mode in ("enforce", "audit", "warn"):
            if labels.get(f"pod-security.kubernetes.io/{mode}") != "restricted":
                yield f"{name_of(item)}: Pod Security does not {mode} `restricted`"
            if labels.get(f"pod-security.kubernetes.io/{mode}-version") in (None, "latest"):
                yield f"{name_of(item)}: Pod Security's rules change with the cluster"


def what_is_named_is_there(objects: list[Manifest]) -> Problems:
    """ConfigMap tandem-notary-public and the Secrets are made by who installs."""
    there = {(item["kind"], item["metadata"]["name"]) for item in objects}
    there.add(("ConfigMap", "tandem-notary-public"))
    there |= {
        ("PersistentVolumeClaim", claim["metadata"]["name"])
        for item in of_kind(objects, "StatefulSet")
        for claim in item["spec"].get("volumeClaimTemplates", ())
    }
    for item, template in pods(objects):
        for kind, name in _named(template["spec"]):
            if (kind, name) not in there:
                yield f"{name_of(item)}: names {kind} {name}, which is not there"


def _named(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "ServiceAccount", spec.get("serviceAccountName", "default")
    for volume in spec.get("volumes", ()):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]
    for container in containers({"spec": spec}):
        for source in container.get("envFrom", ()):
            if "configMapRef" in source:
                yield "ConfigMap", source["configMapRef"]["name"]


RULES: tuple[Callable[[list[Manifest]], Problems], ...] = (
    images_are_pinned,
    nobody_is_root,
    containers_are_confined,
    nothing_is_the_hosts,
    limits_are_set,
    secrets_are_named_only,
    tokens_are_only_where_the_cluster_is_asked,
    roles_are_narrow,
    paths_are_named,
    disruptions_are_thought_of,
    servers_are_probed,
    jobs_do_not_overlap,
    everything_is_labelled,
    namespaces_are_restricted,
    what_is_named_is_there,
)


def problems(objects: list[Manifest]) -> list[str]:
    """Return what breaks any rule."""
    return [problem for rule in RULES for problem in rule(objects)]
