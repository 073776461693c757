"""Databases: their addresses in the environment, and a query's rows as a stream of batches.

Rules:
1. an address, and with it a password, is in the environment alone: no message, record or digest
   has it, and so a database's own words are never passed on;
2. a database is only read: PostgreSQL in a read-only transaction, a DuckDB file opened read-only;
3. nothing is fetched for a query beyond its database: DuckDB installs and loads no extension.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from components.core.batches import BATCH_ROWS
from components.core.errors import DataError, PlatformError, SettingsError
from components.core.sources import sources_folder

_POSTGRESQL = re.compile(r"^postgres(ql)?://")
_Options: TypeAlias = dict[str, str | bool | int | float | list[str]]
_DUCKDB = "duckdb:///"
_MEMORY = ":memory:"
_NO_EXTENSIONS: _Options = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
# A file's queries reach nothing beside it: no other file, and nothing of this process.
_ALONE: _Options = {"enable_external_access": False}
_SQLSTATE = re.compile(r"^[0-9A-Z]{5}$")
_CAUSES: Mapping[str, str] = {
    "28": "the user or the password is wrong",
    "3D": "there is no such database",
    "42": "the statement is wrong, or names what is not there or may not be read",
    "22": "a value does not fit what the statement makes of it",
    "25": "the statement would change data",
}
# By DuckDB's classes of errors, whose own words quote the statement or a value.
_DUCKDB_CAUSES: Mapping[str, str] = {
    "Binder": "it names a column that is not there, or does with one what its type does not allow",
    "Catalog": "it names a table or a function that is not there",
    "Conversion": "a value does not fit what the statement makes of it",
    "Parser": "the statement is no SQL that DuckDB reads",
    "OutOfRange": "a number leaves the range of its type",
}
# The connection, another transaction, resources, an operator's act, the server's own system.
_NOT_THE_DATA = ("08", "40", "53", "57", "58")


def variable_of(database: str) -> str:
    """Return the environment variable that holds a database's address."""
    return "TANDEM_DATABASE_" + re.sub(r"[^A-Z0-9]", "_", database.upper())


def address_of(database: str) -> str:
    """Return a database's address; SettingsError naming the variable where there is none."""
    variable = variable_of(database)
    address = os.environ.get(variable, "")
    if not address:
        raise SettingsError(
            f"the address of database {database} is not known",
            remedy=f"set {variable} to postgresql://... or duckdb:///PATH",
        )
    if not (_POSTGRESQL.match(address) or address.startswith(_DUCKDB)):
        raise SettingsError(
            f"{variable} holds no address of a database that can be read",
            remedy="set it to postgresql://... or duckdb:///PATH",
        )
    return address


@contextmanager
def rows_of(database: str, statement: str) -> Iterator[pa.RecordBatchReader]:
    """Run a statement and give its rows as they arrive; an error of the database becomes ours."""
    address = address_of(database)
    run = _postgresql if _POSTGRESQL.match(address) else _duckdb
    with run(database, address, statement) as reader:
        yield reader


@contextmanager
def _postgresql(database: str, address: str, statement: str) -> Iterator[pa.RecordBatchReader]:
    import adbc_driver_manager as adbc
    from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]

    try:
        with (
            closing(dbapi.connect(address, autocommit=True)) as connection,
            closing(connection.cursor()) as cursor,
        ):
            cursor.execute("SET default_transaction_read_only = on")
            cursor.execute(statement)
            with cursor.fetch_record_batch() as reader:
                try:
                    yield reader
                except OSError:  # what the driver raises once rows have begun to come
                    raise _broken_off(database, connection) from None
    except adbc.Error as error:
        raise _postgresql_error(database, error.sqlstate) from None


def _broken_off(database: str, connection: Any) -> DataError | PlatformError:
    """Return the error for rows that ended too soon: by the connection, if it is no longer there.

    The driver gives no SQLSTATE then.
    """
    import adbc_driver_manager as adbc

    try:
        with closing(connection.cursor()) as cursor:
            cursor.execute("SELECT 1")
    except adbc.Error:
        return _unreachable(database)
    return _failed(database, "a row could not be made or fetched")


def _postgresql_error(database: str, state: str | None) -> DataError | PlatformError:
    if state is None or not _SQLSTATE.match(state) or state[:2] in _NOT_THE_DATA:
        return _unreachable(database)
    cause = _CAUSES.get(state[:2], "it was refused")
    return _failed(database, f"{cause} (SQLSTATE {state})")


def _unreachable(database: str) -> PlatformError:
    return PlatformError(
        f"database {database} cannot be reached, or stopped the query",
        remedy=f"check that it runs and what {variable_of(database)} says",
    )


@contextmanager
def _duckdb(database: str, address: str, statement: str) -> Iterator[pa.RecordBatchReader]:
    import duckdb

    path = address.removeprefix(_DUCKDB)
    if path != _MEMORY:
        path = str(sources_folder() / path)
        if not Path(path).is_file():
            raise SettingsError(
                f"the file of database {database} is missing",
                remedy=f"correct {variable_of(database)}: duckdb:///PATH, or duckdb:////PATH for "
                "an absolute path",
            )
    read_only = path != _MEMORY
    options = {**_NO_EXTENSIONS, **(_ALONE if read_only else {})}
    try:
        with closing(duckdb.connect(path, read_only, options)) as connection:
            kinds = [one.type for one in connection.extract_statements(statement)]
            if kinds != [duckdb.StatementType.SELECT]:
                raise _failed(database, "it is not one SELECT statement")
            connection.execute("SET TimeZone = 'UTC'")
            # While a reader is open, DuckDB lets whoever connects to the file anew wait for ever.
            relation = connection.sql(statement)
            _require_known_types(relation, database)
            with relation.to_arrow_reader(BATCH_ROWS) as reader:
                yield reader
    except duckdb.Error as error:
        kind = type(error).__name__.removesuffix("Exception")
        cause = _DUCKDB_CAUSES.get(kind, "it was refused")
        raise _failed(database, f"{cause} (DuckDB: {kind} Error)") from None


def _require_known_types(relation: Any, database: str) -> None:
    """Raise DataError for a column that DuckDB gives to Arrow as other numbers than it holds."""
    for name, kind in zip(relation.columns, relation.types, strict=True):
        if str(kind) == "UHUGEINT":
            raise DataError(
                f"column {name} of the query of {database} is UHUGEINT, which cannot be read",
                remedy="cast it in the query, to VARCHAR or DOUBLE",
            )


def _failed(database: str, cause: str) -> DataError:
    return DataError(
        f"the query of {database} failed: {cause}",
        remedy="try the statement in the database's own client",
    )
