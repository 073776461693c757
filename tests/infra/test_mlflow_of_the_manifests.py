"""MLflow's server as infra/kubernetes starts it: by the manifest's own words, on this machine."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from built_manifests import OVERLAYS, Manifest, built, the
from mlflow_processes import free_port

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 180
REFERENCE = re.compile(r"\$\((\w+)\)")


def container(objects: list[Manifest]) -> Any:
    (found,) = the(objects, "Deployment", "mlflow")["spec"]["template"]["spec"]["containers"]
    return found


def program(words: list[str]) -> list[str]:
    assert words[0] == "mlflow"
    return [sys.executable, "-m", *words]


def environment(folder: Path, **said: str) -> dict[str, str]:
    beside = str(Path(sys.executable).parent)  # MLflow starts uvicorn by its name
    path = os.pathsep.join((beside, os.environ["PATH"]))
    store = {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/mlflow.db"}
    return {**os.environ, "PATH": path, **store, **said}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Start the server of overlay kind in an empty folder; give its port and its files' folder."""
    folder, objects = tmp_path_factory.mktemp("mlflow"), built("kind")
    found, port = container(objects), free_port()
    said = {each["name"]: each["value"] for each in found["env"] if "value" in each}
    del said["MLFLOW_BACKEND_STORE_URI"], said["HOME"]
    (settings,) = found["envFrom"]
    data = the(objects, "ConfigMap", settings["configMapRef"]["name"])["data"]
    (mount,) = (each for each in found["volumeMounts"] if each["name"] == "artifacts")
    files = {
        name: value.replace(mount["mountPath"], str(folder / "files"))
        for name, value in data.items()
    }
    words = [
        re.sub("^--host=.*", "--host=127.0.0.1", re.sub("^--port=.*", f"--port={port}", word))
        for word in found["command"]
    ]
    work = folder / "work"
    work.mkdir()
    with subprocess.Popen(
        program(words),
        cwd=work,
        env=environment(folder, **said, **files),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_for(process, port, found["readinessProbe"]["httpGet"]["path"])
            yield port, folder / "files"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert [*work.iterdir()] == []  # the pod could not write there


@pytest.fixture(scope="module")
def port(server: tuple[int, Path]) -> int:
    return server[0]


def _wait_for(server: subprocess.Popen[bytes], port: int, path: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, f"the server ended with {server.returncode}"
        try:
            if asked(port, path) == 200:
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the server did not answer")


def asked(port: int, path: str, host: str = "10.0.0.7:5000") -> int:
    """Return the status of an answer to who asks by a name; the kubelet asks by an address."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status


def test_every_probe_is_answered(port: int) -> None:
    found = container(built("kind"))
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = found[name]["httpGet"]
        assert probe["port"] == found["ports"][0]["name"]
        assert asked(port, probe["path"]) == 200
    assert f"--port={found['ports'][0]['containerPort']}" in found["command"]


@pytest.mark.parametrize(
    "host",
    [
        "mlflow",
        "mlflow.tandem",
        "mlflow.tandem.svc",
        "mlflow.tandem.svc.cluster.local",
        "localhost",
    ],
)
def test_it_answers_by_the_names_of_its_service(port: int, host: str) -> None:
    service = the(built("kind"), "Service", "mlflow")
    assert service["metadata"]["namespace"] == "tandem"
    number = service["spec"]["ports"][0]["port"]
    assert asked(port, "/api/2.0/mlflow/registered-models/search", f"{host}:{number}") == 200


def test_it_answers_by_no_other_name(port: int) -> None:
    assert asked(port, "/api/2.0/mlflow/registered-models/search", "rebound.example") == 403


def test_files_go_through_it_to_where_the_setting_says(server: tuple[int, Path]) -> None:
    port, files = server
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        path = "/api/2.0/mlflow-artifacts/artifacts/1/model.txt"
        connection.request("PUT", path, b"of a model", {"Host": "mlflow:5000"})
        assert connection.getresponse().status == 200
    assert (files / "1/model.txt").read_bytes() == b"of a model"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_address_of_the_store_is_that_of_the_database(overlay: str) -> None:
    from sqlalchemy.engine import make_url

    objects = built(overlay)
    entries = {each["name"]: each for each in container(objects)["env"]}
    text = entries["MLFLOW_BACKEND_STORE_URI"]["value"]
    names = [*entries]
    for name in REFERENCE.findall(text):  # only what stands before is put in
        assert names.index(name) < names.index("MLFLOW_BACKEND_STORE_URI")
    url = make_url(REFERENCE.sub(lambda match: match[1].lower(), text))
    assert url.get_dialect().driver == "pg8000"
    service = the(objects, "Service", url.host)
    assert service["spec"]["ports"][0]["port"] == url.port
    (server,) = the(objects, "StatefulSet", url.host)["spec"]["template"]["spec"]["containers"]
    database = {each["name"]: each for each in server["env"]}
    assert database["POSTGRES_DB"]["value"] == url.database
    for theirs, ours in (
        ("POSTGRES_USER", "DATABASE_USER"),
        ("POSTGRES_PASSWORD", "DATABASE_PASSWORD"),
    ):
        assert database[theirs]["valueFrom"] == entries[ours]["valueFrom"]


def test_the_upgrade_brings_a_store_to_this_versions_tables(tmp_path: Path) -> None:
    job = the(built("kind"), "CronJob", "mlflow-upgrade")["spec"]["jobTemplate"]["spec"]
    (found,) = job["template"]["spec"]["containers"]
    given = environment(tmp_path)
    words = [REFERENCE.sub(lambda match: given[match[1]], word) for word in found["command"]]
    done = subprocess.run(program(words), env=given, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mlflow.db").is_file()
