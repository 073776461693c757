"""What dependencies would send is off in every process that uses them, unless a person says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


OPENED = """
import os
from components.core.quiet import QUIET
from components.register_models.store import opened_store
with opened_store():
    from mlflow.telemetry.utils import is_telemetry_disabled
    print(is_telemetry_disabled(), *(os.environ[name] for name in sorted(QUIET)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("own", [{}, {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "true"}])
def test_a_registry_is_quiet_when_it_is_opened_unless_a_person_says_otherwise(
    own: dict[str, str], tmp_path: Path
) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in {*QUIET, "CI"}}
    place = {"TANDEM_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/m.db"}
    done = subprocess.run(
        [sys.executable, "-c", OPENED],
        capture_output=True,
        text=True,
        check=True,
        env={**kept, **place, **own},
    )
    disabled, *values = done.stdout.split()
    assert disabled == "True"
    assert values == [{**QUIET, **own}[name] for name in sorted(QUIET)]
