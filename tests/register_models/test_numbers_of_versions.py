"""A number that the log has registered: refused before MLflow has it, or gone from there again."""

from __future__ import annotations

import contextlib
import functools
import json
import sqlite3
from pathlib import Path

import foreign_models
import onnx
import pytest
from mlflow_processes import answering, free_port
from prepared_run import run_tandem
from release_chain import Chain

from components.audit.client import connect
from components.core.errors import IntegrityError, PlatformError
from components.register_models.step import register_models
from components.register_models.store import opened_store

pytestmark = pytest.mark.slow
AGAIN = "version 1 of flights, which the log registered for run run-1"


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory) -> Path:
    """Create an empty store once: making its tables takes seconds."""
    from mlflow.tracking import MlflowClient

    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{file}", f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def store(home, empty_store) -> Path:
    (home / "mlflow.db").write_bytes(empty_store.read_bytes())
    return home / "mlflow.db"


@pytest.fixture
def registered(notary, store, tmp_path) -> None:
    """Have run-1 register versions 1 and 2, and give the same log a run-2 that may register."""
    Chain(tmp_path).until_decision().register()


@pytest.fixture
def later(registered, tmp_path) -> Chain:
    return Chain(tmp_path, "run-2").until_decision()


def _versions() -> dict[str, str]:
    with opened_store() as client:
        found = client.search_model_versions("name = 'flights'")
        return {str(version.version): version.tags["tandem.run"] for version in found}


def _events(run: str) -> list[str]:
    return [v.event for v in connect().records(run) if v.stage == "register_models"]


def _replace(store: Path, empty: Path) -> None:
    store.write_bytes(empty.read_bytes())


def _change(store: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(store)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def test_a_store_that_counts_anew_is_refused_before_anything_is_written(later, store, empty_store):
    _replace(store, empty_store)
    with pytest.raises(IntegrityError, match=AGAIN) as caught:
        later.register()
    assert "restore MLflow's database" in caught.value.remedy
    with opened_store() as client:
        assert client.get_experiment_by_name("tandem") is None
        assert client.search_registered_models() == []
    assert _events("run-2") == ["START", "FAIL"]


def test_a_registered_model_that_was_deleted_is_refused_too(later):
    with opened_store() as client:
        client.delete_registered_model("flights")
    with pytest.raises(IntegrityError, match=AGAIN):
        later.register()
    assert _versions() == {}


def test_versions_that_were_deleted_one_by_one_are_not_counted_again(later):
    with opened_store() as client:
        for version in ("1", "2"):
            client.delete_model_version("flights", version)
    assert later.register()["candidate"]["version"] == "3"


def test_the_run_that_registered_a_number_may_be_called_again(registered, tmp_path, monkeypatch):
    chain = Chain(tmp_path, "run-2").until_decision()
    first = chain.register()
    monkeypatch.setenv("TANDEM_ATTEMPT", "2")
    assert chain.register() == first
    assert set(_versions().values()) == {"run-1", "run-2"}


def test_a_number_that_was_given_all_the_same_is_taken_back(later, store, empty_store):
    """Somebody deletes the model after the question and before the version is made."""
    _replace(store, empty_store)
    _change(
        store,
        "INSERT INTO registered_models (name) VALUES ('flights')",
        "INSERT INTO model_versions (name, version, current_stage) "
        "VALUES ('flights', 2, 'Deleted_Internal')",
        "CREATE TRIGGER deleted AFTER INSERT ON runs "
        "BEGIN DELETE FROM model_versions WHERE run_id IS NULL; END",
    )
    with pytest.raises(IntegrityError, match=AGAIN):
        later.register()
    assert _versions() == {}
    assert _events("run-2") == ["START", "FAIL"]


def _meanwhile(other: Chain, elsewhere: Path, store: Path, patch: pytest.MonkeyPatch):
    """Return the step, after whose work another run registers the same numbers elsewhere."""

    @functools.wraps(register_models)
    def step(**given):
        outcome = register_models(**given)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere}")
        other.register()
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}")
        return outcome

    return step


def test_what_the_notary_refuses_after_the_push_is_taken_back(
    notary, home, store, empty_store, tmp_path, monkeypatch
):
    elsewhere = tmp_path / "elsewhere.db"
    elsewhere.write_bytes(empty_store.read_bytes())
    chain, other = (Chain(tmp_path, run).until_decision() for run in ("run-2", "run-1"))
    with pytest.raises(IntegrityError, match="registers version 1 of flights again"):
        chain.register(_meanwhile(other, elsewhere, store, monkeypatch))
    assert _versions() == {}
    assert _events("run-2") == ["START", "FAIL"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere}")
    assert _versions() == {"1": "run-1", "2": "run-1"}
    code, answer = run_tandem("models", "reconcile", "--home", str(home), "--json")
    assert (code, json.loads(answer)["findings"]) == (0, [])


@functools.wraps(register_models)
def _pushed_and_cut_off(**given):
    register_models(**given)
    raise PlatformError("the machine went away", remedy="resume the run")


def test_what_a_run_left_before_its_record_stays_until_the_log_has_that_number(
    notary, store, empty_store, tmp_path, monkeypatch
):
    chain, other = (Chain(tmp_path, run).until_decision() for run in ("run-2", "run-1"))
    with pytest.raises(PlatformError):
        chain.register(_pushed_and_cut_off)
    assert _versions() == {"1": "run-2", "2": "run-2"}
    elsewhere = tmp_path / "elsewhere.db"
    elsewhere.write_bytes(empty_store.read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere}")
    other.register()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}")
    monkeypatch.setenv("TANDEM_ATTEMPT", "2")
    with pytest.raises(IntegrityError, match=AGAIN):
        chain.register()
    assert _versions() == {}


@pytest.mark.parametrize("words", [["run"], ["models", "register", "model.onnx", "-s"]])
def test_a_run_that_could_not_be_registered_does_not_start(
    registered, home, store, empty_store, tmp_path, words
):
    case = foreign_models.write_use_case(tmp_path / "case")
    onnx.save(foreign_models.columns_model(), tmp_path / "case" / "model.onnx")
    foreign_models.write_signature(tmp_path / "case" / "signature.yaml")
    words = [str(case.parent / word) if word == "model.onnx" else word for word in words]
    more = ["--set", "registry.model_name=flights", "--home", str(home), "--json"]
    if words[0] == "models":
        more += ["--signature", str(case.parent / "signature.yaml"), "--data", "2013-03"]
    _replace(store, empty_store)
    code, printed = run_tandem(*words, str(case), *more)
    assert code == 4, printed
    assert "version 1 of flights" in json.loads(printed)["error"]["message"]
    assert not (home / "runs").exists()


def test_a_server_is_asked_as_far_as_it_tells(later, store, empty_store, monkeypatch):
    """Of a model that it has, it does not tell which numbers were given and deleted."""
    _replace(store, empty_store)
    files = (store.parent / "served").as_uri()
    port = free_port()
    served = ("server", "--backend-store-uri", f"sqlite:///{store}", "--workers", "1")
    with answering(port, *served, "--artifacts-destination", files):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        with pytest.raises(IntegrityError, match=AGAIN):
            later.register()
        with opened_store() as client:
            assert client.search_registered_models() == []
            client.create_registered_model("flights")
        monkeypatch.setenv("TANDEM_ATTEMPT", "2")
        with pytest.raises(IntegrityError, match=AGAIN):
            later.register()
        assert _versions() == {}
