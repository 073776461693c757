"""`--beam-runner NAME`: a short form of settings, which says no more than they can."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from components.core.data_settings import Beam
from pipelines.cli import main
from pipelines.cli.parser import BEAM_RUNNERS, build_parser
from pipelines.loaded_settings import load_settings
from pipelines.settings_file import FILE_NAME, beam_overrides, find_settings


def beam_of(runner: str, *overrides: str, path: Path | None = None) -> Beam:
    path = path or find_settings("flights")
    return load_settings(path, [*overrides, *beam_overrides(runner, path, overrides)]).settings.beam


def test_the_option_names_every_engine_that_the_settings_know() -> None:
    assert get_args(Beam.model_fields["runner"].annotation) == BEAM_RUNNERS


def test_another_engine_does_all_of_the_work() -> None:
    assert beam_of("FlinkRunner") == Beam(runner="FlinkRunner", work="all")


def test_the_engine_in_this_process_keeps_what_is_faster_here() -> None:
    assert beam_of("FnApiRunner") == Beam(runner="FnApiRunner", work="analysis")


def test_an_override_says_otherwise() -> None:
    options = "beam.options={job_endpoint: 'localhost:8099'}"
    found = beam_of("PortableRunner", "beam.work=analysis", options)

    assert found.work == "analysis" and found.options == {"job_endpoint": "localhost:8099"}


def test_the_settings_file_says_otherwise(tmp_path: Path) -> None:
    values: dict[str, Any] = yaml.safe_load(find_settings("flights").read_text())
    path = tmp_path / FILE_NAME
    path.write_text(yaml.safe_dump(values | {"beam": {"work": "analysis"}}))

    assert beam_of("SparkRunner", path=path) == Beam(runner="SparkRunner", work="analysis")


@pytest.mark.parametrize("command", ["run", "plan"])
def test_an_engine_that_is_unknown_is_refused_with_the_known_ones(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "flights", "--beam-runner", "SamzaRunner"]) == 2
    assert "DataflowRunner" in capsys.readouterr().err


def test_a_resumed_run_keeps_its_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resumed = ["run", "--resume", "latest", "--home", str(tmp_path), "--json"]

    assert main([*resumed, "--beam-runner", "FlinkRunner"]) == 2
    assert "goes on with what the run recorded" in capsys.readouterr().out


def test_help_names_the_engines_and_their_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["run", "--help"])

    shown = " ".join(capsys.readouterr().out.split())
    assert "--beam-runner NAME" in shown and "FnApiRunner, PortableRunner" in shown
