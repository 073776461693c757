"""Show a run while it goes on: a live table on a terminal, plain lines elsewhere.

Rules: the stage, its state, the elapsed time and what runs beside it, whichever form is used; on a
terminal also how far a training is, as its log last said; text that comes from data is never read
as markup. Progress only listens: it decides nothing, and where
its stream can no longer be written it goes silent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from pipelines.lasting_stream import lasting
from pipelines.runners.results import TaskEvent, TaskState
from pipelines.summary import seconds_text

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.table import Table

STYLES = {
    TaskState.RUNNING: "bold cyan",
    TaskState.SUCCEEDED: "green",
    TaskState.CACHED: "blue",
    TaskState.FAILED: "bold red",
    TaskState.SKIPPED: "dim",
    TaskState.CANCELLED: "yellow",
}
NEVER_RAN = (TaskState.PENDING, TaskState.SKIPPED)
REFRESHES_PER_SECOND = 4
TRAINING = b"components.training.progress: "  # whose lines of a log say how far a training is
LAST_BYTES = 4096


class Progress(AbstractContextManager["Progress"], Protocol):
    """Listens to a run's events while it is entered."""

    def __call__(self, event: TaskEvent) -> None:
        """Show one change of a task's state."""
        ...


def progress(tasks: Sequence[str], stream: TextIO, logs: Path) -> Progress:
    """Return the progress for a stream: live on a terminal, lines elsewhere.

    `logs` is the folder of the run's logs.
    """
    stream = lasting(stream)
    if not stream.isatty():
        return LineProgress(tasks, stream)
    from rich.console import Console

    return LiveProgress(tasks, Console(file=stream), logs)


class LineProgress:
    """One line for each change of state."""

    def __init__(self, tasks: Sequence[str], stream: TextIO) -> None:
        self._width = max(map(len, tasks), default=0)
        self._stream = stream

    def __enter__(self) -> LineProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.flush()

    def __call__(self, event: TaskEvent) -> None:
        """Print the event's line."""
        if event.state is TaskState.PENDING:
            return
        elapsed = seconds_text(event.elapsed_seconds)
        line = f"{elapsed:>12}  {event.task:{self._width}}  {event.state.lower()}"
        print(f"{line}{_took(event)}{_beside(event)}{_why(event)}", file=self._stream, flush=True)


def _took(event: TaskEvent) -> str:
    if event.result is None or not event.state.is_final or not event.result.wall_seconds:
        return ""
    return f" in {seconds_text(event.result.wall_seconds)}"


def _why(event: TaskEvent) -> str:
    """Return why a task never ran, was stopped, or runs again."""
    reason = event.result.reason if event.result else None
    return f": {reason}" if reason else ""


def _beside(event: TaskEvent) -> str:
    if event.state in NEVER_RAN or not event.beside:
        return ""
    return f", beside {', '.join(event.beside)}"


def how_far(log: Path) -> str | None:
    """Return what a task's log said last of how far its training is; None where it says nothing."""
    try:
        with log.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - LAST_BYTES))
            lines = stream.read().splitlines()
    except OSError:  # which it has not begun
        return None
    told = [line.partition(TRAINING)[2] for line in lines if TRAINING in line]
    return told[-1].decode("utf-8", "replace") if told else None


@dataclass
class _Row:
    """What the live table shows of one task; `since` is the monotonic time of its start."""

    state: TaskState = TaskState.PENDING
    since: float = 0.0
    seconds: float | None = None
    beside: tuple[str, ...] = ()

    def elapsed(self) -> float | None:
        """Return the seconds since the start of a running task, or those that it took."""
        if self.state is TaskState.RUNNING:
            return time.monotonic() - self.since
        return self.seconds


class LiveProgress:
    """A table that is drawn again a few times a second."""

    def __init__(self, tasks: Sequence[str], console: Console, logs: Path) -> None:
        self._rows = {task: _Row() for task in tasks}
        self._console, self._logs = console, logs
        self._live: Live | None = None
        self._started = time.monotonic()

    def __enter__(self) -> LiveProgress:
        from rich.live import Live

        self._started = time.monotonic()
        self._live = Live(
            get_renderable=self.view,
            console=self._console,
            refresh_per_second=REFRESHES_PER_SECOND,
        )
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, event: TaskEvent) -> None:
        """Change the task's row; the table is drawn again by the clock."""
        row = self._rows.setdefault(event.task, _Row())
        if event.state is TaskState.RUNNING and row.state is not TaskState.RUNNING:
            row.since = time.monotonic()
        if event.result and event.state.is_final:
            row.seconds = event.result.wall_seconds
        row.state = event.state
        if event.state not in NEVER_RAN:
            row.beside = tuple(dict.fromkeys((*row.beside, *event.beside)))

    def view(self) -> Group:
        """Return the table of this moment, and below it a line for each training that is told."""
        from rich.console import Group
        from rich.text import Text

        running = [task for task, row in self._rows.items() if row.state is TaskState.RUNNING]
        told = {task: how_far(self._logs / f"{task}.log") for task in running}
        return Group(self._table(), *(Text(f"{task}: {far}") for task, far in told.items() if far))

    def _table(self) -> Table:
        """Return the table of this moment."""
        from rich.table import Table
        from rich.text import Text

        table = Table(caption=f"{seconds_text(time.monotonic() - self._started)} elapsed")
        for name in ("stage", "state", "time", "beside"):
            table.add_column(name, justify="right" if name == "time" else "left")
        for task, row in list(self._rows.items()):
            table.add_row(
                Text(task),
                Text(row.state.lower(), style=STYLES.get(row.state, "")),
                seconds_text(row.elapsed()),
                Text(", ".join(row.beside)),
            )
        return table
