"""Which artifact of TFX each port is, without TFX."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml
from types_under_tfx import TYPES

from pipelines.compiler import IMPORTING, TRAINING, compiled
from pipelines.runners.ir import parse_pipeline
from pipelines.runners.tfx_types import SCHEMA, STANDARD, in_camel_case, type_name


@pytest.fixture(scope="module")
def ports() -> set[str]:
    """Return every output of both pipelines, the exit task's aside."""
    pipelines = [
        parse_pipeline(yaml.load(compiled(dag), Loader=yaml.CSafeLoader))
        for dag in (TRAINING, IMPORTING)
    ]
    return {port for p in pipelines for task in p.tasks.values() for port in task.outputs}


def test_every_port_of_both_pipelines_has_its_type(ports: set[str]) -> None:
    assert {port: type_name(port) for port in ports | {SCHEMA}} == TYPES


def test_the_table_names_no_port_that_no_pipeline_has(ports: set[str]) -> None:
    assert STANDARD.keys() <= ports | {SCHEMA}


def test_a_port_that_tfx_has_no_type_for_gets_one_named_after_it() -> None:
    assert type_name("some_thing") == "TandemSomeThing"
    assert in_camel_case("train_pytorch") == "TrainPytorch"


def test_the_runner_loads_tfx_when_it_is_asked_to() -> None:
    code = "import pipelines.runners.tfx, sys; print(sys.modules.keys() & {'tfx', 'tensorflow'})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
