"""Results and run folders as values and files."""

import json
import os
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from components.core.artifacts import tree_digest
from components.core.errors import KINDS, DataError, PlatformError, SettingsError
from pipelines.runners.results import (
    OutputRef,
    RunResult,
    RunState,
    TaskResult,
    TaskState,
    exit_code,
)
from pipelines.runners.run_folder import (
    RUN_FILE,
    finished_tasks,
    is_live,
    locked,
    new_run_id,
    read_run,
    write_run,
)

names = some.text(some.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
outputs = some.builds(
    OutputRef, path=names, sha256=names, metadata=some.dictionaries(names, some.integers(0, 9))
)
results = some.builds(
    TaskResult,
    state=some.sampled_from(TaskState),
    started=some.none() | names,
    wall_seconds=some.floats(0, 1e6),
    attempts=some.integers(0, 9),
    outputs=some.dictionaries(names, outputs, max_size=3),
    error=some.none() | some.fixed_dictionaries({"kind": names, "message": names}),
    reason=some.none() | names,
)


@given(result=results)
def test_a_result_is_read_back_as_it_was_written(result):
    assert TaskResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def failed(kind: str) -> TaskResult:
    error = KINDS[kind]("what", remedy="how").to_dict()
    return TaskResult(state=TaskState.FAILED, error=error)


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ([], 0),
        (["DataError"], 1),
        (["PlatformError", "GateError"], 3),
        (["UnverifiableError", "IntegrityError", "GateError"], 4),
        (["GateError", "UnverifiableError"], 5),
        (["SettingsError", "PlatformError"], 2),
    ],
)
def test_the_gravest_failure_decides_the_exit_code(kinds, code):
    tasks = {kind: failed(kind) for kind in kinds}
    state = RunState.FAILED if kinds else RunState.SUCCEEDED
    assert exit_code(state, tasks) == code
    assert exit_code(RunState.STOPPED, tasks) == 1


def test_run_ids_sort_by_time_and_differ():
    early = new_run_id(datetime(2013, 1, 2, 3, 4, 5, tzinfo=UTC))
    late = new_run_id(datetime(2013, 1, 2, 3, 4, 6, tzinfo=UTC))
    assert early.startswith("20130102T030405Z-")
    assert early < late
    assert new_run_id() != new_run_id()


def a_run(folder, tasks) -> RunResult:
    folder.mkdir(parents=True)
    result = RunResult(folder.name, folder, RunState.FAILED, 1, "2013", "2013", tasks)
    write_run(result, {"id": folder.name})
    return result


def test_a_run_json_that_is_none_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="missing"):
        read_run(tmp_path)
    for text in ("{", "{}", "[]", '{"run": 1}'):
        (tmp_path / RUN_FILE).write_text(text)
        with pytest.raises(DataError, match=RUN_FILE):
            read_run(tmp_path)


def test_only_tasks_whose_outputs_are_as_recorded_are_finished(tmp_path):
    folder = tmp_path / "run"
    tasks = {}
    for name in ("good", "cached", "changed", "missing", "linked"):
        artifact = folder / "artifacts" / name / "out"
        artifact.mkdir(parents=True)
        (artifact / "file").write_text(name)
        state = TaskState.CACHED if name == "cached" else TaskState.SUCCEEDED
        ref = OutputRef(f"artifacts/{name}/out", tree_digest(artifact))
        tasks[name] = TaskResult(state=state, outputs={"out": ref})
    tasks["bad"] = failed("DataError")
    tasks["held"] = TaskResult(state=TaskState.RUNNING)
    (folder / "artifacts/changed/out/file").write_text("else")
    (folder / "artifacts/missing/out/file").unlink()
    (folder / "artifacts/missing/out").rmdir()
    (folder / "artifacts/linked/out/file").unlink()
    (folder / "artifacts/linked/out/file").symlink_to("/etc/hostname")
    write_run(RunResult("run", folder, RunState.FAILED, 1, "2013", None, tasks), {})
    assert set(finished_tasks(folder)) == {"good", "cached"}


def test_a_run_json_on_a_full_disk_is_a_platform_error_and_the_last_one_stays(tmp_path):
    result = a_run(tmp_path / "run", {})
    before = (result.folder / RUN_FILE).read_bytes()
    (result.folder / f".{RUN_FILE}.{os.getpid()}").symlink_to("/dev/full")
    with pytest.raises(PlatformError, match="No space left") as caught:
        write_run(result, {"id": "other"})
    assert "free disk space" in caught.value.remedy
    assert (result.folder / RUN_FILE).read_bytes() == before


def test_a_folder_is_live_while_it_is_locked(tmp_path):
    assert not is_live(tmp_path)
    with locked(tmp_path):
        assert is_live(tmp_path)
    assert not is_live(tmp_path)


def test_asking_whether_a_run_is_live_never_keeps_one_from_starting(tmp_path):
    stop = threading.Event()

    def ask():
        while not stop.is_set():
            is_live(tmp_path)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(200):
            with locked(tmp_path):
                pass
    finally:
        stop.set()
        asking.join()


def test_a_locked_folder_names_the_process_that_executes_the_run(tmp_path):
    with (
        locked(tmp_path),
        pytest.raises(SettingsError, match=f"is still running, as process {os.getpid()}$"),
        locked(tmp_path),
    ):
        pass
