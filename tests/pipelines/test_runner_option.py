"""`--runner NAME`: what is refused before TFX is loaded, and what a run says of its runner."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.core.errors import PlatformError
from pipelines.cli import main
from pipelines.home import Home
from pipelines.loaded_settings import load_settings
from pipelines.prepared import prepare
from pipelines.runners import tfx

Write = Callable[[dict[str, Any]], Path]


def test_a_runner_that_is_unknown_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "flights", "--runner", "airflow"]) == 2
    assert "invalid choice: 'airflow' (choose from 'local', 'tfx')" in capsys.readouterr().err


def test_tfx_does_not_go_on_with_a_run_and_says_what_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = str(tmp_path)
    assert main(["run", "--resume", "latest", "--runner", "tfx", "--home", home]) == 2
    said = capsys.readouterr().err
    assert "--runner tfx does not go on with a run" in said
    assert "run --resume latest" in said
    assert "--runner" not in said.partition("remedy:")[2]


def test_tfx_that_is_not_installed_is_told_with_what_to_do_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("pipelines.runners.tfx_p")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tfx", None)
    home = tmp_path / "home"
    with pytest.raises(PlatformError, match="TFX does not load: "):
        tfx.load()
    assert main(["run", "flights", "--runner", "tfx", "--home", str(home)]) == 1
    assert "make setup" in capsys.readouterr().err
    assert not home.exists()


def test_a_run_under_tfx_says_so_and_one_under_the_embedded_executor_says_nothing(
    values: dict[str, Any], write_settings: Write, tmp_path: Path
) -> None:
    path, home = write_settings(values), Home(tmp_path / "home")
    loaded = load_settings(path)
    here = prepare(loaded, path, home, cache=True)
    under_tfx = prepare(loaded, path, home, cache=True, orchestrator="tfx")
    assert "orchestrator" not in here.arguments["run"]
    assert under_tfx.arguments["run"]["orchestrator"] == "tfx"
