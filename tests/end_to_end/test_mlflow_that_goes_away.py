"""An MLflow server that goes away while a run trains: tried again, told, and gone on from there."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow_processes import answering, free_port
from prepared_run import SMALL, PreparedRun, run_tandem

from pipelines.cli import main

pytestmark = pytest.mark.slow
# The log has the small run's versions of flights-late, and this MLflow counts from 1 again.
ELSEWHERE = ("--set", "registry.model_name=flights-elsewhere")


class Noticing(io.StringIO):
    """Standard output that calls back once it is told the run's id: before its first stage."""

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__()
        self._calls = [call]

    def write(self, text: str) -> int:
        if text.startswith("run ") and self._calls:
            self._calls.pop()()
        return super().write(text)


@pytest.fixture
def home(small_run: PreparedRun, tmp_path: Path) -> Path:
    """Return a home that has the small run in its cache and in its log."""
    folder = tmp_path / "home"
    for part in ("audit", "cache"):
        shutil.copytree(small_run.home / part, folder / part)
    return folder


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, tuple[str, ...]]:
    """Return the port and the command of the MLflow server that the environment names."""
    port = free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # of each attempt: theirs wait too
    monkeypatch.setenv("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    store, files = f"sqlite:///{tmp_path}/server.db", str(tmp_path / "files")
    command = ("server", "--backend-store-uri", store, "--artifacts-destination", files)
    return port, (*command, "--workers", "1")


def _tasks(home: Path) -> dict[str, Any]:
    (folder,) = (home / "runs").iterdir()
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())["tasks"]
    return found


def test_a_run_whose_mlflow_goes_away_stops_clearly_and_registers_once_it_is_back(home, server):
    port, command = server
    with contextlib.ExitStack() as running:
        running.enter_context(answering(port, *command))
        stdout = Noticing(running.close)
        with contextlib.redirect_stdout(stdout):
            assert main(["run", "flights", "--home", str(home), *SMALL, *ELSEWHERE]) == 1
    said = stdout.getvalue()
    assert f"register-models failed: the MLflow store http://127.0.0.1:{port} failed: " in said
    (run,) = (path.name for path in (home / "runs").iterdir())
    assert f"MLFLOW_TRACKING_URI is right, then resume the run (tandem run --resume {run})" in said
    before = _tasks(home)
    failed = before["register-models"]
    assert (failed["state"], failed["attempts"]) == ("FAILED", 3)

    (hint,) = (line for line in said.splitlines() if line.startswith("go on "))
    resume = shlex.split(hint.removeprefix("go on "))[1:]
    assert resume == ["run", "--resume", run, "--home", str(home)]
    with answering(port, *command):
        assert run_tandem(*resume)[0] == 0
        _, answer = run_tandem("models", "reconcile", "--home", str(home), "--json")
    missing = {item["where"].partition("@")[0] for item in json.loads(answer)["findings"]}
    assert missing == {"flights-late"}, "what the small run registered in another MLflow"
    after = _tasks(home)
    assert after["register-models"]["state"] == "SUCCEEDED"
    for trainer in ("train-pytorch", "train-tensorflow"):
        assert after[trainer] == before[trainer]
