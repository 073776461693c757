"""The empty store that set-up makes: what MLflow would make, and no more."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from components.register_models.empty_store import copy_tables, make_tables
from components.register_models.store import opened_store

pytestmark = pytest.mark.slow
OWN = ("artifact_location", "creation_time", "last_update_time")


def content(file: Path) -> tuple[Any, Any]:
    """Return a store's definitions and rows, without what is of its place and its time."""
    with closing(sqlite3.connect(file)) as store:
        store.row_factory = sqlite3.Row
        found = store.execute("select type, name, sql from sqlite_master")
        made = {(kind, name, lines(sql or "")) for kind, name, sql in found}
        tables = [name for kind, name, _ in made if kind == "table"]
        return made, {name: [*rows(store, name)] for name in tables}


def rows(store: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    for row in store.execute(f'select * from "{table}"'):  # noqa: S608 - the file's own names
        yield {name: value for name, value in dict(row).items() if name not in OWN}


def lines(sql: str) -> tuple[str, ...]:
    """Return a definition without its order: the migrations write constraints in any."""
    return tuple(sorted(line.strip(" ,\t") for line in sql.splitlines()))


def test_a_store_that_begins_with_it_is_the_one_that_mlflow_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    place = (tmp_path / "mlartifacts").as_uri()
    with opened_store() as client:
        (default,) = client.search_experiments()
    assert default.artifact_location == f"{place}/0"
    SqlAlchemyStore(f"sqlite:///{tmp_path}/made.db", place).engine.dispose()
    assert content(tmp_path / "mlflow.db") == content(tmp_path / "made.db")


def test_set_up_has_made_it_for_this_mlflow_with_no_row_of_a_store(tmp_path: Path) -> None:
    make_tables(tmp_path / "made.db")
    copy_tables(tmp_path / "copied.db")
    assert content(tmp_path / "copied.db") == content(tmp_path / "made.db")
    assert content(tmp_path / "copied.db")[1]["experiments"] == []
