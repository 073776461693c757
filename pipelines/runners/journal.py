"""The state of a run while it is executed: what each task has come to, in run.json at every change.

Rules: run.json is written before anyone is told, so that what a listener has seen is never lost;
a listener that cannot write (OSError) is told no more, and the run goes on;
`results` is replaced entry by entry with new values, and nothing else of a run is kept in memory
that a resumed execution would need.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from components.core.errors import error_from_dict
from pipelines.runners.results import (
    RunResult,
    RunState,
    TaskEvent,
    TaskResult,
    TaskState,
    exit_code,
    utc_now,
)
from pipelines.runners.run_folder import earlier_attempts, write_run
from pipelines.runners.schedule import still_done
from pipelines.runners.tasks import Task


@dataclass
class Journal:
    """The results of a run's tasks; `run` is the run's identity as the pipeline was given it."""

    folder: Path
    run: Mapping[str, Any]
    listener: Callable[[TaskEvent], None]
    results: dict[str, TaskResult] = field(default_factory=dict)
    started: str = field(default_factory=utc_now)
    clock: float = field(default_factory=time.monotonic)

    @property
    def run_id(self) -> str:
        """The run's id, which is its folder's name where the pipeline was given none."""
        return str(self.run.get("id", self.folder.name))

    def open(
        self, tasks: Mapping[str, Task], exit_task: Task | None, done: Mapping[str, TaskResult]
    ) -> None:
        """Begin: every task is pending, but those whose results stand."""
        names = [*tasks, *([exit_task.name] if exit_task else [])]
        before = earlier_attempts(self.folder)
        pending = {name: TaskResult(attempts=before.get(name, 0)) for name in names}
        self.results = pending | still_done(tasks, done)
        self._write(RunState.RUNNING)

    def change(self, name: str, beside: Collection[str], **parts: Any) -> None:
        """Give a task a new result; write it, then tell the listener."""
        result = self.results[name] = replace(self.results[name], **parts)
        self._write(RunState.RUNNING)
        elapsed = time.monotonic() - self.clock
        others = tuple(sorted(set(beside) - {name}))
        self._tell(TaskEvent(name, result.state, elapsed, others, result))

    def close(self, *, stopped: bool) -> RunResult:
        """Write how the run ended, and return it."""
        good = all(result.state.is_good for result in self.results.values())
        state = RunState.SUCCEEDED if good else RunState.FAILED
        return self._write(RunState.STOPPED if stopped else state)

    def final_status(self, tasks: Collection[str], cause: str) -> dict[str, Any]:
        """Return what the exit task is told of the others (PipelineTaskFinalStatus of KFP).

        `cause` says why a run is failed in which no task failed.
        """
        status = {"pipelineJobResourceName": self.run_id}
        body = {name: self.results[name] for name in tasks}
        if all(result.state.is_good for result in body.values()):
            return {**status, "state": "SUCCEEDED", "error": {}}
        error: dict[str, Any] = {"code": 1, "message": cause}
        for name, result in body.items():
            if result.state is TaskState.FAILED and result.error:
                kind = error_from_dict(result.error)
                message = f"{name}: {type(kind).__name__}: {kind.message}"
                error = {"code": kind.exit_code, "message": message}
                break
        return {**status, "state": "FAILED", "error": error}

    def _tell(self, event: TaskEvent) -> None:
        try:
            self.listener(event)
        except OSError:
            self.listener = _nobody

    def _write(self, state: RunState) -> RunResult:
        result = RunResult(
            run_id=self.run_id,
            folder=self.folder,
            state=state,
            exit_code=exit_code(state, self.results),
            started=self.started,
            ended=None if state is RunState.RUNNING else utc_now(),
            tasks=dict(self.results),
        )
        write_run(result, self.run)
        return result


def _nobody(event: TaskEvent) -> None:
    """Listen to nothing."""
