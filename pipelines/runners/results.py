"""What became of a run and of its tasks: frozen values, and their form in run.json.

Rules: times are ISO-8601 in UTC; paths are relative to the run folder, so that a run folder can be
moved; from_dict reads what to_dict writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from components.core.errors import error_from_dict

# Where two tasks fail in different ways: a finding against integrity is never hidden by another.
_EXIT_CODES_BY_WEIGHT = (4, 5, 3, 2, 1)


class TaskState(StrEnum):
    """The states of a task."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    CACHED = "CACHED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"

    @property
    def is_good(self) -> bool:
        """Say whether the task's outputs are there."""
        return self in (TaskState.SUCCEEDED, TaskState.CACHED)

    @property
    def is_final(self) -> bool:
        """Say whether the task has come to its end."""
        return self not in (TaskState.PENDING, TaskState.RUNNING)


class RunState(StrEnum):
    """The states of a run."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"


@dataclass(frozen=True)
class OutputRef:
    """An artifact that a task wrote: where, its digest, and the metadata that travels with it."""

    path: str
    sha256: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskResult:
    """What became of one task.

    `peak_memory_bytes` counts what the process shares with its fork server; `attempts` counts
    those of earlier, resumed executions too; `reason` says why a task was not run.
    """

    state: TaskState = TaskState.PENDING
    started: str | None = None
    ended: str | None = None
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    attempts: int = 0
    log: str = ""
    outputs: Mapping[str, OutputRef] = field(default_factory=dict)
    error: Mapping[str, str] | None = None
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the result as it stands in run.json."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> TaskResult:
        """Return the result that `to_dict` wrote; keys of later versions are read over."""
        known = {entry.name for entry in fields(cls)}
        parts = {key: part for key, part in value.items() if key in known}
        outputs = {name: OutputRef(**output) for name, output in value.get("outputs", {}).items()}
        return cls(**{**parts, "state": TaskState(value["state"]), "outputs": outputs})


@dataclass(frozen=True)
class TaskEvent:
    """A change of one task's state, for whoever shows progress.

    `elapsed_seconds` counts from the start of the run; `beside` names what else is running.
    """

    task: str
    state: TaskState
    elapsed_seconds: float
    beside: tuple[str, ...]
    result: TaskResult | None = None


@dataclass(frozen=True)
class RunResult:
    """What became of a run; `exit_code` is what the command line returns."""

    run_id: str
    folder: Path
    state: RunState
    exit_code: int
    started: str
    ended: str | None
    tasks: Mapping[str, TaskResult]


def exit_code(state: RunState, results: Mapping[str, TaskResult]) -> int:
    """Return a run's exit code: 0, 1 for a stopped one, or that of the gravest failure."""
    codes = {
        error_from_dict(result.error).exit_code
        for result in results.values()
        if result.state is TaskState.FAILED and result.error
    }
    if state is RunState.STOPPED:
        return 1
    gravest = next((code for code in _EXIT_CODES_BY_WEIGHT if code in codes), 0)
    return gravest or int(state is RunState.FAILED)


def utc_now() -> str:
    """Return the time as run.json has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
