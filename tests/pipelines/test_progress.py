"""What a person sees while a run goes on."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.lasting_stream import lasting
from pipelines.progress import LineProgress, LiveProgress, progress
from pipelines.runners.results import TaskEvent, TaskResult, TaskState

TASKS = ["train-pytorch", "train-tensorflow"]
NOWHERE = Path("nowhere")
RUNNING = TaskEvent("train-pytorch", TaskState.RUNNING, 1.0, ("train-tensorflow",))
DONE = TaskEvent(
    "train-pytorch",
    TaskState.SUCCEEDED,
    9.5,
    ("train-tensorflow",),
    TaskResult(TaskState.SUCCEEDED, wall_seconds=8.5),
)


def test_without_a_terminal_each_change_is_one_plain_line() -> None:
    stream = io.StringIO()
    with progress(TASKS, stream, NOWHERE) as listener:
        assert isinstance(listener, LineProgress)
        listener(TaskEvent("train-pytorch", TaskState.PENDING, 0.0, ()))
        listener(RUNNING)
        listener(DONE)
    running, done = stream.getvalue().splitlines()
    assert running.split() == [
        "1.0", "s", "train-pytorch", "running,", "beside", "train-tensorflow",
    ]  # fmt: skip
    assert done.endswith("succeeded in 8.5 s, beside train-tensorflow")
    assert "\x1b" not in stream.getvalue()


def test_on_a_terminal_a_table_shows_state_time_and_what_runs_beside() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    live = LiveProgress(TASKS, console, NOWHERE)
    with live:
        live(RUNNING)
        live(DONE)
    plain = Console(file=io.StringIO(), width=100)
    plain.print(live.view())
    text = plain.file.getvalue()  # type: ignore[attr-defined]
    row = next(line for line in text.splitlines() if "train-pytorch" in line)
    assert [cell.strip() for cell in row.strip("│ ").split("│")] == [
        "train-pytorch",
        "succeeded",
        "8.5 s",
        "train-tensorflow",
    ]
    assert "pending" in text


def test_a_name_with_markup_is_shown_as_it_is() -> None:
    live = LiveProgress(["[red]x[/red]"], Console(file=io.StringIO()), NOWHERE)
    plain = Console(file=io.StringIO(), width=100)
    plain.print(live.view())
    assert "[red]x[/red]" in plain.file.getvalue()  # type: ignore[attr-defined]


def test_on_a_terminal_a_running_training_says_how_far_it_is(tmp_path: Path) -> None:
    said = "2026-01-01 00:00:00,000 INFO components.training.progress: epoch {} of 4, step 7: [b]\n"
    log = tmp_path / "train-pytorch.log"
    live = LiveProgress(TASKS, Console(file=io.StringIO()), tmp_path)
    live(RUNNING)

    def shown() -> str:
        plain = Console(file=io.StringIO(), width=100)
        plain.print(live.view())
        return plain.file.getvalue()  # type: ignore[attr-defined,no-any-return]

    assert "epoch" not in shown()
    log.write_text("x" * 9000 + "\n" + said.format(1) + said.format(2) + "another line\n")
    assert shown().splitlines()[-1] == "train-pytorch: epoch 2 of 4, step 7: [b]"
    live(DONE)
    assert "epoch" not in shown()


class Gone(io.StringIO):
    """A stream whose reader is gone or whose disk is full."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error
        self.tried = 0

    def write(self, text: str) -> int:
        self.tried += 1
        raise self.error


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(errno.ENOSPC, "full")], ids=repr)
def test_progress_goes_silent_where_its_stream_cannot_be_written(error: OSError) -> None:
    stream = Gone(error)
    with progress(TASKS, stream, NOWHERE) as listener:
        listener(RUNNING)
        listener(DONE)
    assert stream.tried == 1


def test_an_error_that_is_not_forgiven_is_raised() -> None:
    stream = lasting(Gone(OSError(errno.ENOSPC, "full")), BrokenPipeError)
    with pytest.raises(OSError, match="full"):
        stream.write("x")
