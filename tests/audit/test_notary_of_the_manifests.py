"""The notary, the monitor and the key rotation as infra/kubernetes starts them, command by command.

The words are the manifests'; this machine's paths stand for those of the pods.
"""

from __future__ import annotations

import os
import shlex
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import vault
from built_manifests import Manifest, built, containers, the
from kubernetes_api import TokenApi, token_api
from strict_s3 import strict_s3, variables
from test_notary_over_a_port import certificate

from components.audit.client import CA_VARIABLE, TOKEN_VARIABLE, Notary
from components.audit.folder import AuditFolder
from components.audit.keys import read_public_key
from components.audit.notary import open_notary
from components.audit.verified_log import VerifiedLog
from components.core.errors import SettingsError

pytestmark = pytest.mark.slow

__all__ = ["certificate"]
Draft = Callable[..., dict[str, Any]]
AUDIENCE = ("https://kubernetes.default.svc",)


@dataclass
class Pods:
    """An overlay's objects on this machine: where each mounted path lies, and what is set."""

    objects: list[Manifest]
    folder: Path
    tls: tuple[Path, Path]
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the key as docs/operations.md does."""
        self.key.mkdir(parents=True)
        where = {"cwd": self.key, "check": True, "capture_output": True}
        subprocess.run(shlex.split("openssl genpkey -algorithm ed25519 -out notary.key"), **where)
        subprocess.run(shlex.split("openssl pkey -in notary.key -pubout -out notary.pub"), **where)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def key(self) -> Path:
        return self.folder / "key"

    def words(self, kind: str, name: str, container: str, home: Path | None = None) -> list[str]:
        """Return a container's command with this machine's paths and a free port."""
        item = the(self.objects, kind, name)["spec"]
        template = (item["jobTemplate"]["spec"] if kind == "CronJob" else item)["template"]
        (found,) = (each for each in containers(template) if each["name"] == container)
        text = "\0".join(found["command"])
        for place, here in {
            "/var/lib/tandem": home or self.home,
            "/etc/tandem/key": self.key,
            "/etc/tandem/tls/tls.crt": self.tls[0],
            "/etc/tandem/tls/tls.key": self.tls[1],
            "0.0.0.0:8765": "127.0.0.1:0",
        }.items():
            text = text.replace(place, str(here))
        words = text.split("\0")
        program = [sys.executable, "-P", "-m", "pipelines.cli"]
        return [*program, *words[1:]] if words[0] == "tandem" else words

    def run(self, *which: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a container's command to its end."""
        return subprocess.run(
            self.words(*which, home=home), env=self._environment(), capture_output=True, text=True
        )

    @contextmanager
    def notary(self, api: TokenApi) -> Iterator[str]:
        """Start the pod of the notary; give the address that it says."""
        first = self.run("Deployment", "notary", "keys")
        assert (first.returncode, first.stderr) == (0, "")
        kubeconfig = {"KUBECONFIG": str(api.kubeconfig(self.folder / "config"))}
        process = subprocess.Popen(
            self.words("Deployment", "notary", "notary"),
            env=self._environment() | kubeconfig,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert " at https://" in line, line + process.stderr.read()
            port = line.strip().rpartition(":")[2]
            yield f"https://127.0.0.1:{port}"
        finally:
            process.terminate()
            assert process.wait(timeout=20) == 0

    def _environment(self) -> Mapping[str, str]:
        return os.environ | self.variables


@pytest.fixture
def api() -> Iterator[TokenApi]:
    with token_api() as api:
        api.tokens["of.the-pipeline"] = ("system:serviceaccount:tandem:tandem-pipeline", AUDIENCE)
        api.tokens["of.the-monitor"] = ("system:serviceaccount:tandem:tandem-monitor", AUDIENCE)
        yield api


@pytest.fixture
def pods(tmp_path: Path, certificate: tuple[Path, Path]) -> Pods:
    return Pods(built("gke"), tmp_path, certificate)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pods: Pods) -> Callable[..., Notary]:
    """Return a client as a stage is, with a token of some account."""

    def as_stage(address: str, account: str = "pipeline") -> Notary:
        (tmp_path / "token").write_text(f"of.the-{account}")
        monkeypatch.setenv(TOKEN_VARIABLE, str(tmp_path / "token"))
        monkeypatch.setenv(CA_VARIABLE, str(pods.tls[0]))
        return Notary(address)

    return as_stage


