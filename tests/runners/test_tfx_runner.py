"""Toy pipelines under TFX's LocalDagRunner: order, failure, retries, signals and a broken store."""

from __future__ import annotations

import json
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import toy_pipelines as toys

from components.core.errors import PlatformError, SettingsError
from pipelines.runners import tfx
from pipelines.runners.executor_input import Given
from pipelines.runners.results import OutputRef, RunState, TaskState
from pipelines.runners.run_folder import finished_tasks, is_live, read_run

pytestmark = pytest.mark.slow
RUN = {"id": "the-run"}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "mlmd.db"


def execute(bench, store: Path, pipeline: Any, **options: Any):
    arguments = {"run": RUN, "place": str(bench.place)} | options.pop("arguments", {})
    runner = partial(tfx.execute, store=store)
    return bench.execute(pipeline, arguments, runner=runner, **options)


def states(result):
    return {name: task.state.value for name, task in result.tasks.items()}


def closing(folder: Path):
    return json.loads((folder / "artifacts/seal/closing/closing.json").read_text())


def test_a_chain_runs_in_order_and_hands_artifacts_and_metadata_on(bench, store):
    result = execute(bench, store, toys.chain)
    assert (result.state, result.exit_code) == (RunState.SUCCEEDED, 0)
    assert bench.ran == ["make one two", "copy", "copy"]
    last = result.tasks["copy-2"].outputs["copied"]
    assert last.path == "artifacts/copy-2/copied"
    assert last.metadata == {"words": 2}
    assert (bench.folder / last.path / "text").read_text() == "one two"
    assert closing(bench.folder) == ["SUCCEEDED", None, "the-run"]
    assert read_run(bench.folder) == result
    assert "Component copy-2 is finished" in (bench.folder / "logs/tfx.log").read_text()


def test_a_stage_gets_what_tfx_hands_over_with_a_schema_as_its_text(tmp_path):
    from tfx.types import standard_artifacts

    from pipelines.runners.tfx_executor import handed

    examples, foreign = standard_artifacts.Examples(), standard_artifacts.Model()
    schema = standard_artifacts.Schema()
    examples.uri, foreign.uri, schema.uri = "/there/examples", "/there/model", str(tmp_path)
    described = {"sha256": "5" * 64, "record": "7" * 64, "rows": 3}
    examples.set_string_custom_property("sha256", "5" * 64)
    examples.set_string_custom_property("tandem_metadata", json.dumps(described))
    (tmp_path / "schema.pbtxt").write_text('feature { name: "x" }')

    inputs = {"examples": examples, "model": foreign, "schema": schema}
    assert handed(inputs, {"train": '{"epochs": 2}'}) == Given(
        {"train": {"epochs": 2}, "schema": 'feature { name: "x" }'},
        {
            "examples": OutputRef("/there/examples", "5" * 64, described),
            "model": OutputRef("/there/model", "", {}),
        },
    )


def test_after_a_failure_nothing_is_begun_and_the_exit_task_runs(bench, store):
    result = execute(bench, store, toys.broken, arguments={"kind": "GateError"})
    assert (result.state, result.exit_code) == (RunState.FAILED, 3)
    made = {"make": "SUCCEEDED", "copy-3": "SUCCEEDED"}
    assert states(result) == {
        "fail": "FAILED",
        "copy": "SKIPPED",
        "copy-2": "SKIPPED",
        "seal": "SUCCEEDED",
    } | {name: states(result)[name] for name in made}
    assert result.tasks["copy-2"].reason == "fail failed"
    not_begun = [name for name in made if result.tasks[name].state is TaskState.SKIPPED]
    assert not_begun, "TFX went on after the failure"
    for name in not_begun:
        assert result.tasks[name].reason == "TFX begins no stage after one that did not end well"
    assert closing(bench.folder) == ["FAILED", "fail: GateError: it went wrong", "the-run"]


@pytest.mark.parametrize("kind", ["platform", "server killed"])
def test_a_platform_error_is_tried_again_as_often_as_the_pipeline_says(bench, store, kind):
    result = execute(bench, store, toys.stubborn, arguments={"kind": kind, "attempts": 3})
    assert result.state is RunState.SUCCEEDED
    assert result.tasks["fail-below"].attempts == 3


def test_the_embedded_executor_goes_on_with_what_tfx_began(bench, store):
    arguments = {"kind": "platform", "attempts": 5}
    result = execute(bench, store, toys.stubborn, arguments=arguments)
    assert states(result) == {"make": "SUCCEEDED", "fail-below": "FAILED", "seal": "SUCCEEDED"}
    given = {"run": RUN, "place": str(bench.place), **arguments}
    result = bench.execute(toys.stubborn, given, done=finished_tasks(bench.folder))
    assert result.state is RunState.SUCCEEDED
    assert {name: task.attempts for name, task in result.tasks.items()} == {
        "make": 1,
        "fail-below": 5,
        "seal": 2,
    }


def test_a_stop_signal_ends_the_stage_and_closes_the_run(bench, store):
    bench.fifo("held")

    def stop(event):
        bench.events.append(event)
        if (event.task, event.state) == ("hold", TaskState.RUNNING):
            signal.raise_signal(signal.SIGTERM)

    result = execute(bench, store, toys.held, listener=stop)
    assert (result.state, result.exit_code) == (RunState.STOPPED, 1)
    assert states(result) == {
        "make": "SUCCEEDED",
        "hold": "CANCELLED",
        "copy": "SKIPPED",
        "seal": "SUCCEEDED",
    }
    assert closing(bench.folder)[:2] == ["FAILED", "stopped by SIGTERM"]


def test_a_store_that_is_no_database_is_told_and_the_run_is_closed_all_the_same(bench, store):
    store.write_text("not a database, though it is long enough to be taken for one" * 20)
    with pytest.raises(PlatformError, match=r"ML Metadata's store .*mlmd\.db fails"):
        execute(bench, store, toys.chain)
    result = read_run(bench.folder)
    assert (result.state, result.exit_code) == (RunState.FAILED, 1)
    assert states(result) == {
        "make": "SKIPPED",
        "copy": "SKIPPED",
        "copy-2": "SKIPPED",
        "seal": "SUCCEEDED",
    }
    assert closing(bench.folder)[0] == "FAILED"
    assert not is_live(bench.folder)


def test_a_run_that_has_begun_is_not_gone_on_with(bench, store):
    with pytest.raises(SettingsError, match="TFX does not go on with a run"):
        execute(bench, store, toys.chain, done={})
    assert not bench.folder.exists()
