"""What a source imports, as it is read and as it is remembered."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components.core.artifacts import read_json, write_json
from components.core.canonical import sha256_bytes
from components.core.imports import IMPORTS_FILE, Import, imports_of, recall, remember
from components.core.installed import INSTALLED

SOURCE = b"""
import os, numpy.linalg as la
from . import beside
def f():
    from ..above.module import one, two as three
"""
FOUND = {
    Import(0, "os"),
    Import(0, "numpy.linalg"),
    Import(1, "", ("beside",)),
    Import(2, "above.module", ("one", "two")),
}
# Asks another process for the imports of a digest, with no bytes to read them from.
ASK = """
import sys
from pathlib import Path
from components.core.imports import imports_of, recall
recall(Path(sys.argv[1]))
print(sorted(imports_of(b"", sys.argv[2])))
"""


def ask(folder: Path, sha256: str = sha256_bytes(SOURCE)) -> str:
    command = [sys.executable, "-c", ASK, str(folder), sha256]
    return subprocess.check_output(command, text=True).strip()


def test_every_import_is_found_with_its_level_and_names():
    assert set(imports_of(SOURCE, sha256_bytes(SOURCE))) == FOUND


def test_another_process_recalls_what_one_remembers(tmp_path):
    imports_of(SOURCE, sha256_bytes(SOURCE))
    recall(tmp_path)  # nothing is there
    remember(tmp_path)
    assert ask(tmp_path) == str(sorted(FOUND))


def test_what_set_up_read_of_our_modules_is_recalled(tmp_path):
    known = read_json(INSTALLED / IMPORTS_FILE)
    longest = max(known, key=lambda sha256: len(known[sha256]))
    assert ask(tmp_path, longest).count("Import(") == len(known[longest]) > 20


@pytest.mark.parametrize("damage", ["", "[1]", '{"a": 1}', '{"a": [[0]]}', '{"a": [1]}'])
def test_a_damaged_memory_is_none(tmp_path, damage):
    (tmp_path / IMPORTS_FILE).write_text(damage)
    assert ask(tmp_path) == "[]"


def test_what_was_recalled_and_not_added_to_is_not_written_again(tmp_path):
    sha256 = "0" * 64
    (tmp_path / IMPORTS_FILE).write_text(f'{{"{sha256}": [[0, "os", []]]}}')
    script = (
        "import sys; from pathlib import Path; from components.core.imports import *\n"
        "folder = Path(sys.argv[1]); recall(folder); remember(folder)"
    )
    before = (tmp_path / IMPORTS_FILE).stat().st_ino
    subprocess.check_call([sys.executable, "-c", script, str(tmp_path)])
    assert (tmp_path / IMPORTS_FILE).stat().st_ino == before


def test_who_adds_to_a_memory_leaves_out_what_it_did_not_ask_for(tmp_path):
    used, unused, new = "0" * 64, "1" * 64, sha256_bytes(SOURCE)
    known = {used: [[0, "os", []]], unused: [[0, "sys", []]]}
    write_json(tmp_path / IMPORTS_FILE, known)
    script = (
        "import sys; from pathlib import Path; from components.core.imports import *\n"
        "folder, source = Path(sys.argv[1]), sys.argv[2].encode(); recall(folder)\n"
        "imports_of(b'', sys.argv[3]); imports_of(source, sys.argv[4]); remember(folder)"
    )
    given = [str(tmp_path), SOURCE.decode(), used, new]
    subprocess.check_call([sys.executable, "-c", script, *given])
    kept = read_json(tmp_path / IMPORTS_FILE)
    assert kept.keys() == {used, new}
    assert kept[used] == known[used]
    assert ask(tmp_path) == str(sorted(FOUND))
