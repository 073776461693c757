"""A run whose executor is killed with no chance to say so: the way out that the verifier names."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prepared_run import run_tandem

from components.audit.verified_log import VerifiedLog
from components.core.errors import TandemError

pytestmark = pytest.mark.slow
PATIENCE_SECONDS = 120.0


def test_what_a_killed_run_left_open_is_closed_without_its_code(tmp_path):
    home = tmp_path / "home"
    command = [sys.executable, "-m", "pipelines.cli", "run", "mortgage", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _wait_until_started(home, process)
        process.kill()
    code, stdout = _verified_once_the_notary_has_gone(home)
    assert code == 4, stdout
    assert "never closed" in stdout
    assert "tandem audit reconcile" in stdout

    code, stdout = run_tandem("audit", "reconcile", "--home", str(home), "--json")
    assert code == 0, stdout
    assert {item["stage"] for item in json.loads(stdout)["closed"]} == {"ingest_examples"}
    code, stdout = run_tandem("audit", "verify", "--home", str(home))
    assert code == 0, stdout


def _wait_until_started(home: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _has_started(home):
        assert process.poll() is None, f"ended with {process.returncode}"
        assert time.monotonic() < deadline, "no stage has started"
        time.sleep(0.01)


def _has_started(home: Path) -> bool:
    try:
        return bool(VerifiedLog.of(home).views)
    except TandemError:
        return False


def _verified_once_the_notary_has_gone(home: Path) -> tuple[int, str]:
    """The notary ends with its owner, and until then what is open may be going on."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        code, stdout = run_tandem("audit", "verify", "--home", str(home))
        if code or time.monotonic() > deadline:
            return code, stdout
        time.sleep(0.1)
