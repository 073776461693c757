"""Show a run while it goes on: a live table on a terminal, plain lines elsewhere.

Rules: the stage, its state, the elapsed time and what runs beside it, whichever form is used; text
that comes from data is never read as markup. Progress only listens: it decides nothing, and where
its stream can no longer be written it goes silent.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

from pipelines.lasting_stream import lasting
from pipelines.runners.results import TaskEvent, TaskState
from pipelines.summary import seconds_text

if TYPE_CHECKING:
    from rich.console import Console
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


class Progress(AbstractContextManager["Progress"], Protocol):
    """Listens to a run's events while it is entered."""

    def __call__(self, event: TaskEvent) -> None:
        """Show one change of a task's state."""
        ...


def progress(tasks: Sequence[str], stream: TextIO) -> Progress:
    """Return the progress for a stream: live on a terminal, lines elsewhere."""
    stream = lasting(stream)
    if not stream.isatty():
        return LineProgress(tasks, stream)
    from rich.console import Console

    return LiveProgress(tasks, Console(file=stream))


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

    def __init__(self, tasks: Sequence[str], console: Console) -> None:
        self._rows = {task: _Row() for task in tasks}
        self._console = console
        self._live: Live | None = None
        self._started = time.monotonic()

    def __enter__(self) -> LiveProgress:
        from rich.live import Live

        self._started = time.monotonic()
        self._live = Live(
            get_renderable=self.table,
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

    def table(self) -> Table:
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
