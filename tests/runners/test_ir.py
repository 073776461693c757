"""Reading a compiled pipeline: what is understood, and that nothing else is run in silence."""

from pathlib import Path

import pytest
import yaml
from kfp import dsl
from toy_faces import copy, face, make, seal

from components.core.errors import SettingsError
from pipelines.runners.ir import bind_arguments, read_pipeline
from pipelines.runners.ir_tasks import LIGHTWEIGHT_SCRIPT
from pipelines.runners.schedule import depths, threads
from pipelines.runners.tasks import Argument, Constant, FinalStatus, OutputOf, Retry


@face
def count(number: int, share: float = 0.5, words: list = ["a"], note: str = "") -> None:  # noqa: B006
    pass


@face
def give() -> str:
    return "text"


@dsl.component(base_image="python:3.11", packages_to_install=["nothing"])
def install() -> None:
    pass


@dsl.container_component
def container():
    return dsl.ContainerSpec(image="busybox", command=["echo"], args=["hello"])


@dsl.pipeline(name="inner")
def inner(place: str):
    make(place=place, text="x")


@dsl.pipeline(name="values")
def values(given: int = 7):
    with dsl.ExitHandler(seal(run={"id": "x"})):
        first = count(number=given, note="told").set_env_variable("A", "b")
        count(number=3).after(first).set_retry(
            4, backoff_duration="2s", backoff_factor=3.0, backoff_max_duration="10s"
        )


@dsl.pipeline(name="condition")
def condition(place: str):
    with dsl.If(place == "here"):
        make(place=place, text="x")


@dsl.pipeline(name="handled-condition")
def handled_condition(run: dict, place: str):
    with dsl.ExitHandler(seal(run=run)), dsl.If(place == "here"):
        make(place=place, text="x")


@dsl.pipeline(name="loop")
def loop(place: str):
    with dsl.ParallelFor(["a", "b"]) as item:
        make(place=place, text=item)


@dsl.pipeline(name="importing")
def importing(place: str):
    found = dsl.importer(artifact_uri="file:///x", artifact_class=dsl.Dataset)
    copy(place=place, made=found.output)


@dsl.pipeline(name="nested")
def nested(place: str):
    inner(place=place)


@dsl.pipeline(name="contained")
def contained():
    container()


@dsl.pipeline(name="installing")
def installing():
    install()


@dsl.pipeline(name="giving")
def giving():
    give()


@dsl.pipeline(name="text-in-text")
def text_in_text(place: str):
    make(place=place, text=f"at {place}")


@dsl.pipeline(name="placeholder")
def placeholder(place: str):
    make(place=place, text=dsl.PIPELINE_JOB_NAME_PLACEHOLDER)


@dsl.pipeline(name="two-handlers")
def two_handlers(run: dict, place: str):
    with dsl.ExitHandler(seal(run=run)):
        make(place=place, text="x")
    with dsl.ExitHandler(seal(run=run)):
        make(place=place, text="x")


@dsl.pipeline(name="ignoring")
def ignoring(run: dict, place: str):
    with dsl.ExitHandler(seal(run=run)):
        made = make(place=place, text="x")
        make(place=place, text="y").after(made).ignore_upstream_failure()


@dsl.pipeline(name="beside")
def beside(run: dict, place: str):
    make(place=place, text="x")
    with dsl.ExitHandler(seal(run=run)):
        make(place=place, text="x")


