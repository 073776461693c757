"""MLflow's own servers as processes of their own, on loopback; ended with all their workers."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE_SECONDS = 180


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def answering(port: int, *words: str) -> Iterator[None]:
    """Start `mlflow WORDS` on a port, and give it once it answers; kill it afterwards."""
    command = [sys.executable, "-m", "mlflow", *words, "--host", "127.0.0.1", "--port", str(port)]
    # MLflow starts uvicorn by its name, which an activated environment has on its path.
    beside = str(Path(sys.executable).parent)
    where = {**os.environ, "PATH": os.pathsep.join((beside, os.environ["PATH"]))}
    silent = subprocess.DEVNULL
    with subprocess.Popen(
        command, env=where, start_new_session=True, stdout=silent, stderr=silent
    ) as server:
        try:
            _wait_for(port, server)
            yield
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)  # its workers are processes of their own


def asked(port: int, method: str, path: str, body: str | None = None) -> bytes:
    """Return what a server answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
        assert response.status == 200, answer
        return answer


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, f"the server ended with {server.returncode}"
        try:
            asked(port, "GET", "/health")
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail("the server did not answer")
