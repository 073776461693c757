"""`tandem export-features`: which run's features, and that they are still what was recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components.core.artifacts import tree_digest
from components.core.features import FeatureArrays, FeatureSpec, write_split
from pipelines.cli import main
from pipelines.cli.parser import build_parser
from pipelines.runners.results import OutputRef, TaskResult, TaskState

Record = Callable[..., Path]
PLACE = "artifacts/transform-features/features"


@pytest.fixture
def run_with_features(tmp_path: Path, record_run: Record) -> Path:
    """A recorded run whose features are ten rows of one column."""
    folder = tmp_path / "home" / "runs"
    made = tmp_path / "made"
    made.mkdir()
    arrays = FeatureArrays(
        np.ones((10, 1), np.float32), np.empty((10, 0), np.int32), np.zeros(10, np.float32)
    )
    for split in ("train", "eval"):
        write_split(made, split, arrays)
    FeatureSpec(dense=("hour",), ids=(), label="late", rows={"train": 10, "eval": 10}).write(made)
    ref = OutputRef(PLACE, tree_digest(made))
    task = TaskResult(TaskState.SUCCEEDED, outputs={"features": ref})
    run: Path = record_run(results={"transform-features": task})
    (run / PLACE).parent.mkdir(parents=True, exist_ok=True)
    made.rename(run / PLACE)
    assert run.is_relative_to(folder)
    return run


def export(run: Path, folder: Path) -> int:
    home = str(run.parents[1])
    return main(["export-features", "latest", "-o", str(folder), "--home", home, "--json"])


@pytest.mark.slow
def test_the_features_of_a_run_are_written(
    run_with_features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(run_with_features, tmp_path / "exported") == 0

    said = json.loads(capsys.readouterr().out)
    assert said["rows"] == {"train": 10, "eval": 10}
    assert said["features_sha256"] == tree_digest(run_with_features / PLACE)
    assert {path.name for path in (tmp_path / "exported").iterdir()} == {
        "Split-train", "Split-eval", "schema.pbtxt"
    }  # fmt: skip


def test_features_that_were_changed_are_not_exported(
    run_with_features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_with_features / PLACE / "train.arrow").write_bytes(b"changed")

    assert export(run_with_features, tmp_path / "exported") == 4
    assert "is not what the run recorded" in capsys.readouterr().out
    assert not (tmp_path / "exported").exists()


def test_a_run_without_features_says_so(
    record_run: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = TaskResult(TaskState.FAILED)

    run = record_run(results={"transform-features": failed})

    assert export(run, tmp_path / "exported") == 2
    assert "has no features" in capsys.readouterr().out


def test_help_has_an_example_that_parses(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export-features", "--help"]) == 0

    example = capsys.readouterr().out.partition("example:\n")[2].split()
    assert build_parser().parse_args(example[1:]).command == "pipelines.cli.export:export_features"
