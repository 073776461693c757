"""The local runner on toy pipelines: order, failure, retry, and what a run folder holds."""

import json
import os
from pathlib import Path

import pytest
import toy_pipelines as toys

from components.core.errors import DataError, PlatformError, SettingsError
from pipelines.runners.results import RunState, TaskState
from pipelines.runners.run_folder import finished_tasks, locked, read_run

RUN = {"id": "the-run"}


def states(result):
    return {name: task.state.value for name, task in result.tasks.items()}


def closing(folder: Path):
    return json.loads((folder / "artifacts/seal/closing/closing.json").read_text())


def test_a_chain_runs_in_order_and_hands_artifacts_and_metadata_on(bench):
    result = bench.execute(toys.chain, {"run": RUN, "place": str(bench.place)})
    assert (result.state, result.exit_code) == (RunState.SUCCEEDED, 0)
    assert bench.ran == ["make one two", "copy", "copy"]
    last = result.tasks["copy-2"].outputs["copied"]
    assert last.path == "artifacts/copy-2/copied"
    assert last.metadata == {"words": 2}
    assert (bench.folder / last.path / "text").read_text() == "one two"
    assert closing(bench.folder) == ["SUCCEEDED", None, "the-run"]


def test_run_json_says_what_the_result_says(bench):
    result = bench.execute(toys.chain, {"run": RUN, "place": str(bench.place)})
    assert read_run(bench.folder) == result
    value = json.loads((bench.folder / "run.json").read_text())
    assert value["version"] == 1
    assert value["run"] == RUN
    assert value["tasks"]["make"]["attempts"] == 1
    assert value["tasks"]["make"]["peak_memory_bytes"] > 1_000_000


def test_tasks_that_do_not_wait_for_each_other_run_at_the_same_time(bench):
    bench.fifo("there", "back")  # each opens one end and waits for the other to open its own
    result = bench.execute(toys.meeting, {"place": str(bench.place)}, cores=1)
    assert result.state is RunState.SUCCEEDED
    besides = {event.beside for event in bench.events}
    assert ("meet-first",) in besides or ("meet-second",) in besides


def test_below_a_failed_task_all_is_skipped_and_the_other_branch_goes_on(bench):
    arguments = {"run": RUN, "place": str(bench.place), "kind": "DataError"}
    result = bench.execute(toys.broken, arguments)
    assert states(result) == {
        "fail": "FAILED",
        "copy": "SKIPPED",
        "copy-2": "SKIPPED",
        "make": "SUCCEEDED",
        "copy-3": "SUCCEEDED",
        "seal": "SUCCEEDED",
    }
    assert result.tasks["copy-2"].reason == "fail failed"
    assert (result.state, result.exit_code) == (RunState.FAILED, 1)
    assert result.tasks["fail"].error == {
        "kind": "DataError",
        "message": "it went wrong",
        "remedy": "mend it",
    }
    assert closing(bench.folder) == ["FAILED", "fail: DataError: it went wrong", "the-run"]


@pytest.mark.parametrize(
    ("kind", "code"), [("GateError", 3), ("IntegrityError", 4), ("SettingsError", 2)]
)
def test_the_run_exits_by_the_failed_task_s_kind_of_error(bench, kind, code):
    arguments = {"run": RUN, "place": str(bench.place), "kind": kind}
    assert bench.execute(toys.broken, arguments).exit_code == code


def test_an_unexpected_exception_is_a_data_error_with_its_traceback_in_the_log(bench):
    arguments = {"run": RUN, "place": str(bench.place), "kind": "any other"}
    failed = bench.execute(toys.broken, arguments).tasks["fail"]
    assert failed.error is not None
    assert failed.error["kind"] == "DataError"
    assert failed.error["message"] == "ZeroDivisionError: it went wrong"
    assert "Traceback" in (bench.folder / failed.log).read_text()


