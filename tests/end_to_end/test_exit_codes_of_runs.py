"""A failed run's exit code says who must act: 2 who wrote settings or code, 1 the data's owner."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from prepared_run import run_tandem

from components.audit.process import NotaryProcess
from pipelines.settings_file import find_settings

pytestmark = pytest.mark.slow
MODEL = {f: f"pipelines.examples.mortgage.model_{f}:build_model" for f in ("pytorch", "tensorflow")}
OWN = """
def throws(*given):
    raise ValueError("thought better of it")


def gives_no_model(spec, family, seed):
    return {}["no model"]


def reads_what_is_not_there(inputs):
    return {"dir": open("/nowhere/constants").read()}
"""
STRICT = {"metric": "auc", "operator": ">=", "threshold": 0.9999}


def own(function):
    return {"transform": {"preprocessing_fn": f"own_code:{function}"}}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return one state folder, so that each run begins where it differs from those before."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def use_case(tmp_path, monkeypatch):
    """Return a way to write the mortgages' settings, changed, into a folder with own code."""
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setenv("TANDEM_SOURCES", "")
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "own_code.py").write_text(OWN)
    example = find_settings("mortgage")
    shutil.copy(example.with_name("data_card.yaml"), folder)
    values = yaml.safe_load(example.read_text())

    def write(changed):
        for section, keys in changed.items():
            whole = section in ("transform", "model", "policy")
            values[section] = keys if whole else values[section] | keys
        (folder / "settings.yaml").write_text(yaml.safe_dump(values))
        return folder

    return write


@pytest.mark.parametrize(
    ("changed", "code", "task", "kind", "words"),
    [
        (own("throws"), 2, "transform-features", "SettingsError", "own_code.py, line 3"),
        (
            own("reads_what_is_not_there"),
            2,
            "transform-features",
            "SettingsError",
            "own_code.py, line 11",
        ),
        (
            {"model": MODEL | {"pytorch": "own_code:throws"}},
            2,
            "train-pytorch",
            "SettingsError",
            "own_code.py, line 3, `raise ValueError",
        ),
        (
            {"model": MODEL | {"tensorflow": "own_code:gives_no_model"}},
            2,
            "train-tensorflow",
            "SettingsError",
            "own_code.py, line 7",
        ),
        (
            {"source": {"target": {"name": "denied", "column": "deny", "equals": "maybe"}}},
            1,
            "ingest-examples",
            "DataError",
            "one class only",
        ),
        (
            {"checks": {"minimum_rows": 5000}},
            3,
            "validate-examples",
            "GateError",
            "minimum_rows in train",
        ),
        ({"policy": {"gates": [STRICT]}}, 3, "decide-release", "GateError", "auc"),
    ],
)
def test_the_exit_code_of_a_run_says_who_must_act(
    home, use_case, capfd, changed, code, task, kind, words
):
    ended, answer = run_tandem("run", str(use_case(changed)), "--home", str(home), "--json")

    assert (ended, json.loads(answer)["exit_code"]) == (code, code)
    record = json.loads((max(Path(home, "runs").iterdir()) / "run.json").read_text())
    failed = {name: t["error"] for name, t in record["tasks"].items() if t["state"] == "FAILED"}
    assert list(failed) == [task]
    assert failed[task]["kind"] == kind
    assert words in failed[task]["message"]
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_run_that_another_one_keeps_from_starting_names_no_id_and_leaves_no_folder(
    tmp_path, use_case, capfd
):
    home = tmp_path / "home"
    with NotaryProcess(home):
        ended, answer = run_tandem("run", str(use_case({})), "--home", str(home))
    assert (ended, answer) == (1, "")
    assert "a run is going on in this home" in capfd.readouterr().err
    assert not (home / "runs").exists()
