"""The artifacts of TFX's that a model lies in, by the digests that an imported history has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from components.core.artifacts import tree_digest
from components.import_model.formats import digest_of
from components.import_model.tfx_artifacts import artifacts_of
from components.tfx_history.drafts import hashed
from components.tfx_history.executions import Artifact


def in_history(folder: Path) -> str | None:
    """Return the digest that an import of the history has of an artifact."""
    return hashed(Artifact(1, str(folder), {})).sha256


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """Return a Trainer's Model that serves one file."""
    folder = tmp_path / "Trainer/model/5"
    (folder / "Format-Serving").mkdir(parents=True)
    (folder / "Format-Serving/model.pt2").write_bytes(b"a program")
    (folder / "Format-Serving/signature.yaml").write_text("inputs: []")
    return folder


def test_a_served_file_is_known_by_what_was_pushed_and_by_the_trainers_model(trained: Path) -> None:
    served = trained / "Format-Serving"
    found = artifacts_of(served / "model.pt2")
    assert found == (in_history(served), in_history(trained))
    assert None not in found


def test_a_served_folder_is_known_by_the_trainers_model_and_by_itself(trained: Path) -> None:
    served = trained / "Format-Serving"
    assert artifacts_of(served) == (in_history(trained),)
    assert digest_of(served) == in_history(served)


def test_a_pushed_folder_is_the_artifact_itself(tmp_path: Path) -> None:
    (tmp_path / "pushed_model/7").mkdir(parents=True)
    assert artifacts_of(tmp_path / "pushed_model/7") == ()


@pytest.mark.parametrize("beside", ["vocabulary.txt", "other.onnx"])
def test_a_file_with_others_beside_it_lies_in_no_artifact(trained: Path, beside: str) -> None:
    served = trained / "Format-Serving"
    (served / beside).write_text("more")
    assert artifacts_of(served / "model.pt2") == ()


def test_an_artifact_with_a_link_has_no_digest_here_as_in_the_history(trained: Path) -> None:
    (trained / "latest").symlink_to("Format-Serving")
    assert in_history(trained) is None
    assert artifacts_of(trained / "Format-Serving") == ()


Importing = Callable[..., tuple[Any, Path]]


@pytest.fixture
def pushed(filled: onnx.ModelProto, tmp_path: Path) -> Path:
    """Return the file of a PushedModel, which holds nothing else."""
    folder = tmp_path / "pushed_model/7"
    folder.mkdir(parents=True)
    onnx.save(filled, folder / "model.onnx")
    return folder / "model.onnx"


def test_the_record_names_the_artifacts_that_the_model_lies_in(
    importing: Importing, signature: dict[str, Any], pushed: Path
) -> None:
    outcome, _ = importing(pushed, signature, artifacts=list(artifacts_of(pushed)))
    assert outcome.facts["given"]["artifacts"] == [tree_digest(pushed.parent)]


def test_an_artifact_that_is_another_by_now_is_not_named(
    importing: Importing, signature: dict[str, Any], pushed: Path
) -> None:
    outcome, _ = importing(pushed, signature, artifacts=["0" * 64])
    assert "artifacts" not in outcome.facts["given"]
