"""Recorded runs: found by name, listed by time."""

from __future__ import annotations

from pathlib import Path

from components.core.errors import DataError
from pipelines.home import Home
from pipelines.runners.results import RunResult, RunState
from pipelines.runners.run_folder import write_run
from pipelines.runs import RecordedRun, all_runs


def a_run(folder: Path) -> RecordedRun:
    folder.mkdir(parents=True)
    result = RunResult(folder.name, folder, RunState.FAILED, 1, "2013", "2013", {})
    write_run(result, {"id": folder.name})
    return RecordedRun(result, {"id": folder.name})


def test_the_runs_of_a_state_folder_are_listed_by_time(tmp_path: Path) -> None:
    second = a_run(tmp_path / "runs/20130102T030405Z-aaaaaa")
    first = a_run(tmp_path / "runs/20130101T030405Z-bbbbbb")
    empty = tmp_path / "runs/20130103T030405Z-cccccc"
    empty.mkdir()
    *whole, (folder, error) = all_runs(Home(tmp_path))
    assert whole == [first, second]
    assert folder == empty
    assert isinstance(error, DataError)
    assert all_runs(Home(tmp_path / "nowhere")) == []