def test_the_notarys_pod_answers_its_probes_and_records_for_the_pipelines_account_alone(
    pods: Pods, api: TokenApi, client: Callable[..., Notary], draft: Draft
) -> None:
    server = the(pods.objects, "Deployment", "notary")["spec"]["template"]["spec"]["containers"][0]
    probes = [
        server[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")
    ]
    with pods.notary(api) as address:
        for probe in probes:
            assert (probe["scheme"], probe["port"]) == ("HTTPS", server["ports"][0]["name"])
            unverified = ssl._create_unverified_context()  # noqa: S323 - as the kubelet asks
            port = int(address.rpartition(":")[2])
            connection = HTTPSConnection("127.0.0.1", port, context=unverified, timeout=30)
            connection.request("GET", probe["path"])
            assert connection.getresponse().status == 200
        assert client(address).submit(draft("START")).index == 0
        with pytest.raises(SettingsError, match="tandem-monitor may not hand in records"):
            client(address, "monitor").submit(draft("START", attempt=2))
    assert f"--listen=0.0.0.0:{server['ports'][0]['containerPort']}" in server["command"]


def test_the_notary_signs_with_the_key_of_the_secret_which_nobody_else_can_read(
    pods: Pods, api: TokenApi, client: Callable[..., Notary], draft: Draft
) -> None:
    (pods.key / "notary.key").chmod(0o440)  # as a Secret's files are for a pod with a group
    with pods.notary(api) as address:
        client(address).submit(draft("START"))
    folder = AuditFolder(pods.home)
    assert folder.private_key.stat().st_mode & 0o777 == 0o600
    assert folder.public_key.read_bytes() == (pods.key / "notary.pub").read_bytes()
    assert VerifiedLog.of(pods.home).key == read_public_key(folder)


def monitors_home(pods: Pods) -> Path:
    """Return what the monitor's pod has: the public key, its settings, and the log to read."""
    home = pods.folder / "monitor"
    settings = next(
        item["data"]
        for item in pods.objects
        if item["kind"] == "ConfigMap" and item["metadata"]["name"].startswith("anchors-")
    )
    (home / "audit/keys").mkdir(parents=True)
    shutil.copy(pods.key / "notary.pub", home / "audit/keys")
    (home / "audit/anchors.yaml").write_text(settings["anchors.yaml"])
    if not pods.variables:
        (home / "audit/log").symlink_to(pods.home / "audit/log")
    return home


def test_the_monitor_needs_no_private_key_and_keeps_checkpoints_that_show_a_rewrite(
    pods: Pods, api: TokenApi, client: Callable[..., Notary], draft: Draft
) -> None:
    with pods.notary(api) as address:
        client(address).submit(draft("START"))
    home, which = monitors_home(pods), ("CronJob", "monitor", "monitor")
    before = sorted((path, path.stat().st_mtime_ns) for path in pods.home.rglob("*"))
    first, second = pods.run(*which, home=home), pods.run(*which, home=home)
    assert (first.returncode, second.returncode) == (5, 0), first.stderr
    assert "nothing to compare with: git kept no checkpoint" in first.stdout
    assert "1 entries, checkpoints compared: git 1" in second.stdout
    assert sorted((path, path.stat().st_mtime_ns) for path in pods.home.rglob("*")) == before
    for name in ("log", "spool"):
        shutil.rmtree(pods.home / "audit" / name)
    with pods.notary(api) as address:
        client(address).submit(draft("START", attempt=7))
    rewritten = pods.run(*which, home=home)
    assert rewritten.returncode == 1
    assert "are not those that were anchored" in rewritten.stdout


def test_a_rotation_needs_the_notary_to_be_away_and_its_key_survives_the_next_start(
    pods: Pods, api: TokenApi, client: Callable[..., Notary], draft: Draft
) -> None:
    which = ("CronJob", "notary-rotate-keys", "rotate")
    with pods.notary(api) as address:
        client(address).submit(draft("START"))
        refused = pods.run(*which)
    assert refused.returncode == 1, refused.stderr
    done = pods.run(*which)
    assert "signs from now on" in done.stdout, done.stderr
    with pods.notary(api) as address:
        client(address).submit(draft("START", attempt=2))
    keys = VerifiedLog.of(pods.home).snapshot.keys.tenures
    assert [(item.first, item.end) for item in keys] == [(0, 2), (2, None)]


def test_with_the_key_in_vault_the_secret_has_its_name_and_a_rotation_stays_there(
    tmp_path: Path,
    certificate: tuple[Path, Path],
    api: TokenApi,
    client: Callable[..., Notary],
    draft: Draft,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with vault.serving() as transit:
        transit.rotate("tandem-log")
        variables = {"VAULT_ADDR": transit.url, "VAULT_TOKEN": vault.TOKEN}
        for name, value in (variables | {"TANDEM_AUDIT_SIGNER": "hv:tandem-log"}).items():
            monkeypatch.setenv(name, value)
        with open_notary(tmp_path / "here") as notary:  # as docs/operations.md begins one
            notary.checkpoint()
        monkeypatch.delenv("TANDEM_AUDIT_SIGNER")
        pods = Pods(built("gke"), tmp_path / "pods", certificate, variables)
        shutil.rmtree(pods.key)
        shutil.copytree(tmp_path / "here/audit/keys", pods.key)
        with pods.notary(api) as address:
            client(address).submit(draft("START"))
        transit.rotate("tandem-log")
        done = pods.run("CronJob", "notary-rotate-keys", "rotate")
        assert "signs from now on" in done.stdout, done.stderr
        with pods.notary(api) as address:
            client(address).submit(draft("START", attempt=2))
    public = [key.public_key().public_bytes_raw() for key in transit.keys["tandem-log"]]
    assert [item.key.raw for item in VerifiedLog.of(pods.home).snapshot.keys.tenures] == public
    assert not list(pods.home.rglob("*.key"))


def test_with_the_log_in_a_bucket_notary_and_monitor_find_it_by_the_overlays_settings(
    tmp_path: Path,
    certificate: tuple[Path, Path],
    api: TokenApi,
    client: Callable[..., Notary],
    draft: Draft,
) -> None:
    import boto3

    objects = built("generic")
    settings = next(
        dict(item["data"])
        for item in objects
        if item["kind"] == "ConfigMap" and item["metadata"]["name"].startswith("audit-log-")
    )
    with strict_s3() as server:
        # The address is this machine's; the credentials are those of the Secrets.
        settings |= variables(server)
        boto3.client(
            "s3",
            endpoint_url=server.address,
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
        ).create_bucket(Bucket=settings["TANDEM_AUDIT_LOG"].split("/")[2])
        pods = Pods(objects, tmp_path / "bucket", certificate, settings)
        with pods.notary(api) as address:
            client(address).submit(draft("START"))
        assert not list((pods.home / "audit/log").iterdir())
        home, which = monitors_home(pods), ("CronJob", "monitor", "monitor")
        first, seen = pods.run(*which, home=home), pods.run(*which, home=home)
    assert first.returncode == 5
    assert (seen.returncode, seen.stdout.splitlines()[0]) == (
        0,
        "the log agrees; 1 entries, checkpoints compared: git 1",
    )
