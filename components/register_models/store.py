"""Where the MLflow store is, how it is opened, and the names that Tandem uses in it.

Rules: MLFLOW_TRACKING_URI names the store; without it, it is an SQLite file in TANDEM_HOME. The
models' files lie beside that, or where MLFLOW_DEFAULT_ARTIFACT_ROOT says; a server decides itself.
MLflow makes its tables one by one and never goes on with half of them, so a new file is made beside
and renamed, and begins with the empty store that set-up made, where that is. A store that does not
answer is a PlatformError with its address, without its password. A server is asked whether it is
there before anything else, once and for seconds (first_answer.py), since MLflow itself asks one
that is away seven times. MLflow is imported only when a store is opened (2 s), and is quiet then,
as components/core/quiet.py says.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from components.core.errors import PlatformError, SettingsError
from components.core.innermost import chain_of, innermost_words
from components.core.quiet import be_quiet
from components.register_models.empty_store import copy_tables
from components.register_models.first_answer import require_answer

URI_VARIABLE = "MLFLOW_TRACKING_URI"
ROOT_VARIABLE = "MLFLOW_DEFAULT_ARTIFACT_ROOT"
HOME_VARIABLE = "TANDEM_HOME"
SQLITE = "sqlite:///"
SERVERS = ("http", "https")
BUNDLE_FOLDER = "bundle"
RUN_TAG = "tandem.run"
FRAMEWORK_TAG = "tandem.framework"
BUNDLE_TAG = "tandem.bundle_sha256"
RECORD_TAG = "tandem.record"
WEIGHTS_TAG = "tandem.weights_sha256"
MODEL_TAG = "tandem.model_sha256"  # of all stored files: mlflow_model.stored_digest
SPAN_TAG = "tandem.data_span"
DECISION_TAG = "tandem.decision"
_FULL = "disk is full"  # SQLITE_FULL
# MLflow asks a silent server seven times, for minutes; the stage's own retry comes after.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}


def tracking_uri() -> str:
    """Return the store's address; raise SettingsError for what is none."""
    uri = os.environ.get(URI_VARIABLE) or f"{SQLITE}{home() / 'mlflow.db'}"
    try:
        urlsplit(uri)
    except ValueError as error:
        raise SettingsError(
            f"{URI_VARIABLE} is no address: {error}", remedy="write it as https://HOST[/PATH]"
        ) from error
    return uri


def home() -> Path:
    """Return the state folder; raise SettingsError where TANDEM_HOME is not set."""
    folder = os.environ.get(HOME_VARIABLE)
    if not folder:
        raise SettingsError(
            f"neither {URI_VARIABLE} nor {HOME_VARIABLE} is set", remedy="set one of them"
        )
    return Path(folder).resolve()


def artifact_location(uri: str) -> str | None:
    """Return where a new experiment keeps files; None where a server decides that itself."""
    if urlsplit(uri).scheme in SERVERS:
        return None
    return os.environ.get(ROOT_VARIABLE) or (home() / "mlartifacts").as_uri()


def sqlite_file(uri: str) -> Path | None:
    """Return the store's file if it is SQLite and the address says nothing else."""
    plain = uri.startswith(SQLITE) and "?" not in uri
    return Path(uri.removeprefix(SQLITE)).resolve() if plain else None


def shown(uri: str) -> str:
    """Return the address without a user's name and password."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))


@contextlib.contextmanager
def opened_store(address: str | None = None, *, go_on: str = "try again") -> Iterator[Any]:
    """Give an MlflowClient; PlatformError for whatever MLflow or its database raise.

    The store is that of the environment unless an address is given; `go_on` is what to do once it
    answers again.
    """
    uri = address or tracking_uri()
    if urlsplit(uri).scheme in SERVERS:
        _require_answer(uri, go_on)
    be_quiet()
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    import components.register_models.slim_mlflow  # noqa: F401 - before anything of MLflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from mlflow.tracking import MlflowClient

    try:
        if (file := sqlite_file(uri)) is not None and not file.exists():
            _make(file)
        yield MlflowClient(tracking_uri=uri, registry_uri=uri)
    except _failures() as error:
        raise PlatformError(
            f"the MLflow store {shown(uri)} failed: {_cause(error, uri)}",
            remedy=_remedy(error, go_on),
        ) from error


def _require_answer(uri: str, go_on: str) -> None:
    try:
        require_answer(uri)
    except OSError as error:
        raise PlatformError(
            f"the MLflow store {shown(uri)} failed: {innermost_words(error)}",
            remedy=_remedy(error, go_on),
        ) from error


def _failures() -> tuple[type[Exception], ...]:
    """Return what MLflow, its database and the object store that it has loaded raise."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException  # of files that a server hands out
    from sqlalchemy.exc import SQLAlchemyError

    if "botocore" not in sys.modules:
        return MlflowException, SQLAlchemyError, RequestException
    from botocore.exceptions import (  # type: ignore[import-untyped]
        BotoCoreError,
        ClientError,
    )

    return MlflowException, SQLAlchemyError, RequestException, BotoCoreError, ClientError


def _make(file: Path) -> None:
    """Make an SQLite store with all of MLflow's tables, or none: whoever is stopped begins anew."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.partial")
    for left in file.parent.glob(f"{beside.name}*"):  # with SQLite's journal
        left.unlink()
    copy_tables(beside)
    store = SqlAlchemyStore(f"{SQLITE}{beside}", (file.parent / "mlartifacts").as_uri())
    store.engine.dispose()
    beside.replace(file)


def _remedy(error: Exception, go_on: str) -> str:
    if _FULL in str(error):
        return f"free disk space, then {go_on}"
    return f"see that it runs and that {URI_VARIABLE} is right, then {go_on}"


def _cause(error: Exception, uri: str) -> str:
    """Return why it failed in one line: of the network its own word, else MLflow's."""
    from requests.exceptions import HTTPError, RequestException

    network = [link for link in chain_of(error) if isinstance(link, RequestException)]
    if network and not isinstance(network[0], HTTPError):
        return innermost_words(error)
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line.partition(" Response body: ")[0].replace(uri, shown(uri))[:300]
