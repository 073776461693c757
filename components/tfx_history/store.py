"""A store of ML Metadata in SQLite, opened as a copy: reading it changes nothing of it.

Rules: ML Metadata brings a store to its own schema when it opens it, so what is opened is a copy in
a temporary folder, and the digest is that of the bytes that were copied. Before the library sees
it, it is read whole, value by value, since the library ends the process over a text where a number
should be; and its schema's version is read: one newer than the library's is refused, an older one
is brought up to date in the copy alone. A store that somebody writes to is refused. Which schema
the library knows, it says itself, by a store that it makes anew. Of a store that a run is to be
written to only the version is asked, where it lies.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.core.canonical import sha256_file
from components.core.errors import DataError, PlatformError, SettingsError

_MAGIC = b"SQLite format 3\0"
_VERSION = "SELECT schema_version FROM MLMDEnv"
_HAS_VERSION = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'MLMDEnv'"
_WRITING = ("-journal", "-wal")
"""What SQLite keeps beside a database that has not taken all of it (https://sqlite.org/tempfiles.html)."""


@dataclass(frozen=True)
class Store:
    """An open copy; `schema_version` and `sha256` are those of the file that was given."""

    client: Any
    schema_version: int
    sha256: str


@contextmanager
def opened_store(path: Path) -> Iterator[Store]:
    """Give the copy of a store.

    Raises SettingsError for no file, DataError for what is no whole store that the library knows,
    PlatformError for one that is being written to, or where there is no room for the copy.
    """
    _require_at_rest(path)
    with tempfile.TemporaryDirectory(prefix="tandem-store-") as folder:
        copy = Path(folder, "store.db")
        try:
            shutil.copyfile(path, copy)
        except OSError as error:
            raise PlatformError(
                f"{path} cannot be copied: {error.strerror}",
                remedy="see that it may be read, and that there is room for a copy",
            ) from error
        sha256 = sha256_file(copy)
        version, known = _schema_version(path, copy), _known_version(Path(folder, "new.db"))
        if version > known:
            raise DataError(
                f"{path} has a schema of ML Metadata that is newer than what is installed reads",
                remedy="import it with a version of Tandem whose ml-metadata knows that schema",
                expected=f"{known} at most",
                actual=version,
            )
        with _library_errors(path):
            yield Store(_client(copy, upgrade=version < known), version, sha256)


def require_writable_schema(path: Path) -> None:
    """Raise PlatformError for a store that a run cannot be written to: none, or of another schema.

    The library brings an older one up to date only where it is asked to, for ever: that is for
    people to do. One that is not there yet, or has no table, is made by whoever writes first.
    """
    if not path.exists():
        return
    try:
        address = f"{path.absolute().as_uri()}?mode=rw"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
            has = database.execute(_HAS_VERSION).fetchone()
            version = database.execute(_VERSION).fetchone() if has else None
    except sqlite3.Error as error:
        raise PlatformError(
            f"ML Metadata's store {path} cannot be read: {error}",
            remedy="restore it from a copy, or move it away for a new store",
        ) from error
    with tempfile.TemporaryDirectory(prefix="tandem-store-") as folder:
        known = _known_version(Path(folder, "new.db"))
    if version is not None and version[0] != known:
        raise _other_schema(path, version[0], known)


def _other_schema(path: Path, version: int, known: int) -> PlatformError:
    """Return the error for a store that the library does not write to as it is."""
    if version > known:
        return PlatformError(
            f"ML Metadata's store {path} has a newer schema than the installed ml-metadata writes",
            remedy="run with the version of Tandem that wrote it, or move it away for a new store",
            expected=f"{known} at most",
            actual=version,
        )
    return PlatformError(
        f"ML Metadata's store {path} has an older schema than the installed ml-metadata writes",
        remedy="bring a copy of it up to date (MetadataStore(config, enable_upgrade_migration=True)"
        " of ml_metadata), or move it away for a new store",
        expected=known,
        actual=version,
    )


def _require_at_rest(path: Path) -> None:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise SettingsError(
            f"the store {path} {what}", remedy="name the SQLite file of ML Metadata, as TFX has it"
        )
    for suffix in _WRITING:
        beside = path.with_name(path.name + suffix)
        if beside.exists() and beside.stat().st_size:
            raise PlatformError(
                f"{path} is being written to, or was left so: {beside.name} is there",
                remedy="wait until the pipeline is done; open it once with sqlite3 after a crash",
            )


def _schema_version(path: Path, copy: Path) -> int:
    """Return the version that a store says its schema has; DataError for what is no whole store."""
    with copy.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise DataError(f"{path} is no SQLite database", remedy="name ML Metadata's file")
    try:
        with contextlib.closing(sqlite3.connect(copy)) as database:
            (state,) = database.execute("PRAGMA integrity_check(1)").fetchone()
            is_store = state == "ok" and database.execute(_HAS_VERSION).fetchone()
            rows = database.execute(_VERSION).fetchall() if is_store else []
            _require_values(path, database)
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from error
    if state != "ok":
        raise _damaged(path, str(state))
    if len(rows) != 1 or type(rows[0][0]) is not int:
        raise DataError(
            f"{path} is a database, but no store of ML Metadata",
            remedy="name the file of metadata_connection_config in the pipeline",
        )
    return int(rows[0][0])


def _require_values(path: Path, database: sqlite3.Connection) -> None:
    """Read every value; DataError for one of another kind, DatabaseError for no text."""
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    for (table,) in database.execute(tables).fetchall():
        quoted = '"' + table.replace('"', '""') + '"'
        columns = database.execute(f"PRAGMA table_info({quoted})").fetchall()
        numbers = [place for place, column in enumerate(columns) if "INT" in column[2].upper()]
        for row in database.execute(f"SELECT * FROM {quoted}"):  # noqa: S608 - quoted above
            if wrong := [n for n in numbers if not isinstance(row[n], int | None)]:
                raise _damaged(path, f"{table}.{columns[wrong[0]][1]} holds what is no number")


def _damaged(path: Path, why: str) -> DataError:
    told = " ".join(why.split())
    return DataError(f"{path} is cut or damaged: {told}", remedy="restore it from a copy")


def _known_version(new: Path) -> int:
    """Return the version of the schema that the library gives to a store that it makes."""
    _client(new, upgrade=False)
    with contextlib.closing(sqlite3.connect(new)) as database:
        return int(database.execute(_VERSION).fetchone()[0])


def _client(file: Path, *, upgrade: bool) -> Any:
    from ml_metadata.metadata_store.metadata_store import MetadataStore
    from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig

    config = ConnectionConfig()
    config.sqlite.filename_uri = str(file)
    return MetadataStore(config, enable_upgrade_migration=upgrade)


@contextmanager
def _library_errors(path: Path) -> Iterator[None]:
    """Have what the library refuses be the data's fault: it was opened as the library asks."""
    from ml_metadata import errors

    try:
        yield
    except (errors.StatusError, RuntimeError) as error:
        raise DataError(
            f"ML Metadata cannot read {path}: {' '.join(str(error).split())[:300]}",
            remedy="restore the store from a copy, or open it once with the TFX that wrote it",
        ) from error
