"""Which model has the alias champion."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from release_chain import Chain

from components.core.artifacts import tree_digest
from components.core.errors import IntegrityError, PlatformError, SettingsError
from components.register_models.champion import champion_here, main, resolve_champion
from components.register_models.store import home as store_home
from components.register_models.store import opened_store, shown, sqlite_file, tracking_uri


def test_without_a_store_there_is_no_champion_and_none_is_created(home):
    assert resolve_champion("flights") == {}
    assert list(home.iterdir()) == []


def test_without_a_home_the_caller_is_told(monkeypatch):
    monkeypatch.delenv("TANDEM_HOME", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(SettingsError, match="TANDEM_HOME"):
        resolve_champion("flights")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("postgresql://me:secret@db:5432/mlflow", "postgresql://***@db:5432/mlflow"),
        ("https://mlflow.example/path", "https://mlflow.example/path"),
        ("sqlite:////home/me/mlflow.db", "sqlite:////home/me/mlflow.db"),
    ],
)
def test_an_address_is_shown_without_its_password(uri, expected):
    assert shown(uri) == expected


@pytest.mark.slow
def test_the_champion_is_the_version_with_the_alias(notary, tmp_path, capsys):
    chain = Chain(tmp_path).until_decision()
    chain.register()
    assert resolve_champion("flights") == {}
    assert resolve_champion("other") == {}
    with opened_store() as client:
        client.set_registered_model_alias("flights", "champion", "2")
    found = resolve_champion("flights")
    assert found["version"] == "2"
    assert found["bundle_sha256"] == tree_digest(chain.path("tensorflow_model"))
    assert tree_digest(_path(found)) == found["bundle_sha256"]
    assert champion_here(tracking_uri(), "flights", store_home()) == found
    assert champion_here(tracking_uri(), "other", store_home()) is None
    assert main(["flights"]) == 0
    assert json.loads(capsys.readouterr().out) == {"champion": found}
    assert resolve_champion("other") == {}


def _path(found):
    return Path(found["path"])


@pytest.mark.slow
def test_what_the_tables_do_not_answer_mlflow_is_asked(notary, tmp_path):
    Chain(tmp_path).until_decision().register()
    with opened_store() as client:
        client.set_registered_model_alias("flights", "champion", "2")
    assert champion_here("http://127.0.0.1:1", "flights", store_home()) is None
    file = sqlite_file(tracking_uri())
    assert file is not None
    with contextlib.closing(sqlite3.connect(file)) as store, store:
        store.execute("UPDATE model_versions SET storage_location = 's3://bucket/model'")
    assert champion_here(tracking_uri(), "flights", store_home()) is None
    with contextlib.closing(sqlite3.connect(file)) as store, store:
        store.execute("ALTER TABLE registered_model_aliases RENAME COLUMN alias TO named")
    assert champion_here(tracking_uri(), "flights", store_home()) is None


@pytest.mark.slow
def test_the_tables_answer_is_held_to_the_tag_as_mlflows_is(notary, tmp_path):
    Chain(tmp_path).until_decision().register()
    with opened_store() as client:
        client.set_registered_model_alias("flights", "champion", "2")
        client.delete_model_version_tag("flights", "2", "tandem.bundle_sha256")
    with pytest.raises(IntegrityError, match="version 2 of flights, has no bundle digest"):
        champion_here(tracking_uri(), "flights", store_home())


@pytest.mark.slow
def test_mlflow_answers_where_its_table_cannot_be_asked(notary, tmp_path, monkeypatch):
    Chain(tmp_path).until_decision().register()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri() + "?timeout=5")
    assert resolve_champion("flights") == {}
    assert resolve_champion("other") == {}
    with opened_store() as client:
        client.set_registered_model_alias("flights", "champion", "1")
    assert resolve_champion("flights")["version"] == "1"


@pytest.mark.slow
def test_a_champion_that_tandem_did_not_register_is_refused(home, capsys):
    with opened_store() as client:
        client.create_registered_model("flights")
        client.create_model_version("flights", source=(home / "somewhere").as_uri())
        client.set_registered_model_alias("flights", "champion", "1")
    with pytest.raises(IntegrityError, match="was not registered by Tandem"):
        resolve_champion("flights")
    assert main(["flights"]) == 4
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "IntegrityError"


@pytest.mark.slow
@pytest.mark.parametrize("tag", ["../../audit", "a" * 63, "A" * 64, "a" * 64 + "\n", ""])
def test_a_champion_whose_tag_is_no_digest_names_no_folder(home, tag):
    with opened_store() as client:
        client.create_registered_model("flights")
        source = (home / "somewhere").as_uri()
        client.create_model_version("flights", source=source, tags={"tandem.bundle_sha256": tag})
        client.set_registered_model_alias("flights", "champion", "1")
    with pytest.raises(IntegrityError, match=r"version 1 of flights, is no SHA-256 digest"):
        resolve_champion("flights")


@pytest.mark.slow
def test_a_silent_store_is_a_platform_error(home, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(PlatformError, match=r"http://127\.0\.0\.1:9"):
        resolve_champion("flights")


STOPPED = """
import os, sys

def stop(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("mlflow.db"):
        os._exit(9)

sys.addaudithook(stop)
from components.register_models.store import opened_store

with opened_store() as client:
    client.search_experiments()
"""


@pytest.mark.slow
def test_a_store_whose_making_was_stopped_is_made_anew(home):
    stopped = subprocess.run([sys.executable, "-c", STOPPED], check=False)
    assert stopped.returncode == 9
    assert [path.name for path in home.iterdir()] == [".mlflow.db.partial"]
    (home / ".mlflow.db.partial").write_bytes(b"half of it")
    with opened_store() as client:
        assert len(client.search_experiments()) == 1
    assert [path.name for path in home.iterdir()] == ["mlflow.db"]