@pytest.mark.parametrize("kind", ["platform", "killed", "server killed"])
def test_a_platform_error_and_a_killed_process_are_tried_again(bench, kind):
    arguments = {"run": RUN, "place": str(bench.place), "kind": kind, "attempts": 3}
    result = bench.execute(toys.stubborn, arguments)
    assert result.state is RunState.SUCCEEDED
    assert result.tasks["fail-below"].attempts == 3
    assert result.tasks["make"].attempts == 1


@pytest.mark.parametrize("kind", ["platform", "killed", "server killed"])
def test_a_task_is_tried_only_as_often_as_the_pipeline_says(bench, kind):
    arguments = {"run": RUN, "place": str(bench.place), "kind": kind, "attempts": 9}
    result = bench.execute(toys.stubborn, arguments)
    failed = result.tasks["fail-below"]
    assert (failed.state, failed.attempts) == (TaskState.FAILED, 3)
    assert failed.error is not None
    assert failed.error["kind"] == "PlatformError"
    assert result.tasks["seal"].state is TaskState.SUCCEEDED


@pytest.mark.parametrize(
    ("kind", "error"),
    [("data", "DataError"), ("memory", "OutOfMemoryError"), ("exits", "DataError")],
)
def test_other_failures_are_not_tried_again(bench, kind, error):
    arguments = {"run": RUN, "place": str(bench.place), "kind": kind, "attempts": 2}
    failed = bench.execute(toys.stubborn, arguments).tasks["fail-below"]
    assert (failed.state, failed.attempts) == (TaskState.FAILED, 1)
    assert failed.error is not None
    assert failed.error["kind"] == error


