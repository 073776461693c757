"""The sources of a run: where relative ones start, and which bytes their files held.

Rules: a relative location starts at the settings file's folder, given to stages as TANDEM_SOURCES,
so that no path of this machine enters settings or records; a run names the digest of each table's
files, so that a changed file is a changed input and never a cache hit; what a query gives is not
known before it is asked, so its input is the state of the database that the settings name, or this
one run; files are found and hashed by the code that ingestion uses.
"""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from components.core.data_settings import Checks, Join, Source, Table
from components.core.errors import DataError, SettingsError

if TYPE_CHECKING:  # which imports pyarrow, and not every command needs it
    from components.reading.files import File

MAIN = "source.table"
AnyTable = TypeVar("AnyTable", bound=Table)


def source_tables(source: Source) -> Iterator[tuple[str, Table]]:
    """Yield (dotted key, table) of the main table and of each join."""
    yield MAIN, source.table
    for name, join in source.joins.items():
        yield f"source.joins.{name}", join


def packages_of(source: Source) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, location) of each table that an installed package ships."""
    for key, table in source_tables(source):
        if "package://" in (table.location or ""):
            yield key, str(table.location)


def require_table(
    key: str, table: Table, root: Path, spans: Sequence[str] | None
) -> tuple[File, ...]:
    """Return a table's files, none of a query; SettingsError naming the key where there are none.

    Of the main table's location with {span} these are the files of `spans`. A database is not asked
    for anything: its address is known, and that is all.
    """
    from components.reading.databases import address_of
    from components.reading.locations import find_files
    from components.reading.queries import one_select

    try:
        if table.location is None:
            one_select(table.query or "", table.name)
            address_of(table.database or "")
            return ()
        return find_files(table.location, spans if key == MAIN else None, root)
    except (DataError, SettingsError) as error:
        where = f"{key}.location" if table.location else key
        raise SettingsError(
            f"{where}: {error.message}", remedy=_install(table) or error.remedy
        ) from error


def _install(table: Table) -> str | None:
    """Return how to install the package that a location names, None where it is installed."""
    _, scheme, path = (table.location or "").rpartition("package://")
    package = path.partition("/")[0]
    if not scheme or not package.isidentifier() or importlib.util.find_spec(package):
        return None
    install = shlex.join([sys.executable, "-m", "pip", "install", package])
    return f"install it (`{install}`), or correct the name"


def pin_sources(
    source: Source, root: Path, *, spans: Sequence[str] | None = None, run_id: str | None = None
) -> Source:
    """Return the source with the digest of each table's files, and with `as_of` of each query.

    `spans` are the window's; a query that says no `as_of` gets the run's id, and so asks again in
    every run. Raises SettingsError where files are not what their sha256 names.
    """
    table = _pin(MAIN, source.table, root, spans, run_id)
    return source.model_copy(update={"table": table, "joins": pin_joins(source, root, run_id)})


def pin_joins(source: Source, root: Path, run_id: str | None = None) -> dict[str, Join]:
    """Return the joins as `pin_sources` has them, by name."""
    return {
        name: _pin(f"source.joins.{name}", join, root, None, run_id)
        for name, join in source.joins.items()
    }


def _pin(
    key: str, table: AnyTable, root: Path, spans: Sequence[str] | None, run_id: str | None
) -> AnyTable:
    from components.reading.files import digest_of

    files = require_table(key, table, root, spans)
    if not files:
        return table.model_copy(update={"as_of": table.as_of or run_id})
    actual = digest_of([file.describe() for file in files])
    if table.sha256 not in (None, actual):
        raise SettingsError(
            f"{key}: {table.name} is not the file that sha256 names",
            remedy="restore the file, or correct sha256",
            expected=table.sha256,
            actual=actual,
        )
    return table.model_copy(update={"sha256": actual})


def pin_result(checks: Checks, root: Path) -> Checks:
    """Return the checks with the digest of what TFX's ExampleValidator found, if they name it.

    Raises SettingsError where it is not there, or is not what its sha256 names.
    """
    result = checks.example_validator
    if result is None:
        return checks
    from components.reading.files import digest_of
    from components.validate_examples.example_validator import find_result

    key = "checks.example_validator"
    try:
        actual = digest_of([file.describe() for file in find_result(result, root)])
    except SettingsError as error:  # no location at all
        raise SettingsError(f"{key}.location: {error.message}", remedy=error.remedy) from error
    except DataError as error:
        raise SettingsError(
            f"{key}.location: {error.message}",
            remedy="name the folder of an ExampleAnomalies artifact of TFX 1, which has "
            "Split-*/SchemaDiff.pb",
        ) from error
    if result.sha256 not in (None, actual):
        raise SettingsError(
            f"{key}: {result.location} is not what sha256 names",
            remedy="restore it, or correct sha256",
            expected=result.sha256,
            actual=actual,
        )
    pinned = result.model_copy(update={"sha256": actual})
    return checks.model_copy(update={"example_validator": pinned})
