"""A run's folder: its layout, its run.json, and which of its tasks need not be run again.

    pipeline.yaml       the compiled pipeline that ran
    settings.json       the settings, and arguments.json what the pipeline was given
    run.json            what became of the run and of each task
    logs/TASK.log       what a task wrote to its standard output and error
    artifacts/TASK/OUTPUT/
    tasks/TASK/         a task's source, executor input and result, for whoever looks for a cause
    run.lock            held by the process that executes the run, whose id is in it

Rules: run.json is written beside and renamed at every change, so that a killed executor leaves a
folder that can be resumed; a task counts as done only while its outputs hash to what was recorded;
a folder is executed by one process at a time (an open file description lock, fcntl(2), which the
kernel releases when the process dies). One run's folder never refers to another's.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.core.artifacts import read_json, tree_digest, write_json
from components.core.canonical import sha256_file
from components.core.errors import (
    DataError,
    IntegrityError,
    PlatformError,
    SettingsError,
    TandemError,
)
from pipelines.runners.results import RunResult, RunState, TaskResult

VERSION = 1
RUN_FILE = "run.json"
LOCK_FILE = "run.lock"
_WHOLE_FILE = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)  # a struct flock
DISK_REMEDY = "free disk space or fix permissions, then resume the run"


def new_run_id(now: datetime | None = None) -> str:
    """Return an id that sorts by time, such as 20130102T030405Z-ab12cd."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def read_run(folder: Path) -> RunResult:
    """Read a run's state; DataError where its run.json is not one, or it was never written.

    PlatformError where the machine does not let it be read.
    """
    try:
        if not (folder / RUN_FILE).exists():
            raise _not_started(folder)
        value = read_json(folder / RUN_FILE)
        return RunResult(
            run_id=str(value["run"].get("id", folder.name)),
            folder=folder,
            state=RunState(value["state"]),
            exit_code=int(value["exit_code"]),
            started=value["started"],
            ended=value["ended"],
            tasks={name: TaskResult.from_dict(task) for name, task in value["tasks"].items()},
        )
    except OSError as error:
        raise PlatformError(
            f"{folder / RUN_FILE} cannot be read: {error.strerror}", remedy="fix the permissions"
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{folder / RUN_FILE} is not a run: {type(error).__name__} {error}",
            remedy="restore the file, or start a new run",
        ) from error


def _not_started(folder: Path) -> DataError:
    """Return the error for a folder whose process was killed, or has not come, before run.json."""
    if is_live(folder):
        return DataError(f"run {folder.name} is starting", remedy="wait a moment")
    return DataError(
        f"run {folder.name} did not start: {folder / RUN_FILE} is missing", remedy="start a new run"
    )


def write_run(result: RunResult, run: Mapping[str, Any]) -> None:
    """Write run.json; PlatformError where the disk refuses it."""
    value = {
        "version": VERSION,
        "run": dict(run),
        "state": result.state,
        "exit_code": result.exit_code,
        "started": result.started,
        "ended": result.ended,
        "tasks": {name: task.to_dict() for name, task in result.tasks.items()},
    }
    path = result.folder / RUN_FILE
    try:
        write_json(path, value)
    except OSError as error:
        path.with_name(f".{path.name}.{os.getpid()}").unlink(missing_ok=True)
        raise disk_error(path, error) from error


def disk_error(path: Path, error: OSError) -> PlatformError:
    """Return the operator's error for a file that could not be written."""
    return PlatformError(f"{path} cannot be written: {error.strerror}", remedy=DISK_REMEDY)


def artifact_digest(path: Path) -> str:
    """Return an artifact's digest: of the manifest of a folder, of the bytes of a single file.

    Our stages write folders; a component that is not ours may write a file, as KFP allows.
    """
    return sha256_file(path) if path.is_file() and not path.is_symlink() else tree_digest(path)


def finished_tasks(folder: Path) -> dict[str, TaskResult]:
    """Return the results of the tasks that ended well and whose outputs are still as recorded."""
    tasks = read_run(folder).tasks
    return {name: task for name, task in tasks.items() if _is_intact(folder, task)}


def _is_intact(folder: Path, task: TaskResult) -> bool:
    try:
        return task.state.is_good and all(
            artifact_digest(folder / output.path) == output.sha256
            for output in task.outputs.values()
        )
    except IntegrityError:
        return False


def earlier_attempts(folder: Path) -> dict[str, int]:
    """Return how often each task has been tried in this folder; empty for a new run."""
    with suppress(TandemError):
        return {name: task.attempts for name, task in read_run(folder).tasks.items()}
    return {}


def clear_task(folder: Path, task: str) -> None:
    """Remove what an earlier attempt of a task left, so that nothing of it is taken for new."""
    try:
        for part in (folder / "artifacts" / task, folder / "tasks" / task):
            if part.exists():
                shutil.rmtree(part)
            part.mkdir(parents=True)
        (folder / "logs").mkdir(exist_ok=True)
    except OSError as error:
        raise disk_error(folder, error) from error


def is_live(folder: Path) -> bool:
    """Say whether a process is executing this run now; a run left RUNNING may have been killed.

    The kernel is asked, and the lock not taken: a run that starts meanwhile gets it.
    """
    try:
        with (folder / LOCK_FILE).open() as stream:
            answer = fcntl.fcntl(stream, fcntl.F_OFD_GETLK, _WHOLE_FILE)
    except FileNotFoundError:
        return False
    return bool(struct.unpack_from("h", answer)[0] != fcntl.F_UNLCK)


def still_running(folder: Path) -> SettingsError:
    """Return the error for a command that needs a run to have ended."""
    process = ""
    with suppress(OSError):
        process = (folder / LOCK_FILE).read_text()
    return SettingsError(
        f"run {folder.name} is still running{f', as process {process}' if process else ''}",
        remedy="wait until it ends, or stop that process",
    )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run's lock; SettingsError where another process has it."""
    path = folder / LOCK_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = path.open("ab", buffering=0)
    except OSError as error:
        raise disk_error(path, error) from error
    with stream:
        try:
            fcntl.fcntl(stream, fcntl.F_OFD_SETLK, _WHOLE_FILE)
            stream.truncate(0)
            stream.write(str(os.getpid()).encode())
        except BlockingIOError:
            raise still_running(folder) from None
        except OSError as error:
            raise disk_error(path, error) from error
        yield
