"""The source files of a run: where relative ones start, and which bytes they held.

Rules: a relative location starts at the settings file's folder, given to stages as TANDEM_SOURCES,
so that no path of this machine enters settings or records; a run names each file's digest, so that
a changed file is a changed input and never a cache hit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from components.core.canonical import sha256_file
from components.core.errors import SettingsError
from components.core.settings import Source, Table


def source_tables(source: Source) -> Iterator[tuple[str, Table]]:
    """Yield (dotted key, table) of the main table and of each join."""
    yield "source.table", source.table
    for name, join in source.joins.items():
        yield f"source.joins.{name}", join


def locate_table(key: str, table: Table, root: Path) -> Path:
    """Return a table's file; raise SettingsError naming the key where there is none."""
    from components.ingest_examples.tables import locate

    path = locate(table.location, root)
    if not path.is_file():
        raise SettingsError(
            f"{key}.location: there is no file {path}",
            remedy="name it relative to the settings file, absolutely, or as package://",
        )
    return path


def pin_sources(source: Source, root: Path) -> Source:
    """Return the source with each file's digest; SettingsError where a pinned one differs."""
    pinned = {key: _pin(key, table, root) for key, table in source_tables(source)}
    joins = {name: pinned[f"source.joins.{name}"] for name in source.joins}
    return source.model_copy(update={"table": pinned["source.table"], "joins": joins})


def _pin(key: str, table: Table, root: Path) -> Table:
    actual = sha256_file(locate_table(key, table, root))
    if table.sha256 not in (None, actual):
        raise SettingsError(
            f"{key}: {table.location} is not the file that sha256 names",
            remedy="restore the file, or correct sha256",
            expected=table.sha256,
            actual=actual,
        )
    return table.model_copy(update={"sha256": actual})
