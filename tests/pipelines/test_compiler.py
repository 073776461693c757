"""The compiled DAG: its bytes, its shape, and the wrapper's call in every face."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pipelines.compiler import IMPORTING, compiled, write_compiled
from pipelines.runners.ir import Pipeline, read_pipeline

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "training.yaml"
IMPORTING_GOLDEN = GOLDEN.with_name("importing.yaml")


@pytest.fixture(scope="module")
def text() -> str:
    return compiled()


@pytest.fixture(scope="module")
def pipeline(text: str, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    path = tmp_path_factory.mktemp("ir") / "pipeline.yaml"
    path.write_text(text)
    return read_pipeline(path)


def test_compiling_twice_gives_the_same_bytes(text: str, tmp_path: Path) -> None:
    write_compiled(tmp_path / "again.yaml", compiled())
    assert (tmp_path / "again.yaml").read_text() == text


def test_the_compiled_pipeline_is_the_golden_one(text: str) -> None:
    renew = "tandem compile -o tests/golden/training.yaml"
    assert text == GOLDEN.read_text(), f"if the DAG was to change: {renew}"


def test_the_pipeline_of_a_model_from_elsewhere_is_the_golden_one() -> None:
    text = compiled(IMPORTING)
    renew = "python -c 'from pipelines.compiler import *; print(compiled(IMPORTING), end=\"\")'"
    assert text == IMPORTING_GOLDEN.read_text(), f"if the DAG was to change: {renew}"
    assert text.count("cachingOptions: {}") == 8
    assert "enableCache" not in text


def test_a_model_from_elsewhere_goes_through_every_stage_but_transform_and_trainers(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    path = tmp_path / "importing.yaml"
    path.write_text(compiled(IMPORTING))
    stages = {task.stage for task in read_pipeline(path).tasks.values()}
    trained = {task.stage for task in pipeline.tasks.values()}
    assert trained - stages == {"transform_features", "train_pytorch", "train_tensorflow"}
    assert stages - trained == {"import_model"}


def test_kfps_own_cache_is_off_in_every_task(text: str) -> None:
    assert text.count("cachingOptions: {}") == 10
    assert "enableCache" not in text


def test_every_face_calls_run_stage_and_nothing_else_does_work(pipeline: Pipeline) -> None:
    assert pipeline.exit_task is not None
    tasks = [*pipeline.tasks.values(), pipeline.exit_task]
    assert len(tasks) == 10
    for task in tasks:
        face = next(
            node
            for node in ast.walk(ast.parse(task.source))
            if isinstance(node, ast.FunctionDef) and node.name == task.stage
        )
        docstring, *imports, last = face.body
        assert isinstance(docstring, ast.Expr)
        assert all(isinstance(node, ast.ImportFrom) for node in imports), task.name
        assert isinstance(last, ast.Expr)
        assert isinstance(last.value, ast.Call), task.name
        assert ast.unparse(last.value.func) == "run_stage", task.name
        assert ast.unparse(last.value.args[0]) == "step", task.name
        modules = {node.module for node in imports if isinstance(node, ast.ImportFrom)}
        assert modules == {f"components.{task.stage}.step", "components.stage"}, task.name


def test_every_face_hands_all_its_ports_to_the_wrapper(pipeline: Pipeline) -> None:
    for task in pipeline.tasks.values():
        call = ast.unparse(ast.parse(task.source)).partition("run_stage(")[2]
        for port in (*task.inputs, *task.outputs, *task.parameters):
            assert f"{port}" in call, f"{task.name} keeps {port} to itself"


def test_neither_trainer_waits_for_the_other(pipeline: Pipeline) -> None:
    after = {"train-pytorch", "train-tensorflow"}
    for name in after:
        waits = pipeline.tasks[name].after
        reached = set(waits)
        while waits:
            waits = frozenset().union(*(pipeline.tasks[before].after for before in waits))
            reached |= waits
        assert not reached & after
    assert after <= pipeline.tasks["evaluate-models"].after


def test_the_run_is_sealed_whatever_happened(pipeline: Pipeline) -> None:
    assert pipeline.exit_task is not None
    assert pipeline.exit_task.stage == "seal_run"
