"""How to make a run again: the commands as they stand, and the digests of what repeats."""

from __future__ import annotations

import re
import shlex
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.core.artifacts import write_json
from pipelines.cli.parser import build_parser
from pipelines.home import Home
from pipelines.report import render
from pipelines.reproduction import NOT_REPEATED, WHOLE, reproduction
from pipelines.runners.results import OutputRef, TaskResult, TaskState
from pipelines.runs import read_run
from pipelines.settings_file import EXAMPLES
from pipelines.start import Start

DOCS = Path(__file__).resolve().parents[2] / "docs"
Record = Callable[..., Path]
LOCK = {"lock": "py311-cpu.txt", "lock_sha256": "7" * 64, "python": "3.11.9", "platform": "Linux"}
OVERRIDES = ("train.epochs=2", "window.last='2013-02'", "checks.skew={a: 0.1, b: 0.2}")


def typed(lines: tuple[str, ...]) -> Namespace:
    """Return the line that starts a run as the command reads it."""
    (words,) = (shlex.split(line) for line in lines if " run " in line)
    return build_parser().parse_args(words[words.index("run") :])


@pytest.fixture
def started(record_run: Record) -> Path:
    """A run that kept what it was started with."""
    outputs = {
        "tensorflow_model": OutputRef("artifacts/train-tensorflow/tensorflow_model", "e" * 64)
    }
    folder = record_run(
        results={"train-tensorflow": TaskResult(TaskState.SUCCEEDED, outputs=outputs)}
    )
    Start({}, str(EXAMPLES / "flights"), "settings.yaml", OVERRIDES, LOCK).write(folder)
    settings = {"train": {"seed": 13, "device": "auto"}, "window": {"first": "a", "last": "b"}}
    write_json(folder / "settings.json", settings)
    return folder


def test_the_command_that_makes_it_again_means_what_was_typed(started: Path) -> None:
    again = typed(reproduction(read_run(started)).commands)
    assert (again.name, tuple(again.overrides), again.cache) == ("flights", OVERRIDES, False)
    assert again.home == "reproduced"


def test_code_lock_settings_and_seed_are_named_with_their_digests(started: Path) -> None:
    found = reproduction(read_run(started))
    facts = dict(found.facts)
    assert facts["commit of the code"] == f"{'c' * 40}, with uncommitted changes"
    assert "uncommitted" not in found.commands[0]
    assert found.commands[0] == f"git checkout {'c' * 40}"
    assert facts["lock"] == "infra/locks/py311-cpu.txt"
    assert facts["sha256 of the lock"] == "7" * 64
    assert facts["sha256 of the settings, with the files that they name"] == "2" * 64
    assert (facts["train.seed"], facts["window"]) == ("13", "a to b")
    assert [value for what, value in found.facts if what.startswith("changed")] == [*OVERRIDES]
    assert "no commit holds" in found.warnings[0]


@pytest.mark.parametrize(
    ("sources", "named"),
    [
        (EXAMPLES / "mortgage", "mortgage"),
        (DOCS, "docs/settings.yaml"),
        (Path("/a b"), "/a b/settings.yaml"),
    ],
)
def test_the_settings_are_named_as_a_person_would(started: Path, sources: Path, named: str) -> None:
    Start({}, str(sources), "settings.yaml").write(started)
    assert typed(reproduction(read_run(started)).commands).name == named


def test_of_a_run_that_kept_no_command_none_is_made_up(record_run: Record) -> None:
    found = reproduction(read_run(record_run()))
    assert found.commands == ()
    assert "did not keep what was typed" in found.warnings[-1]


def test_the_files_of_the_models_that_repeat_are_listed_for_sha256sum(started: Path) -> None:
    files = {"model.onnx": "a" * 64, "saved_model/saved_model.pb": "b" * 64}
    task = started / "artifacts" / "train-tensorflow" / "tensorflow_model"
    write_json(task / "contract.json", {"files": files, "weights_sha256": "d" * 64})
    run = read_run(started)
    found = reproduction(run)
    assert found.files == (("a" * 64, "artifacts/train-tensorflow/tensorflow_model/model.onnx"),)
    assert ("weights_sha256 in contract.json of tensorflow_model", "d" * 64) in found.same
    page = render(run, Home(started.parents[1]))
    assert f"\n{'a' * 64}  artifacts/train-tensorflow/tensorflow_model/model.onnx\n" in page


def test_what_is_said_to_repeat_is_what_the_docs_say() -> None:
    table = re.findall(
        r"^\| ([a-z_, ]+) \| ([^|]+) \|", (DOCS / "reproducibility.md").read_text(), re.MULTILINE
    )
    whole = {name for names, said in table if said.startswith("yes") for name in names.split(", ")}
    assert whole == WHOLE.keys()
    partly: dict[str, Any] = dict(table)
    assert f"`{NOT_REPEATED}` no" in partly["tensorflow_model"]
