"""Every overlay of infra/kubernetes builds, and each object is one that the cluster's API takes."""

from __future__ import annotations

import re

import kubernetes_validate
import pytest
from built_manifests import KUBERNETES, OVERLAYS, Manifest, built, containers, pods, the

from components.audit.client import DOWN_VARIABLE
from components.audit.log_place import SPOOL_VARIABLE
from components.core.buckets import is_in_bucket
from components.core.kubernetes_names import GPU, TPU
from pipelines.target import load_target

pytestmark = pytest.mark.slow

VERSIONS = ("1.33", "1.34", "1.35", "1.36")
ZEROS = "sha256:" + 64 * "0"
CLUSTER = ("ClusterRole", "ClusterRoleBinding", "Namespace")


@pytest.fixture(params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> list[Manifest]:
    """The objects of an overlay."""
    return built(request.param)


@pytest.mark.parametrize("version", VERSIONS)
def test_each_object_is_one_of_the_clusters_api(objects: list[Manifest], version: str) -> None:
    assert objects
    for item in objects:
        assert kubernetes_validate.validate(item, version, strict=True) == version


@pytest.mark.parametrize("version", VERSIONS)
def test_the_schemas_know_no_other_field_and_no_other_type(version: str) -> None:
    item = the(built("generic"), "Deployment", "notary")
    container = item["spec"]["template"]["spec"]["containers"][0]
    container["securityContext"]["readOnlyRootFileSystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyRootFileSystem"):
        kubernetes_validate.validate(item, version, strict=True)
    del container["securityContext"]["readOnlyRootFileSystem"]
    item["spec"]["replicas"] = "one"
    with pytest.raises(kubernetes_validate.ValidationError, match="one"):
        kubernetes_validate.validate(item, version, strict=True)


@pytest.mark.parametrize("target", ["dev", "prod"])
def test_what_a_target_spools_lies_where_the_notary_looks(
    objects: list[Manifest], target: str
) -> None:
    (notary,) = the(objects, "Deployment", "notary")["spec"]["template"]["spec"]["containers"]
    looks = {item["name"]: item.get("value") for item in notary["env"]}.get(SPOOL_VARIABLE)
    stages = load_target(target).environment
    assert stages.get(SPOOL_VARIABLE) == looks
    assert looks or DOWN_VARIABLE not in stages


def test_no_two_objects_of_an_overlay_are_the_same(objects: list[Manifest]) -> None:
    names = [
        (
            item["apiVersion"],
            item["kind"],
            item["metadata"].get("namespace"),
            item["metadata"]["name"],
        )
        for item in objects
    ]
    assert len(set(names)) == len(names)
    assert all((kind in CLUSTER) == (namespace is None) for _, kind, namespace, _ in names)


def test_the_quota_bounds_each_accelerator_that_a_target_may_name(objects: list[Manifest]) -> None:
    """What is not in a quota is not bounded by it; the example of a target fits into it."""
    hard = the(objects, "ResourceQuota", "tandem")["spec"]["hard"]
    for accelerator in load_target("prod").accelerators.values():
        assert accelerator.count <= int(hard[f"requests.{accelerator.resource}"])
    assert {f"requests.{name}" for name in (GPU, TPU)} <= hard.keys()


def test_no_overlay_ships_an_image_of_somebodys(objects: list[Manifest]) -> None:
    """Who installs writes the digests; until then no registry has what is asked for."""
    images = {each["image"] for _, template in pods(objects) for each in containers(template)}
    assert {image.rpartition("@")[2] for image in images} == {ZEROS}
    assert {re.split("[/@]", image)[-2] for image in images} == {"tandem-registry", "postgres"}


def test_the_account_of_the_runs_is_the_one_that_is_let_in(objects: list[Manifest]) -> None:
    """The namespace of the runs stands in three places, which agree."""
    account = the(objects, "ServiceAccount", "tandem-pipeline")["metadata"]
    (server,) = containers(the(objects, "Deployment", "notary")["spec"]["template"])[1:]
    allowed = [word for word in server["command"] if word.startswith("--allow=")]
    assert allowed == [f"--allow={account['namespace']}/{account['name']}"]
    for name in ("notary", "mlflow"):
        (way,) = the(objects, "NetworkPolicy", name)["spec"]["ingress"]
        (source,) = way["from"]
        assert source["namespaceSelector"]["matchLabels"] == {
            "kubernetes.io/metadata.name": account["namespace"]
        }
    binding = the(objects, "RoleBinding", "tandem-pipeline")
    assert binding["subjects"][0]["namespace"] == account["namespace"]
    assert binding["metadata"]["namespace"] == account["namespace"]


@pytest.mark.parametrize("overlay", [name for name in OVERLAYS if name != "kind"])
def test_no_stage_may_ask_kfp_for_runs(overlay: str) -> None:
    objects = built(overlay)
    of = {
        account: {
            item["roleRef"]["name"]
            for item in objects
            if item["kind"] == "RoleBinding" and item["subjects"][0]["name"] == account
        }
        for account in ("tandem-pipeline", "tandem-launcher")
    }
    assert of == {
        "tandem-pipeline": {"tandem-pipeline"},
        "tandem-launcher": {"tandem-pipeline", "tandem-launcher"},
    }
    assert load_target("prod").launcher_account == "tandem-launcher"


def test_nobody_but_the_notary_has_its_key_or_may_write_to_the_log(objects: list[Manifest]) -> None:
    its = {("Deployment", "notary"), ("CronJob", "notary-rotate-keys")}
    for item, template in pods(objects):
        spec = template["spec"]
        secrets = {
            volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume
        }
        claims = {
            volume["persistentVolumeClaim"]["claimName"]
            for volume in spec["volumes"]
            if "persistentVolumeClaim" in volume
        }
        sources = [each for one in containers(template) for each in one.get("envFrom", ())]
        secrets |= {each["secretRef"]["name"] for each in sources if "secretRef" in each}
        mounts = [mount for each in containers(template) for mount in each["volumeMounts"]]
        if (item["kind"], item["metadata"]["name"]) not in its:
            assert not secrets & {"tandem-notary-key", "tandem-notary-tls", "tandem-log-bucket"}
            assert "notary" not in claims
            assert all(mount.get("readOnly") for mount in mounts if mount["name"] == "log")


def test_where_the_log_is_on_a_volume_the_monitor_reads_that_volume() -> None:
    for overlay in ("gke", "kind"):
        (server, monitor) = (
            template["spec"]
            for item, template in pods(built(overlay))
            if (item["kind"], item["metadata"]["name"])
            in (("Deployment", "notary"), ("CronJob", "monitor"))
        )
        of_log = {"name": "log", "persistentVolumeClaim": {"claimName": "audit-log"}}
        place = {"name": "log", "mountPath": "/var/lib/tandem/audit/log"}
        assert of_log in server["volumes"] and of_log in monitor["volumes"]
        assert place in server["containers"][0]["volumeMounts"]
        assert place | {"readOnly": True} in monitor["containers"][0]["volumeMounts"]
        assert monitor["affinity"]["podAffinity"]


def test_the_notary_reads_the_artifacts_where_the_stages_put_them(
    objects: list[Manifest],
) -> None:
    template = the(objects, "Deployment", "notary")["spec"]["template"]["spec"]
    (server,) = template["containers"]
    maps = [each["configMapRef"]["name"] for each in server["envFrom"] if "configMapRef" in each]
    (place,) = (the(objects, "ConfigMap", name)["data"]["TANDEM_ARTIFACTS"] for name in maps)
    account = the(objects, "ServiceAccount", template["serviceAccountName"])["metadata"]
    has_keys = any("secretRef" in each for each in server["envFrom"])
    is_known = "iam.gke.io/gcp-service-account" in account.get("annotations", {})
    assert is_in_bucket(place)
    assert (has_keys, is_known) == (not place.startswith("gs://"), place.startswith("gs://"))


def test_the_example_of_a_target_and_its_notary_have_one_root() -> None:
    text = (KUBERNETES / "overlays" / "generic" / "audit-log.env").read_text()
    assert f"TANDEM_ARTIFACTS={load_target('prod').root}" in text.splitlines()


def test_every_file_of_the_manifests_is_part_of_an_overlay() -> None:
    """What nothing names is not built, and so not checked."""
    named = set()
    for file in KUBERNETES.rglob("kustomization.yaml"):
        said = re.sub(r"#.*", "", file.read_text())
        for word in re.findall(r"[\w./-]*\w", said):
            place = (file.parent / word).resolve()
            named.add(place / "kustomization.yaml" if place.is_dir() else place)
    roots = {KUBERNETES / "overlays" / name / "kustomization.yaml" for name in OVERLAYS}
    # What test_manifests_of_nodes.py adds to each overlay.
    roots.add(KUBERNETES / "components" / "training-nodes" / "kustomization.yaml")
    files = {path for path in KUBERNETES.rglob("*") if path.is_file()}
    assert files <= named | roots
