"""Runs as they are recorded: find them, read them, read what they produced.

Rules: everything is read from the run's folder, so a folder that was moved still reads; a run
that cannot be read is shown as such and never hides the others; a run whose process died is
INTERRUPTED, whatever run.json says. Nothing is written here.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core.artifacts import read_json, tree_digest
from components.core.errors import (
    GateError,
    IntegrityError,
    PlatformError,
    SettingsError,
    TandemError,
    error_from_dict,
)
from pipelines import commands
from pipelines.home import Home
from pipelines.runners.results import OutputRef, RunResult, RunState, TaskResult, TaskState
from pipelines.runners.run_folder import RUN_FILE, is_live, still_running
from pipelines.runners.run_folder import read_run as read_result

ARTIFACTS = "artifacts"  # TASK/OUTPUT below it
RECORDS_FILE = "records.json"  # the run's part of the log, for people
LATEST = "latest"
INTERRUPTED = "INTERRUPTED"


@dataclass(frozen=True)
class RecordedRun:
    """What run.json says: what became of the run, and `identity`, the run's own description."""

    result: RunResult
    identity: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The run's id, which is its folder's name."""
        return self.folder.name

    @property
    def name(self) -> str:
        """The use case's name."""
        return str(self.identity.get("name", "?"))

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.result.folder

    @property
    def tasks(self) -> Mapping[str, TaskResult]:
        """The tasks by name, in the order of their start; those not started come last."""
        return dict(sorted(self.result.tasks.items(), key=_start))

    @property
    def state(self) -> str:
        """The run's state; INTERRUPTED where it says RUNNING and no process runs it."""
        if self.result.state is RunState.RUNNING and not is_live(self.folder):
            return INTERRUPTED
        return str(self.result.state)

    def state_of(self, task: str) -> str:
        """Return a task's state; INTERRUPTED where it says RUNNING and no process runs it."""
        state = self.tasks[task].state
        gone = state is TaskState.RUNNING and self.state == INTERRUPTED
        return INTERRUPTED if gone else str(state)

    @property
    def can_go_on(self) -> bool:
        """Say whether resuming makes sense: nothing but the machine or a person stopped the run."""
        if self.state != RunState.FAILED:
            return self.state in (RunState.STOPPED, INTERRUPTED)
        errors = [error_from_dict(task.error) for task in self.tasks.values() if task.error]
        return bool(errors) and all(isinstance(error, PlatformError) for error in errors)

    @property
    def seconds(self) -> float | None:
        """Wall seconds from start to end; None while it has not ended."""
        if not self.result.ended:
            return None
        parse = datetime.datetime.fromisoformat
        return (parse(self.result.ended) - parse(self.result.started)).total_seconds()

    def document(self, task: str, output: str, file: str) -> Any:
        """Return a JSON file of an output, or None where the task did not get that far.

        Raises DataError where the file is there and is not JSON.
        """
        result = self.tasks.get(task)
        if result is None or output not in result.outputs:
            return None
        path = self.folder / result.outputs[output].path / file
        return read_json(path) if path.is_file() else None

    def left(self, task: str, output: str) -> Path | None:
        """Return the folder in an output's place of a task that a gate stopped, if it left any.

        It is no output: no later stage ever got it.
        """
        result, folder = self.tasks.get(task), self.folder / ARTIFACTS / task / output
        error = error_from_dict(result.error) if result and result.error else None
        return folder if isinstance(error, GateError) and any(folder.glob("*")) else None


def _start(item: tuple[str, TaskResult]) -> tuple[bool, str, str]:
    name, result = item
    return result.started is None, result.started or "", name


def read_run(folder: Path) -> RecordedRun:
    """Read a run's record; raise DataError naming the file where it is missing or damaged."""
    result = read_result(folder)
    return RecordedRun(result, read_json(folder / RUN_FILE)["run"])


def run_folders(home: Home) -> list[Path]:
    """Return the folders of all runs, oldest first: a run's id begins with the time it started."""
    if not home.runs.is_dir():
        return []
    return sorted(path for path in home.runs.iterdir() if path.is_dir())


def find_folder(home: Home, name: str) -> Path:
    """Return the folder of a run's id, of the unambiguous beginning of one, or of the latest."""
    folders = run_folders(home)
    if not folders:
        raise SettingsError(
            f"there are no runs in {home.folder}",
            remedy=f"start one: {commands.tandem(home, 'run', 'flights')}",
        )
    if name == LATEST:
        return folders[-1]
    exact = [folder for folder in folders if folder.name == name]
    found = exact or [folder for folder in folders if name and folder.name.startswith(name)]
    if len(found) != 1:
        problem = f"{len(found)} runs begin with {name}" if found else f"there is no run {name}"
        raise SettingsError(problem, remedy=f"`{commands.tandem(home, 'runs')}` lists them")
    return found[0]


def find_run(home: Home, name: str) -> RecordedRun:
    """Read the run that `find_folder` finds."""
    return read_run(find_folder(home, name))


def find_ended(home: Home, name: str) -> RecordedRun:
    """Read the run that `find_folder` finds; raise SettingsError while it is still running."""
    folder = find_folder(home, name)
    if is_live(folder):
        raise still_running(folder)
    return read_run(folder)


def required_output(run: RecordedRun, home: Home, task: str, output: str) -> OutputRef:
    """Return an output as run.json has it; SettingsError where the run did not get that far."""
    result = run.tasks.get(task)
    if result is None or output not in result.outputs:
        raise SettingsError(
            f"run {run.id} has no {output}",
            remedy=f"go on with it: {commands.resume(home, run.id)}",
        )
    return result.outputs[output]


def intact_output(run: RecordedRun, home: Home, task: str, output: str) -> Path:
    """Return an output's folder, after checking that it is what the run recorded.

    Raises SettingsError where the run did not get that far, IntegrityError where it is not.
    """
    recorded = required_output(run, home, task, output)
    folder = run.folder / recorded.path
    if (actual := tree_digest(folder)) != recorded.sha256:
        raise IntegrityError(
            f"the artifact {output} of run {run.id} is not what the run recorded",
            remedy="find out who changed it, then start a new run",
            expected=recorded.sha256,
            actual=actual,
        )
    return folder


def all_runs(home: Home) -> list[RecordedRun | tuple[Path, TandemError]]:
    """Return every run, oldest first; one that cannot be read comes with its error."""
    found: list[RecordedRun | tuple[Path, TandemError]] = []
    for folder in run_folders(home):
        try:
            found.append(read_run(folder))
        except TandemError as error:
            found.append((folder, error))
    return found
