"""The loop of one execution of a run; its rules are those of local.py.

Rules: one thread; the journal alone holds what outlives the loop; what is kept here are clocks and
counts of the attempts now under way.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.core.artifacts import write_json, write_text
from components.core.errors import OutOfMemoryError, PlatformError, TandemError
from components.core.stage_identity import ATTEMPT_VARIABLE
from components.core.threads import as_variables
from pipelines.runners.ended import Ended, Lost
from pipelines.runners.executor_input import Given, executor_input, gathered
from pipelines.runners.ir import Pipeline
from pipelines.runners.journal import Journal
from pipelines.runners.preload import BESIDE, LIGHT, server_of
from pipelines.runners.results import OutputRef, RunResult, TaskResult, TaskState, utc_now
from pipelines.runners.run_folder import clear_task, disk_error
from pipelines.runners.schedule import blocked, ready, threads
from pipelines.runners.servers import ForkServers
from pipelines.runners.stop_signals import Ending, StopSignals
from pipelines.runners.task_outcome import task_outcome
from pipelines.runners.task_process import PROGRAM
from pipelines.runners.tasks import Task


@dataclass
class Execution:
    """One execution of a run: what it was given, and the attempts under way.

    `running` and `pauses` hold clocks: when an attempt began, when the next one is due; `handed`
    is what another orchestrator hands to a task, in place of what the journal says.
    """

    pipeline: Pipeline
    arguments: Mapping[str, Any]
    journal: Journal
    servers: ForkServers
    signals: StopSignals
    light: Collection[str]
    cores: int
    grace_seconds: float
    running: dict[str, float] = field(default_factory=dict)
    pauses: dict[str, float] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    handed: dict[str, Given] = field(default_factory=dict)
    was_stopped: bool = False

    def run(self, done: Mapping[str, TaskResult]) -> RunResult:
        """Run every task that is not done, then the exit task, and close the run."""
        self.open(done)
        self._drive(self.pipeline.tasks, patience=1)
        return self.close()

    def open(self, done: Mapping[str, TaskResult]) -> None:
        """Begin the run: every task is pending that is not done."""
        self.journal.open(self.pipeline.tasks, self.pipeline.exit_task, done)

    def do(self, name: str, handed: Given) -> TaskResult:
        """Bring one task to its end, with what an orchestrator hands to it that has the order."""
        self.handed[name] = handed
        self._drive({name: self.pipeline.tasks[name]}, patience=1)
        return self.journal.results[name]

    def close(self, reason: str = "") -> RunResult:
        """Skip what was not begun, for the reason, run the exit task, and close the run."""
        tasks, exit_task = self.pipeline.tasks, self.pipeline.exit_task
        for name in ready(tasks, self.journal.results):
            self._change(name, state=TaskState.SKIPPED, reason=reason)
        self._skip_blocked(tasks)
        if exit_task:
            patience = max(2, len(self.signals.received) + 1)
            self._drive({exit_task.name: exit_task}, patience)
        return self.journal.close(stopped=self.was_stopped)

    def _drive(self, tasks: Mapping[str, Task], patience: int) -> None:
        """Bring tasks to their end; that many stop signals end them before."""
        share = threads(self.pipeline.tasks, self.cores)
        ending = Ending(self.signals, self.servers.signal, self.grace_seconds, patience)
        while self._unfinished(tasks):
            if ending.is_due:
                ending.press(self.running)
                self._give_up(tasks)
            else:
                self._skip_blocked(tasks)
                for name in self._startable(tasks):
                    self._start(tasks[name], share.get(name, self.cores))
            if self.running or self.pauses:
                for news in self.servers.wait(self._seconds_to_next(ending)):
                    self._conclude(tasks[news.task], news, ending)
        self.was_stopped |= ending.has_begun

    def _unfinished(self, tasks: Mapping[str, Task]) -> bool:
        return not all(self.journal.results[name].state.is_final for name in tasks)

    def _seconds_to_next(self, ending: Ending) -> float | None:
        """Return the seconds until something is due by itself; None where nothing is."""
        clocks = [*self.pauses.values()]
        if ending.kill_at is not None:
            clocks.append(ending.kill_at)
        return max(0.0, min(clocks) - time.monotonic()) if clocks else None

    def _startable(self, tasks: Mapping[str, Task]) -> list[str]:
        now = time.monotonic()
        due = [name for name, clock in self.pauses.items() if clock <= now]
        return [*ready(tasks, self.journal.results), *due]

    def _skip_blocked(self, tasks: Mapping[str, Task]) -> None:
        for name, reason in blocked(tasks, self.journal.results).items():
            self._change(name, state=TaskState.SKIPPED, reason=reason)

    def _give_up(self, tasks: Mapping[str, Task]) -> None:
        """End the tasks that no process runs for: those not begun, and those between attempts."""
        for name in tasks:
            if name in self.pauses:
                del self.pauses[name]
                self._cancel(name, {})
            elif self.journal.results[name].state is TaskState.PENDING:
                reason = f"the run was stopped by {self.signals.first}"
                self._change(name, state=TaskState.SKIPPED, reason=reason)

    def _start(self, task: Task, share: int) -> None:
        """Write what the task's process needs, and ask a fork server for it."""
        folder = self.journal.folder
        result = self.journal.results[task.name]
        log = f"logs/{task.name}.log"
        self._prepare(task)
        request = {
            "folder": str(folder / "tasks" / task.name),
            "log": str(folder / log),
            "function": task.stage,
            "environment": {
                **as_variables(share),
                ATTEMPT_VARIABLE: str(result.attempts + 1),
                **task.environment,
            },
        }
        if task.name in self.light:
            self.servers.fork(LIGHT, task.name, request)
        else:
            beside = BESIDE.get(task.stage)
            if beside is not None and not self.servers.has_loaded(beside[0]):
                beside = None  # the stage starts it itself, if it needs one
            self.servers.fork(server_of(task.stage), task.name, request, beside)
        self.pauses.pop(task.name, None)
        self.running[task.name] = time.monotonic()
        parts = {"started": result.started or utc_now(), "attempts": result.attempts + 1}
        self._change(task.name, state=TaskState.RUNNING, log=log, reason=None, **parts)

    def _prepare(self, task: Task) -> None:
        """Clear the task's folders and write its source and its executor input."""
        folder = self.journal.folder
        clear_task(folder, task.name)
        own = folder / "tasks" / task.name
        taken = self.handed.get(task.name) or self._given(task)
        try:
            write_text(own / f"{PROGRAM}.py", task.source)
            write_json(own / "executor_input.json", executor_input(task, folder, taken))
        except OSError as error:
            raise disk_error(own, error) from error

    def _given(self, task: Task) -> Given:
        """Return what the journal and the run's arguments give to a task."""
        cause = f"stopped by {self.signals.first}"
        status = self.journal.final_status(self.pipeline.tasks, cause)
        return gathered(task, self.arguments, self.journal.results, status)

    def _conclude(self, task: Task, news: Ended | Lost, ending: Ending) -> None:
        """Take up how an attempt ended: done, stopped, tried again or failed."""
        result = self.journal.results[task.name]
        seconds = time.monotonic() - self.running.pop(task.name)
        spent: dict[str, Any] = {"wall_seconds": round(result.wall_seconds + seconds, 3)}
        if isinstance(news, Ended):
            spent["cpu_seconds"] = round(result.cpu_seconds + news.cpu_seconds, 3)
            spent["peak_memory_bytes"] = max(result.peak_memory_bytes, news.peak_memory_bytes)
        outcome = task_outcome(self.journal.folder, news, result.log)
        if not isinstance(outcome, TandemError):
            self._succeed(task.name, outcome, spent)
        elif ending.has_begun and (isinstance(news, Lost) or news.status < 0):
            self._cancel(task.name, spent)
        elif self._may_retry(task, outcome, ending):
            pause = task.retry.pause(self.failures[task.name])
            self.pauses[task.name] = time.monotonic() + pause
            self._change(task.name, reason=f"tried again after: {outcome.message}", **spent)
        else:
            parts = {"ended": utc_now(), "error": outcome.to_dict()}
            self._change(task.name, state=TaskState.FAILED, **parts, **spent)

    def _may_retry(self, task: Task, error: TandemError, ending: Ending) -> bool:
        """Count a failure; the machine's may pass, but the same batch would not fit again."""
        if not isinstance(error, PlatformError) or isinstance(error, OutOfMemoryError):
            return False
        self.failures[task.name] = self.failures.get(task.name, 0) + 1
        return not ending.has_begun and self.failures[task.name] <= task.retry.count

    def _succeed(self, name: str, outputs: dict[str, OutputRef], spent: dict[str, Any]) -> None:
        cached = any(output.metadata.get("cached") is True for output in outputs.values())
        state = TaskState.CACHED if cached else TaskState.SUCCEEDED
        self._change(name, state=state, ended=utc_now(), outputs=outputs, **spent)

    def _cancel(self, name: str, spent: Mapping[str, Any]) -> None:
        reason = f"stopped by {self.signals.first}"
        self._change(name, state=TaskState.CANCELLED, ended=utc_now(), reason=reason, **spent)

    def _change(self, name: str, **parts: Any) -> None:
        self.journal.change(name, self.running, **parts)
