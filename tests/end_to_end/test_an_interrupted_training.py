"""A run that is stopped while both models train, and goes on from their checkpoints."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from prepared_run import run_tandem

pytestmark = pytest.mark.slow
# Long enough that the one is still training when the other, on a busy machine, has begun.
LONG = ("--set", "train.epochs=1000", "--set", "train.checkpoint_steps=50")
PATIENCE_SECONDS = 300.0


def test_a_stopped_run_goes_on_from_the_checkpoints_of_both_models(tmp_path):
    home = tmp_path / "home"
    command = [sys.executable, "-m", "pipelines.cli", "run", "mortgage", "--home", str(home)]
    with subprocess.Popen([*command, *LONG], stdout=subprocess.DEVNULL) as process:
        kept = _when(lambda: _folders_with_checkpoints(home), process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 1
    assert len(kept) == 2

    code, stdout = run_tandem("run", "--resume", "latest", "--home", str(home), "--json")
    assert code == 0, stdout
    assert json.loads(stdout)["state"] == "SUCCEEDED"
    (folder,) = (home / "runs").iterdir()
    for trainer in ("train-pytorch", "train-tensorflow"):
        log = (folder / "logs" / f"{trainer}.log").read_text()
        assert "going on from the checkpoint of step" in log, log
    assert list((home / "checkpoints").iterdir()) == []


def _folders_with_checkpoints(home: Path) -> set[Path]:
    found = {path.parent for path in (home / "checkpoints").glob("*/*.safetensors")}
    return found if len(found) == 2 else set()


def _when(look: Callable[[], set[Path]], process: subprocess.Popen[bytes]) -> set[Path]:
    """Return what there is to see, as soon as there is something, while the process runs."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert process.poll() is None, f"ended with {process.returncode}"
        assert time.monotonic() < deadline, "no checkpoint of both trainers"
        time.sleep(0.05)
    return found
