"""`tandem models register`, up to where a run would start: what is refused before anything is."""

from __future__ import annotations

import json
import pickle
import zipfile
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
    whole = (folder / "model.onnx").read_bytes()
    (folder / "truncated.onnx").write_bytes(whole[: len(whole) // 2])
    onnx.save(foreign_models.matrix_model(), folder / "matrix.onnx")
    with zipfile.ZipFile(folder / "compiled.pt2", "w") as archive:
        archive.writestr("m/data/aotinductor/model/lib.so", b"\x7fELF")
    (folder / "empty").mkdir()
    (folder / "empty" / "saved_model.pb").touch()
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


@pytest.mark.parametrize(
    ("model", "columns", "words"),
    [
        ("truncated.onnx", None, "truncated.onnx is no valid ONNX model"),
        ("matrix.onnx", None, "the model takes X, which the schema does not have"),
        ("model.onnx", None, "the signature's output is none, and it has several"),
        ("model.onnx", {"origin": "string"}, "names origin, and the model takes distance, origin"),
        ("model.onnx", {"distance": "float32", "origin": "float32"}, "by the schema it holds text"),
        ("compiled.pt2", {"distance": "float32"}, "could run any code"),
        ("compiled.pt2", {"origin": "string"}, "does not name the columns that it takes"),
        ("empty", None, "the SavedModel has no signature serving_default"),
    ],
)
def test_a_file_that_no_row_is_needed_to_refuse_is_refused_before_a_run(
    case, tmp_path, model, columns, words
):
    said = [{"name": name, "dtype": dtype} for name, dtype in (columns or {}).items()]
    signature = foreign_models.write_signature(tmp_path / "s.yaml", inputs=said)
    more = ["--signature", str(signature)] if columns else []
    error = _refused(case, tmp_path, "--data", "2013-03", *more, model=model)
    assert error["kind"] == "SettingsError"
    assert words in error["message"]
    assert error["remedy"]


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a small bundle, as tests of another stage make them."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "evaluate_models"))
    import tiny_bundles

    return tiny_bundles.write_bundle(tmp_path / "bundle", "pytorch")


def test_a_bundle_of_another_task_is_refused_before_a_run(case, tmp_path, bundle):
    classes = ["--set", "source.target={name: late, column: came, classes: [early, late, lost]}"]
    more = [*classes, "--set", "policy.gates=[{metric: accuracy, operator: '>=', threshold: 0.5}]"]
    error = _refused(case, tmp_path, "--data", "2013-03", *more, model=str(bundle))
    assert error["message"] == (
        "the bundle gives probability, and the use case asks for probabilities of early, late, lost"
    )


def test_a_bundle_with_a_changed_byte_is_refused_before_a_run(case, tmp_path, bundle):
    (bundle / "model.onnx").write_bytes(b"")
    words = ["models", "register", str(bundle), "-s", str(case), "--data", "2013-03"]
    code, stdout = run_tandem(*words, "--home", str(tmp_path / "home"), "--json")
    assert code == 4
    assert "differs from its contract" in json.loads(stdout)["error"]["message"]
    assert not (tmp_path / "home").exists()
