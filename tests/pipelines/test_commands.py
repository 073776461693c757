"""Commands in hints: they work as they are typed."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.commands import registry, resume, tandem
from pipelines.home import Home

BESIDE = Path(sys.executable).parent


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TANDEM_HOME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


def test_a_program_that_is_not_on_the_path_is_named_by_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    command = tandem(Home.at(None), "runs")
    assert command == f"{BESIDE / 'tandem'} runs"
    done = subprocess.run(shlex.split(command), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("PATH", str(BESIDE))
    assert tandem(Home.at(None), "runs") == "tandem runs"


def test_another_program_of_that_name_on_the_path_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tandem").write_text("#!/bin/sh\n")
    (tmp_path / "tandem").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tandem(Home.at(None), "runs").startswith(f"{BESIDE / 'tandem'} ")


def test_another_home_than_the_default_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(BESIDE))
    assert resume(Home.at(None), "x") == "tandem run --resume x"
    there = tmp_path / "a home"
    named = f"tandem run --resume x --home '{there}'"
    assert resume(Home.at(str(there)), "x") == named
    monkeypatch.setenv("TANDEM_HOME", str(there))
    assert resume(Home.at(None), "x") == named
    assert resume(Home.at(".tandem"), "x").endswith(f"--home {tmp_path / '.tandem'}")


def test_the_registry_is_shown_only_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join(["/nowhere"]))
    home = Home(tmp_path / "home")
    assert registry(home) is None
    home.folder.mkdir()
    home.registry_file.touch()
    shown = f"{BESIDE / 'mlflow'} ui --backend-store-uri sqlite:///{home.registry_file}"
    assert registry(home) == f"{shown} --host 127.0.0.1"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@registry.example:5000/x")
    assert registry(home) == "https://registry.example:5000/x"
