"""The compiled DAG that a state folder keeps: used only while it is what compiling would give."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.compiler import KEPT_FILE, compiled, keep, kept_or_compiled

ROOT = Path(__file__).resolve().parents[2]
# Prints the description of a face, as the compiled DAG has it, and keeps what was compiled.
ASK = """
import sys
from pathlib import Path
from pipelines.compiler import keep, kept_or_compiled
ir = kept_or_compiled(Path(sys.argv[1]))
keep(Path(sys.argv[1]), ir)
print("Split the rows" in ir, "kfp" in sys.modules)
"""


def test_what_is_kept_is_what_was_compiled(tmp_path: Path) -> None:
    ir = compiled()
    keep(tmp_path, ir)
    assert kept_or_compiled(tmp_path) == ir


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"ir": 1}'])
def test_a_damaged_file_is_compiled_anew_and_replaced(tmp_path: Path, damage: str) -> None:
    (tmp_path / KEPT_FILE).write_text(damage)
    ir = kept_or_compiled(tmp_path)
    assert ir == compiled()
    keep(tmp_path, ir)
    assert json.loads((tmp_path / KEPT_FILE).read_text())["ir"] == ir


@pytest.mark.parametrize("key", ["ir", "sha256", "made_from"])
def test_a_kept_pipeline_that_someone_changed_is_not_used(tmp_path: Path, key: str) -> None:
    ir = compiled()
    keep(tmp_path, ir)
    kept = json.loads((tmp_path / KEPT_FILE).read_text())
    (tmp_path / KEPT_FILE).write_text(json.dumps(kept | {key: kept[key][:-1] + "x"}))
    assert kept_or_compiled(tmp_path) == ir


@pytest.mark.slow
def test_a_changed_face_is_compiled_and_an_unchanged_one_does_not_even_load_kfp(
    tmp_path: Path,
) -> None:
    for package in ("components", "pipelines", "schemas"):
        shutil.copytree(ROOT / package, tmp_path / package)
    cache = tmp_path / "cache"

    def ask() -> str:
        command = [sys.executable, "-c", ASK, str(cache)]
        return subprocess.check_output(command, cwd=tmp_path, text=True).strip()

    assert ask() == "False True"
    assert ask() == "False False"
    face = tmp_path / "components/ingest_examples/component.py"
    face.write_text(face.read_text().replace("Read the source", "Split the rows"))
    assert ask() == "True True"
    assert ask() == "True False"
