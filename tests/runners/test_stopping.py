"""A run that is stopped or whose executor is killed: how it is closed, and how it goes on."""

import json
import os
import signal

import pytest
import toy_pipelines as toys

from components.core.errors import SettingsError
from pipelines.runners.results import RunState, TaskState
from pipelines.runners.run_folder import finished_tasks, is_live, read_run

RUN = {"id": "the-run"}
pytestmark = pytest.mark.timeout(60)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def start_and_wait_until_held(bench, *, deaf=False, grace=30.0):
    """Start the held pipeline; return its executor, the FIFO and the held task's process id."""
    bench.fifo("held")
    arguments = {"run": RUN, "place": str(bench.place), "deaf": deaf}
    executor = bench.start(toys.held, arguments, grace)
    stream = (bench.place / "held").open()
    return executor, stream, int(stream.readline())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_the_tasks_runs_the_exit_task_and_closes_the_run(bench, number):
    executor, stream, pid = start_and_wait_until_held(bench)
    with stream:
        executor.send_signal(number)
        assert executor.wait() == 1
    assert is_gone(pid)
    result = read_run(bench.folder)
    assert (result.state, result.exit_code) == (RunState.STOPPED, 1)
    name = signal.Signals(number).name
    states = {task: (r.state, r.reason) for task, r in result.tasks.items()}
    assert states == {
        "make": (TaskState.SUCCEEDED, None),
        "hold": (TaskState.CANCELLED, f"stopped by {name}"),
        "copy": (TaskState.SKIPPED, f"the run was stopped by {name}"),
        "seal": (TaskState.SUCCEEDED, None),
    }
    closing = json.loads((bench.folder / "artifacts/seal/closing/closing.json").read_text())
    assert closing[:2] == ["FAILED", f"stopped by {name}"]


def test_a_task_that_does_not_heed_the_signal_is_killed_after_the_grace_period(bench):
    executor, stream, pid = start_and_wait_until_held(bench, deaf=True, grace=0.05)
    with stream:
        executor.terminate()
        assert executor.wait() == 1
    assert is_gone(pid)
    assert read_run(bench.folder).tasks["hold"].state is TaskState.CANCELLED


def test_what_a_killed_task_left_among_temporary_files_is_gone(bench, tmp_path, monkeypatch):
    usual = tmp_path / "usual"
    usual.mkdir()
    monkeypatch.setenv("TMPDIR", str(usual))
    executor, stream, _ = start_and_wait_until_held(bench, deaf=True, grace=0.05)
    with stream:
        assert len([*usual.glob("*/*")]) == 1
        executor.terminate()
        executor.wait()
    assert [*usual.iterdir()] == []


def test_a_second_signal_does_not_wait_for_the_grace_period(bench):
    executor, stream, pid = start_and_wait_until_held(bench, deaf=True, grace=3600.0)
    with stream:
        executor.terminate()
        executor.send_signal(signal.SIGINT)
        assert executor.wait() == 1
    assert is_gone(pid)
    assert read_run(bench.folder).state is RunState.STOPPED


def test_a_killed_executor_takes_its_tasks_along_and_the_run_can_be_resumed(bench):
    executor, stream, _ = start_and_wait_until_held(bench)
    assert is_live(bench.folder)
    executor.kill()
    executor.wait()
    with stream:
        assert stream.read() == ""  # the task held the other end open until it died
    assert not is_live(bench.folder)
    left = read_run(bench.folder)
    assert (left.state, left.tasks["hold"].state) == (RunState.RUNNING, TaskState.RUNNING)

    done = finished_tasks(bench.folder)
    assert list(done) == ["make"]
    arguments = {"run": RUN, "place": str(bench.place), "deaf": False}
    result = bench.execute(toys.held, arguments, done=done)
    assert result.state is RunState.SUCCEEDED
    assert result.tasks["hold"].attempts == 2
    assert bench.ran == ["make first", "copy"]


def test_a_run_is_executed_by_one_process_at_a_time(bench):
    executor, stream, _ = start_and_wait_until_held(bench)
    with stream, pytest.raises(SettingsError, match="is still running, as process"):
        bench.execute(toys.held, {"run": RUN, "place": str(bench.place)})
    executor.terminate()
    assert executor.wait() == 1


def test_the_handlers_of_before_come_back_after_a_run(bench):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    bench.execute(toys.hit, {})
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
