"""Signatures as people and MLflow write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core.errors import SettingsError
from components.import_model.signature import read_signature

COLUMNS = [{"type": "double", "name": "distance"}, {"type": "string", "name": "origin"}]


def _read(folder: Path, value: Any) -> Any:
    file = folder / "signature"
    file.write_text(value if isinstance(value, str) else yaml.safe_dump(value))
    return read_signature(file)


def test_ours_and_both_forms_of_mlflows_say_the_same(tmp_path):
    ours = {"inputs": [{"name": "distance", "dtype": "float32"}]}
    ours["inputs"].append({"name": "origin", "dtype": "string"})
    theirs = {"inputs": json.dumps(COLUMNS), "outputs": None, "params": None}
    found = [_read(tmp_path, value) for value in (ours, theirs, {"signature": theirs})]
    assert found[0] == found[1] == found[2]
    assert _read(tmp_path, json.dumps(ours)) == found[0]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"inputs": []}, "inputs: "),
        ({"inputs": [{"name": "a", "dtype": "int64"}]}, "inputs.0.dtype"),
        ({"inputs": json.dumps([{"type": "datetime", "name": "a"}])}, "inputs.0.dtype"),
        ({"inputs": "no JSON"}, "inputs"),
        ({"inputs": [{"name": "a", "dtype": "string"}] * 2}, "a is named twice"),
        ({"inputs": [{"name": "a", "dtype": "string"}], "outputs": "b"}, "outputs"),
        ("- a list", "holds no signature"),
        ("{", "neither YAML nor JSON"),
    ],
)
def test_what_is_no_signature_is_refused_with_its_place(tmp_path, value, words):
    with pytest.raises(SettingsError, match=words):
        _read(tmp_path, value)


def test_a_matrix_is_of_one_type(tmp_path):
    inputs = [{"name": "a", "dtype": "string"}, {"name": "b", "dtype": "float32"}]
    with pytest.raises(SettingsError, match="its columns are of one dtype"):
        _read(tmp_path, {"inputs": inputs, "matrix": "X"})


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        read_signature(tmp_path / "nothing.yaml")
