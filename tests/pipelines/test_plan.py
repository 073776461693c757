"""The plan: what would run, what is cached, and what is said to have changed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stage_ports import FolderPort

from components.core.artifacts import tree_digest
from components.core.cache import CACHE_VARIABLE, StageCache
from components.stage import run_stage
from pipelines.loaded_settings import load_settings
from pipelines.plan import (
    TaskPlan,
    Verdict,
    code_of_run,
    load_step,
    plan_run,
    prospective_stage,
    stage_parameters,
)
from pipelines.runners.ir import Pipeline, read_pipeline
from pipelines.sources import pin_sources

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "training.yaml"
ALWAYS = {"register-models", "seal-run"}
Arguments = dict[str, Any]


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return read_pipeline(GOLDEN)


@pytest.fixture
def arguments(
    values: dict[str, Any], write_settings: Callable[[dict[str, Any]], Path]
) -> Arguments:
    path = write_settings(values)
    loaded = load_settings(path)
    source = pin_sources(loaded.settings.source, path.parent).model_dump(mode="json")
    run = {"id": "20130101T000000Z-abcdef", "name": "shop", "cache": True}
    return {**loaded.arguments(), "source": source, "run": run, "champion": {}}


@pytest.fixture
def cache(tmp_path: Path) -> StageCache:
    return StageCache(tmp_path / "cache")


def remember_all(
    pipeline: Pipeline, arguments: Arguments, cache: StageCache, outputs: Path
) -> None:
    """Store what each stage would have written, so that everything is cached."""
    known: dict[tuple[str, str], str] = {}
    for task in pipeline.tasks.values():
        if task.name in ALWAYS:
            continue
        inputs = {
            name: known[source.task, source.output] for name, source in task.artifacts.items()
        }
        stage = prospective_stage(task, arguments, inputs)
        folders = {name: outputs / task.name / name for name in task.outputs}
        for name, folder in folders.items():
            folder.mkdir(parents=True)
            (folder / "bytes").write_text(f"{name} of {stage.key}")
            known[task.name, name] = tree_digest(folder)
        metadata = {name: {"sha256": tree_digest(folder)} for name, folder in folders.items()}
        cache.store(stage.key, folders, metadata, stage.parts)
        cache.point(arguments["run"], task.stage, stage.key)


def by_task(plans: list[TaskPlan]) -> dict[str, TaskPlan]:
    return {plan.task: plan for plan in plans}


def test_where_nothing_was_run_everything_would_run(
    pipeline: Pipeline, arguments: Arguments, cache: StageCache
) -> None:
    plans = by_task(plan_run(pipeline, arguments, cache))
    assert plans["ingest-examples"].verdict is Verdict.RUN
    assert plans["ingest-examples"].why == "never run here"
    assert plans["train-pytorch"].verdict is Verdict.OPEN
    assert {plans[name].why for name in ALWAYS} == {"always runs"}
    assert len(plans) == 10


def test_where_nothing_changed_only_registering_and_sealing_run(
    pipeline: Pipeline, arguments: Arguments, cache: StageCache, tmp_path: Path
) -> None:
    remember_all(pipeline, arguments, cache, tmp_path / "outputs")
    plans = plan_run(pipeline, arguments, cache)
    assert {plan.task for plan in plans if plan.verdict is not Verdict.CACHED} == ALWAYS


def test_a_changed_setting_runs_the_stages_that_read_it_and_is_named(
    pipeline: Pipeline, arguments: Arguments, cache: StageCache, tmp_path: Path
) -> None:
    remember_all(pipeline, arguments, cache, tmp_path / "outputs")
    changed = copy.deepcopy(arguments)
    changed["train"]["epochs"] = 3
    changed["policy"]["gates"][0]["threshold"] = 0.7
    plans = by_task(plan_run(pipeline, changed, cache))
    assert plans["transform-features"].verdict is Verdict.CACHED
    for trainer in ("train-pytorch", "train-tensorflow"):
        assert plans[trainer].verdict is Verdict.RUN
        assert plans[trainer].changed == ("settings train.epochs: 4 -> 3",)
        assert plans[trainer].why == "settings changed"
    assert plans["decide-release"].changed == ("settings policy.gates.0.threshold: 0.6 -> 0.7",)
    assert plans["evaluate-models"].verdict is Verdict.OPEN
    assert plans["evaluate-models"].why == "pytorch_model, tensorflow_model made again"


def test_a_changed_source_file_is_a_changed_input_of_ingestion(
    pipeline: Pipeline, arguments: Arguments, cache: StageCache, tmp_path: Path
) -> None:
    remember_all(pipeline, arguments, cache, tmp_path / "outputs")
    changed = copy.deepcopy(arguments)
    changed["source"]["table"]["sha256"] = "0" * 64
    plan = by_task(plan_run(pipeline, changed, cache))["ingest-examples"]
    assert plan.verdict is Verdict.RUN
    assert plan.changed[0].startswith("settings source.table.sha256")


def test_changed_code_and_a_changed_lock_are_named(
    pipeline: Pipeline, arguments: Arguments, cache: StageCache, tmp_path: Path
) -> None:
    stage = prospective_stage(pipeline.tasks["ingest-examples"], arguments, {})
    parts = copy.deepcopy(stage.parts) | {"lock_sha256": "0" * 64}
    parts["modules"]["components.ingest_examples.step"] = "0" * 64
    cache.store("f" * 64, {}, {}, parts)
    cache.point(arguments["run"], "ingest_examples", "f" * 64)
    plan = by_task(plan_run(pipeline, arguments, cache))["ingest-examples"]
    assert plan.changed == ("code components.ingest_examples.step", "lock file")
    assert plan.why == "code, lock changed"


def test_what_changed_is_told_against_the_last_run_that_completed(
    pipeline: Pipeline, arguments: Arguments, cache: StageCache, tmp_path: Path
) -> None:
    def changed_after(epochs: int, run_id: str, *, completes: bool) -> tuple[str, ...]:
        """Have a run train for some epochs; return what a plan then says of ninety."""
        tried = copy.deepcopy(arguments)
        tried["train"]["epochs"] = epochs
        tried["run"]["id"] = run_id
        remember_all(pipeline, tried, cache, tmp_path / run_id)
        if completes:
            cache.complete(tried["run"])
        planned = copy.deepcopy(tried)
        planned["train"]["epochs"] = 90
        return by_task(plan_run(pipeline, planned, cache))["train-pytorch"].changed

    stopped = changed_after(1, "20130101T000000Z-aaaaaa", completes=False)
    assert stopped == ("settings train.epochs: 1 -> 90",)
    completed = changed_after(2, "20130102T000000Z-bbbbbb", completes=True)
    assert completed == ("settings train.epochs: 2 -> 90",)
    after_it = changed_after(3, "20130103T000000Z-cccccc", completes=False)
    assert after_it == ("settings train.epochs: 2 -> 90",)


def test_a_run_without_the_cache_is_not_what_later_plans_are_compared_with(
    pipeline: Pipeline, arguments: Arguments, cache: StageCache, tmp_path: Path
) -> None:
    remember_all(pipeline, arguments, cache, tmp_path / "outputs")
    cache.complete(arguments["run"])
    stopped = copy.deepcopy(arguments)
    stopped["train"]["epochs"], stopped["run"]["id"] = 5, "20130108T000000Z-cccccc"
    remember_all(pipeline, stopped, cache, tmp_path / "stopped")
    cache.complete(arguments["run"] | {"id": "20130109T000000Z-dddddd", "cache": False})
    plan = by_task(plan_run(pipeline, arguments | {"train": {"epochs": 9}}, cache))
    assert "settings train.epochs: 4 -> 9" in plan["train-pytorch"].changed


def test_a_damaged_stored_output_would_be_made_again(
    pipeline: Pipeline, arguments: Arguments, cache: StageCache, tmp_path: Path
) -> None:
    remember_all(pipeline, arguments, cache, tmp_path / "outputs")
    (tmp_path / "outputs" / "ingest-examples" / "examples" / "bytes").write_text("other")
    plan = by_task(plan_run(pipeline, arguments, cache))["ingest-examples"]
    assert (plan.verdict, plan.why) == (Verdict.RUN, "its stored outputs are gone or damaged")


def test_without_the_cache_everything_would_run(
    pipeline: Pipeline, arguments: Arguments, cache: StageCache, tmp_path: Path
) -> None:
    remember_all(pipeline, arguments, cache, tmp_path / "outputs")
    plans = plan_run(pipeline, arguments, cache, cache_on=False)
    assert {plan.verdict for plan in plans} == {Verdict.RUN}


def test_what_a_stage_really_stored_is_what_the_plan_finds(
    pipeline: Pipeline,
    arguments: Arguments,
    cache: StageCache,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(cache.folder))
    monkeypatch.setenv("TANDEM_SOURCES", str(tmp_path))
    task = pipeline.tasks["ingest-examples"]
    run_stage(
        load_step(task.stage),
        run=arguments["run"],
        parameters=stage_parameters(task, arguments),
        inputs={},
        outputs={"examples": FolderPort(str(tmp_path / "examples"))},
    )
    assert by_task(plan_run(pipeline, arguments, cache))[task.name].verdict is Verdict.CACHED


def test_the_code_of_a_run_holds_every_step_and_the_users_functions(
    pipeline: Pipeline, arguments: Arguments
) -> None:
    code = code_of_run(pipeline, arguments)
    stages = {task.stage for task in pipeline.tasks.values()} | {"seal_run"}
    assert {f"components.{stage}.step" for stage in stages} < code.keys()
    assert {"components.stage", "pipelines.examples.mortgage.model_pytorch"} < code.keys()
    assert not [name for name in code if name.endswith((".dcn_v2", ".wide_and_deep"))]


def test_a_trainers_code_holds_its_own_family_and_no_other(
    pipeline: Pipeline, arguments: Arguments
) -> None:
    arguments["model"] = {"family": "dcn_v2"}
    for stage, other in (("train-pytorch", "tensorflow"), ("train-tensorflow", "pytorch")):
        task = pipeline.tasks[stage]
        modules = prospective_stage(task, arguments, {}).modules
        families = {name for name in modules if ".families." in name}
        assert families == {
            f"components.{task.stage}.families.dcn_v2",
            f"components.{task.stage}.families.layers",
            "components.training.families.dcn_v2",
            "components.training.families.weights",
        }
        assert f"components.train_{other}" not in modules