def test_what_a_task_prints_is_in_its_log_to_the_last_letter(bench, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    bench.execute(toys.talk, {})
    assert (bench.folder / "logs/tell.log").read_text() == "told"


def test_tasks_side_by_side_share_the_cores_and_keep_their_own_environment(bench):
    result = bench.execute(toys.talk, {}, cores=5, environment={"TANDEM_HOME": "/home-of-runs"})
    first, second = (
        json.loads((bench.folder / f"artifacts/{task}/made/environment.json").read_text())
        for task in ("tell", "tell-2")
    )
    assert result.state is RunState.SUCCEEDED
    names = ("TANDEM_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    assert [first[name] for name in names] == ["2", "2", "2"]
    assert (first["OMP_WAIT_POLICY"], first["KMP_BLOCKTIME"]) == ("PASSIVE", "0")
    assert (first["TANDEM_HOME"], first["TANDEM_ATTEMPT"]) == ("/home-of-runs", "1")
    assert "EXTRA" not in first
    assert second["EXTRA"] == "given"


@pytest.mark.parametrize(("own", "given"), [({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0")])
def test_no_task_sends_usage_data_unless_a_person_says_so(bench, monkeypatch, own, given):
    for name in ("ORT_DISABLE_TELEMETRY", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.delenv(name, raising=False)
    bench.execute(toys.talk, {}, environment=own)
    path = bench.folder / "artifacts/tell/made/environment.json"
    environment = json.loads(path.read_text())
    assert environment["ORT_DISABLE_TELEMETRY"] == given
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_task_whose_output_says_cached_is_cached(bench):
    assert states(bench.execute(toys.hit, {})) == {"describe": "CACHED"}


def test_done_tasks_are_not_run_again(bench):
    arguments = {"run": RUN, "place": str(bench.place)}
    bench.execute(toys.chain, arguments)
    (bench.folder / "artifacts/copy-2/copied/text").write_text("changed since")
    done = finished_tasks(bench.folder)
    assert sorted(done) == ["copy", "make", "seal"]
    result = bench.execute(toys.chain, arguments, done=done)
    assert bench.ran == ["make one two", "copy", "copy", "copy"]
    assert result.state is RunState.SUCCEEDED
    assert (bench.folder / "artifacts/copy-2/copied/text").read_text() == "one two"
    assert result.tasks["seal"].attempts == 2


def test_a_done_task_is_run_again_where_one_that_it_read_from_is(bench):
    arguments = {"run": RUN, "place": str(bench.place)}
    bench.execute(toys.chain, arguments)
    done = finished_tasks(bench.folder)
    del done["make"]
    bench.execute(toys.chain, arguments, done=done)
    assert bench.ran == ["make one two", "copy", "copy"] * 2


def test_the_listener_hears_every_change_after_it_is_in_run_json(bench):
    seen = []

    def listener(event):
        seen.append((event.task, event.state, read_run(bench.folder).tasks[event.task].state))

    bench.execute(toys.hit, {}, listener=listener)
    assert seen == [
        ("describe", TaskState.RUNNING, TaskState.RUNNING),
        ("describe", TaskState.CACHED, TaskState.CACHED),
    ]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"run": RUN}, "input place of chain is missing"),
        ({"run": RUN, "place": "/", "else": 1}, "no input named else"),
        ({"run": RUN, "place": 3}, "place of chain is not of type STRING"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(bench, arguments, word):
    with pytest.raises(SettingsError, match=word):
        bench.execute(toys.chain, arguments)
    assert not bench.folder.exists()


def test_a_log_on_a_full_disk_is_a_platform_error_of_that_task(bench):
    (bench.folder / "logs").mkdir(parents=True)
    (bench.folder / "logs/tell.log").symlink_to("/dev/full")
    result = bench.execute(toys.talk, {})
    failed = result.tasks["tell"]
    assert failed.error is not None
    assert failed.error["kind"] == "PlatformError"
    assert "free disk space" in failed.error["remedy"]
    assert result.tasks["tell-2"].state is TaskState.SUCCEEDED


def test_a_run_json_that_cannot_be_written_ends_the_run_and_leaves_earlier_runs_alone(bench):
    first = bench.execute(toys.hit, {})
    before = (first.folder / "run.json").read_bytes()
    bench.folder = bench.folder.with_name("second")
    bench.folder.mkdir()
    (bench.folder / f".run.json.{os.getpid()}").symlink_to("/dev/full")
    with pytest.raises(PlatformError, match="cannot be written") as caught:
        bench.execute(toys.hit, {})
    assert "free disk space" in caught.value.remedy
    assert (first.folder / "run.json").read_bytes() == before
    assert [path.name for path in bench.folder.glob(".run.json*")] == []


@pytest.mark.slow
@pytest.mark.parametrize(("light", "imported"), [((), "True"), (("train-pytorch",), "False")])
def test_a_task_expected_to_be_light_does_not_wait_for_a_heavy_server(bench, light, imported):
    bench.execute(toys.torch_alone, {}, light=light)
    assert (bench.folder / "artifacts/train-pytorch/made").read_text() == imported
    assert (bench.folder / "logs/torch.fork-server.log").exists() is not bool(light)


def test_servers_are_started_ahead_only_where_asked(bench):
    bench.execute(toys.hit, {}, preload=["mlflow"])
    names = sorted(path.name for path in (bench.folder / "logs").glob("*.fork-server.log"))
    assert names == ["light.fork-server.log", "mlflow.fork-server.log"]


def test_a_listener_that_cannot_write_does_not_end_the_run(bench):
    told = []

    def listener(event):
        told.append(event)
        raise BrokenPipeError

    arguments = {"run": RUN, "place": str(bench.place)}
    result = bench.execute(toys.chain, arguments, listener=listener)
    assert (result.state, result.exit_code) == (RunState.SUCCEEDED, 0)
    assert closing(bench.folder) == ["SUCCEEDED", None, "the-run"]
    assert len(told) == 1


def test_a_folder_whose_run_did_not_come_to_its_first_write_says_so(tmp_path):
    with pytest.raises(DataError, match="did not start") as caught:
        read_run(tmp_path)
    assert caught.value.remedy == "start a new run"
    with locked(tmp_path), pytest.raises(DataError, match="is starting"):
        read_run(tmp_path)
