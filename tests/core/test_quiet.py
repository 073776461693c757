"""What dependencies would send is off in every process that uses them, unless a person says so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from components.core.quiet import QUIET, be_quiet

CALL = "import os; from pipelines.cli import main; main(['runs']); print(os.environ[{name!r}])"


def test_a_persons_own_setting_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in QUIET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DO_NOT_TRACK", "0")
    be_quiet()
    assert os.environ["DO_NOT_TRACK"] == "0"
    assert all(os.environ[name] == value for name, value in QUIET.items() if name != "DO_NOT_TRACK")


@pytest.mark.parametrize("name", sorted(QUIET))
def test_every_command_is_quiet(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name, raising=False)
    done = subprocess.run(
        [sys.executable, "-c", CALL.format(name=name)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == QUIET[name]
