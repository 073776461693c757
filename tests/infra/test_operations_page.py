"""The page for operators names what is there: objects of the manifests, and commands of ours."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from manifest_policy import containers_are_confined, limits_are_set, nobody_is_root

from pipelines.cli import main
from pipelines.cli.parser import build_parser
from pipelines.settings_file import REPOSITORY
from pipelines.target import load_target

PAGE = (REPOSITORY / "docs" / "operations.md").read_text()
MANIFESTS = REPOSITORY / "infra" / "kubernetes"


def objects() -> set[tuple[str, str]]:
    """Return (kind in small letters, name) of every object that the base makes."""
    files = [path for path in MANIFESTS.rglob("*.yaml") if path.name != "kustomization.yaml"]
    documents = [item for path in files for item in yaml.safe_load_all(path.read_text()) if item]
    return {
        (item["kind"].lower(), item["metadata"]["name"]) for item in documents if "kind" in item
    }


def test_what_is_scaled_and_run_by_hand_is_in_the_manifests() -> None:
    scaled = re.findall(r"scale (deployment) (\S+)", PAGE)
    started = re.findall(r"--from=(cronjob)/(\S+)", PAGE)
    assert len(scaled) == 4
    assert len(started) == 3
    assert {*scaled, *started} <= objects()


def test_every_secret_that_the_manifests_name_is_made_on_the_page() -> None:
    made = set(re.findall(r"create (?:secret \w+|configmap) (\S+)", PAGE))
    text = "".join(path.read_text() for path in MANIFESTS.rglob("*.yaml"))
    named = set(
        re.findall(
            r"secretName: ([\w-]+)|secretRef: {name: ([\w-]+)|secretKeyRef: {name: ([\w-]+)", text
        )
    )
    secrets = {name for names in named for name in names if name}
    assert secrets
    assert secrets | {"tandem-notary-public"} == made  # tandem-bucket is a ConfigMap's name too


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_what_a_target_names_is_made_on_the_page_or_by_the_manifests(name: str) -> None:
    target = load_target(name)
    assert ("serviceaccount", target.service_account) in objects()
    server = (MANIFESTS / "base" / "notary" / "server.yaml").read_text()
    assert f"--allow=tandem/{target.service_account}" in server
    assert target.workspace is not None
    assert f"kind: PersistentVolumeClaim, metadata: {{name: {target.workspace.claim}}}" in PAGE
    if target.queue is not None:
        assert f"Kueue's LocalQueue\n   `{target.queue}`" in PAGE
    made = set(re.findall(r"create (secret|configmap)(?: \w+)?(?: generic| tls)? ([\w-]+)", PAGE))
    secrets = {("secret", item.secret) for item in target.secrets.values()}
    maps = {("configmap", item.config_map) for item in target.config_maps.values()}
    maps |= {("configmap", item.config_map) for item in target.mounts}
    assert secrets | maps <= made


def applied() -> list[dict[str, Any]]:
    """Return what step 4 applies: the launcher's ConfigMap, the workspace, and its job."""
    block = PAGE.partition("<<END\n")[2].partition("       END")[0]
    return list(yaml.safe_load_all(textwrap.dedent(block)))


def test_what_is_applied_by_hand_is_what_the_clusters_api_takes() -> None:
    assert [item["kind"] for item in applied()] == ["ConfigMap", "PersistentVolumeClaim", "Job"]
    for item in applied():
        kubernetes_validate.validate(item, "1.36", strict=True)


def test_kfps_launcher_finds_the_bucket_of_a_target_and_may_read_its_keys() -> None:
    target, data = load_target("prod"), applied()[0]["data"]
    assert data["defaultPipelineRoot"] == target.root
    store = yaml.safe_load(data["providers"])["s3"]["default"]
    assert store["endpoint"] and store["region"]
    secret = store["credentials"]["secretRef"]
    for variable, key in (
        ("AWS_ACCESS_KEY_ID", "accessKeyKey"),
        ("AWS_SECRET_ACCESS_KEY", "secretKeyKey"),
    ):
        ours = target.secrets[variable]
        assert (ours.secret, ours.key) == (secret["secretName"], secret[key])
    documents = yaml.safe_load_all((MANIFESTS / "pipeline" / "account.yaml").read_text())
    (role,) = (item for item in documents if item["kind"] == "Role")
    (rule,) = (rule for rule in role["rules"] if rule["resources"] == ["secrets"])
    assert secret["secretName"] in rule["resourceNames"]


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_every_key_that_a_target_takes_from_a_config_map_is_made_on_the_page(name: str) -> None:
    for entry in load_target(name).config_maps.values():
        (line,) = re.findall(rf"create configmap {entry.config_map} (.*)", PAGE)
        assert f"--from-literal={entry.key}=" in line


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_workspace_is_opened_to_the_user_of_the_stages_with_every_folder_they_need(
    name: str,
) -> None:
    """KFP gives pods no fsGroup, and a mount below the workspace would make its folder root's."""
    target = load_target(name)
    assert target.workspace is not None
    _, _, job = applied()
    template = job["spec"]["template"]
    deployed = [{"kind": "Deployment", "metadata": job["metadata"], "spec": job["spec"]}]
    for rule in (nobody_is_root, containers_are_confined, limits_are_set):
        assert list(rule(deployed)) == []
    context, (container,) = template["spec"]["securityContext"], template["spec"]["containers"]
    ours = [target.security.user, target.security.group, target.security.group]
    assert [context[key] for key in ("runAsUser", "runAsGroup", "fsGroup")] == ours
    assert container["volumeMounts"][0]["mountPath"] == target.workspace.path
    golden = (REPOSITORY / "tests" / "golden" / f"training.{name}.yaml").read_text()
    needed = {*re.findall(rf"(?:value|mountPath): ({target.workspace.path}/\S+)", golden)}
    made = container["command"][2:]
    assert all(any(Path(each).is_relative_to(folder) for each in made) for folder in needed)
    assert {mount.path for mount in target.mounts} & needed


def test_the_replicas_that_come_back_are_those_of_the_manifests() -> None:
    for name, count in re.findall(r"scale deployment (\S+) --replicas=([1-9])", PAGE):
        found = [
            item["spec"]["replicas"]
            for path in (MANIFESTS / "base").rglob("*.yaml")
            for item in yaml.safe_load_all(path.read_text())
            if item and item.get("kind") == "Deployment" and item["metadata"]["name"] == name
        ]
        assert found == [int(count)]


@pytest.mark.parametrize("words", sorted(set(re.findall(r"`tandem ((?:audit|models) \w+)", PAGE))))
def test_the_commands_of_the_page_are_commands(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words.split(), "--help"]) == 0
    assert words in capsys.readouterr().out


LINES = [
    line
    for name in ("operations", "kubernetes", "scale")
    for line in re.findall(
        r"^ {4,}(?:[A-Z_]+=\S+ )*tandem (\S.*)$",
        (REPOSITORY / "docs" / f"{name}.md").read_text(),
        re.MULTILINE,
    )
]


@pytest.mark.parametrize("line", LINES)
def test_a_command_that_is_shown_has_these_options(line: str) -> None:
    words = shlex.split(line.partition(" | ")[0])
    assert build_parser().parse_args(words), "which raises WrongUsage for what it does not know"


def test_commands_of_every_kind_are_shown() -> None:
    shown = {line.split()[0] for line in LINES}
    assert shown >= {"submit", "schedule", "backfill", "runs", "logs", "retry", "terminate"}


def test_the_page_and_its_links_are_there() -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", PAGE):
        assert Path(REPOSITORY / "docs" / link).exists(), link