@pytest.mark.parametrize(
    ("pipeline", "task"),
    [
        (condition, "condition-1"),
        (handled_condition, "condition-2"),
        (loop, "for-loop-2"),
        (importing, "importer"),
        (nested, "inner"),
        (contained, "container"),
        (installing, "install"),
        (giving, "give"),
        (text_in_text, "make"),
        (placeholder, "make"),
        (two_handlers, "exit-handler-1"),
        (ignoring, "make-2"),
        (beside, "exit-handler-1"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_what_the_runner_does_not_know_is_refused_with_the_task_s_name(compiled, pipeline, task):
    with pytest.raises(SettingsError, match=f"task {task} .*not supported by the local runner"):
        read_pipeline(compiled(pipeline))


def test_the_command_is_the_one_that_the_installed_kfp_compiles(compiled):
    spec = yaml.safe_load(compiled(values).read_text())
    command = spec["deploymentSpec"]["executors"]["exec-count"]["container"]["command"]
    assert command[:3] == ["sh", "-ec", LIGHTWEIGHT_SCRIPT]


def edited(path: Path, edit) -> Path:
    spec = yaml.safe_load(path.read_text())
    edit(spec)
    path.write_text(yaml.safe_dump(spec))
    return path


def test_a_command_with_one_more_line_is_refused(compiled):
    def edit(spec):
        container = spec["deploymentSpec"]["executors"]["exec-count"]["container"]
        container["command"][2] += "echo done\n"

    with pytest.raises(SettingsError, match="task count does not have the command"):
        read_pipeline(edited(compiled(values), edit))


def test_a_key_that_a_later_kfp_may_add_is_refused(compiled):
    def edit(spec):
        spec["components"]["comp-exit-handler-1"]["dag"]["tasks"]["count"]["speculate"] = True

    with pytest.raises(SettingsError, match="task count uses speculate"):
        read_pipeline(edited(compiled(values), edit))


def test_tasks_that_wait_for_each_other_are_refused(compiled):
    def edit(spec):
        tasks = spec["components"]["comp-exit-handler-1"]["dag"]["tasks"]
        tasks["count"]["dependentTasks"] = ["count-2"]

    with pytest.raises(SettingsError, match="waits for a task that never ends"):
        read_pipeline(edited(compiled(values), edit))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a: [", "not YAML"),
        ("{}", "schema version"),
        ("schemaVersion: 2.1.0", "not a pipeline"),
        ("a: 1\n---\nb: 2\n", "2 documents"),
        ("", "0 documents"),
    ],
)
def test_a_file_that_is_no_compiled_pipeline_is_refused(tmp_path, text, word):
    path = tmp_path / "pipeline.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=word):
        read_pipeline(path)


def test_a_missing_pipeline_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        read_pipeline(tmp_path / "nothing.yaml")


def test_values_are_resolved_through_the_exit_handler(compiled):
    pipeline = read_pipeline(compiled(values))
    first, second = pipeline.tasks["count"], pipeline.tasks["count-2"]
    assert first.parameters == {
        "number": Argument("given"),
        "note": Constant("told"),
        "share": Constant(0.5),
        "words": Constant(["a"]),
    }
    assert first.environment == {"A": "b"}
    assert (first.retry, first.stage) == (Retry(), "count")
    assert second.parameters["number"] == Constant(3)
    assert isinstance(second.parameters["number"].value, int)
    assert second.after == {"count"}
    assert second.retry == Retry(count=4, seconds=2.0, factor=3.0, longest=10.0)
    assert [second.retry.pause(failed) for failed in (1, 2, 3)] == [2.0, 6.0, 10.0]
    assert pipeline.exit_task is not None
    assert pipeline.exit_task.parameters == {
        "run": Constant({"id": "x"}),
        "status": FinalStatus("exit-handler-1"),
    }


def test_a_default_of_the_pipeline_holds_where_no_argument_is_given(compiled):
    pipeline = read_pipeline(compiled(values))
    assert bind_arguments(pipeline, {}) == {"given": 7}
    assert isinstance(bind_arguments(pipeline, {})["given"], int)
    assert bind_arguments(pipeline, {"given": 8}) == {"given": 8}
    with pytest.raises(SettingsError, match="not of type NUMBER_INTEGER"):
        bind_arguments(pipeline, {"given": True})


def test_the_real_dag_is_read_as_it_is_written(compiled):
    from pipelines.training import training

    pipeline = read_pipeline(compiled(training))
    assert pipeline.name == "tandem-training"
    assert {name: (task.stage, sorted(task.after)) for name, task in pipeline.tasks.items()} == {
        "ingest-examples": ("ingest_examples", []),
        "validate-examples": ("validate_examples", ["ingest-examples"]),
        "transform-features": ("transform_features", ["ingest-examples", "validate-examples"]),
        "train-pytorch": ("train_pytorch", ["transform-features"]),
        "train-tensorflow": ("train_tensorflow", ["transform-features"]),
        "evaluate-models": (
            "evaluate_models",
            ["ingest-examples", "train-pytorch", "train-tensorflow"],
        ),
        "measure-models": (
            "measure_models",
            ["evaluate-models", "ingest-examples", "train-pytorch", "train-tensorflow"],
        ),
        "decide-release": (
            "decide_release",
            ["evaluate-models", "measure-models", "train-pytorch", "train-tensorflow"],
        ),
        "register-models": (
            "register_models",
            ["decide-release", "evaluate-models", "train-pytorch", "train-tensorflow"],
        ),
    }
    assert pipeline.exit_task is not None
    assert (pipeline.exit_task.name, pipeline.exit_task.stage) == ("seal-run", "seal_run")
    assert pipeline.exit_task.parameters["status"] == FinalStatus(pipeline.handler)
    trainer = pipeline.tasks["train-pytorch"]
    assert trainer.parameters["model"] == Argument("model")
    assert trainer.artifacts["features"] == OutputOf("transform-features", "features")
    assert trainer.outputs["pytorch_model"].schema_title == "system.Model"
    assert "run_stage(" in trainer.source


def test_the_two_trainers_share_the_cores_and_no_other_stage_shares(compiled):
    from pipelines.training import training

    tasks = read_pipeline(compiled(training)).tasks
    assert depths(tasks)["train-pytorch"] == depths(tasks)["train-tensorflow"]
    assert {name: n for name, n in threads(tasks, 4).items() if n < 4} == {
        "train-pytorch": 2,
        "train-tensorflow": 2,
    }
    assert set(threads(tasks, 1).values()) == {1}
