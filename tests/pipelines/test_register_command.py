"""`tandem models register`, up to where a run would start: what is refused before anything is."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import foreign_models
import onnx
import pytest
from prepared_run import run_tandem

from pipelines.compiler import IMPORTING
from pipelines.home import Home
from pipelines.loaded_settings import load_settings
from pipelines.prepared import prepare_import
from pipelines.settings_file import data_overrides


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("case")
    onnx.save(foreign_models.columns_model(), folder / "model.onnx")
    foreign_models.write_signature(folder / "signature.yaml")
    (folder / "pickled.onnx").write_bytes(pickle.dumps({"weights": [1.0]}))
    (folder / "program.pt2").write_bytes(b"PK")
    return foreign_models.write_use_case(folder)


def _refused(case: Path, home: Path, *words: str, model: str = "model.onnx") -> Any:
    path = str(case.parent / model)
    code, stdout = run_tandem(
        "models", "register", path, "-s", str(case), *words, "--home", str(home), "--json"
    )
    assert code == 2, stdout
    assert not (home / "runs").exists()
    return json.loads(stdout)["error"]


def test_the_plan_of_it_names_its_stages_and_the_span_before(case, tmp_path):
    loaded = load_settings(case, data_overrides("2013-03", case, []))
    given = (case.parent / "model.onnx", case.parent / "signature.yaml")
    prepared = prepare_import(*given, loaded, case, Home(tmp_path), cache=True)
    assert prepared.dag == IMPORTING
    assert [plan.stage for plan in prepared.plan] == [
        "ingest_examples",
        "validate_examples",
        "import_model",
        "evaluate_models",
        "measure_models",
        "decide_release",
        "register_models",
        "seal_run",
    ]
    assert prepared.arguments["window"] == {"first": "2013-02", "last": "2013-03"}
    assert "model" not in prepared.arguments
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("data", "window"),
    [
        ("2013-01", ("2012-12", "2013-01")),
        ("2013-03-01", ("2013-02-28", "2013-03-01")),
        ("2012-11:2013-02", ("2012-11", "2013-02")),
    ],
)
def test_a_span_has_the_one_before_it_beside_it(case, data, window):
    first, last = window
    assert data_overrides(data, case, []) == [f"window.first={first!r}", f"window.last={last!r}"]


def test_where_rows_are_not_split_by_span_a_span_stands_alone(case):
    by_hash = ["source.splits={by: hash, column: id}"]
    found = data_overrides("all", case, by_hash)
    assert found == ["window.first='all'", "window.last='all'"]


def test_a_pickle_is_refused_before_a_run(case, tmp_path):
    error = _refused(case, tmp_path, "--data", "2013-03", model="pickled.onnx")
    assert "is a pickle" in error["message"]
    assert "export the model" in error["remedy"]


def test_a_span_that_is_none_is_refused(case, tmp_path):
    assert "no span" in _refused(case, tmp_path, "--data", "yesterday")["message"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("late", "names late, which is the label"),
        ("distanc", "names distanc, which the schema does not have; did you mean distance?"),
    ],
)
def test_a_column_that_no_example_gives_a_model_is_refused(case, tmp_path, name, words):
    columns = [{"name": name, "dtype": "float32"}]
    signature = foreign_models.write_signature(tmp_path / "s.yaml", inputs=columns)
    error = _refused(case, tmp_path, "--data", "2013-03", "--signature", str(signature))
    assert words in error["message"]


def test_a_program_that_does_not_name_its_columns_needs_a_signature(case, tmp_path):
    error = _refused(case, tmp_path, "--data", "2013-03", model="program.pt2")
    assert "does not name the columns" in error["message"]
