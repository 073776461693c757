"""The numbers that MLflow gives versions, held against those that the log has registered.

Why: a log registers a version once (components/audit/registered_once.py), and MLflow counts from 1
again in another store, and where a registered model was deleted. What the notary would refuse is
refused here, before anything is pushed.

Rules: of a database the number that comes next is known, because deleted versions are still counted
there; a server shows only what is not deleted, so that its number is known where it has no such
model, and is looked at once it was given elsewhere (registry.py). The notary has the last word.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from components.audit.answers import Registration
from components.core.errors import IntegrityError
from components.register_models.store import RUN_TAG, sqlite_file

Registered = Mapping[str, Registration]
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
# In MLflow's own tables, as MLflow counts.
_QUESTION = "SELECT MAX(version) FROM model_versions WHERE name = :name"


def versions_named(client: Any, model: str) -> Iterator[Any]:
    """Yield every version of a model that is not deleted."""
    token = None
    while token != "":
        page = client.search_model_versions(f"name = '{model}'", page_token=token)
        yield from page
        token = page.token or ""


def require_new_numbers(
    client: Any, uri: str, model: str, run: str, count: int, registered: Registered
) -> None:
    """Raise IntegrityError where a run's versions, `count` in all, would get numbers of the log."""
    if not registered:
        return
    made = [found for found in versions_named(client, model) if found.tags.get(RUN_TAG) == run]
    first = _next_number(client, uri, model)
    if first is not None:
        numbers = range(first, first + count - len(made))
        require_unregistered(model, run, map(str, numbers), registered)


def require_new_number_locally(uri: str, model: str, registered: Registered) -> None:
    """Do the same for the first version of a new run, by a question to a local store's file."""
    first = _next_in_file(uri, model)
    if first is not None:
        require_unregistered(model, "", [str(first)], registered)


def require_unregistered(
    model: str, run: str, numbers: Iterable[str], registered: Registered
) -> None:
    """Raise IntegrityError for a number that the log registered for another run."""
    for number in numbers:
        before = registered.get(number)
        if before is not None and before.run != run:
            raise IntegrityError(
                f"MLflow counts this as version {number} of {model}, which the log registered for "
                f"run {before.run} (entry {before.index}): a log registers a version once",
                remedy="if MLflow's store was replaced or the registered model deleted, restore "
                "MLflow's database; or name another model in registry.model_name",
            )


def _next_number(client: Any, uri: str, model: str) -> int | None:
    """Return the number that MLflow gives next, None where it does not tell."""
    if (local := _next_in_file(uri, model)) is not None:
        return local
    if urlsplit(uri).scheme.partition("+")[0] in DATABASES:
        return _next_in_database(uri, model)
    return None if _has_model(client, model) else 1


def _next_in_file(uri: str, model: str) -> int | None:
    file = sqlite_file(uri)
    if file is None:
        return None
    if not file.is_file():
        return 1
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as store:
            (highest,) = store.execute(_QUESTION, {"name": model}).fetchone()
    except sqlite3.Error:
        return None
    return int(highest or 0) + 1


def _next_in_database(uri: str, model: str) -> int:
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    with create_engine(uri, poolclass=NullPool).connect() as connection:
        highest = connection.execute(text(_QUESTION), {"name": model}).scalar()
    return int(highest or 0) + 1


def _has_model(client: Any, model: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    return True
