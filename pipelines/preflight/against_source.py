"""Columns that the settings name and the source does not have, by the header of its first file.

Rules: no row is looked for, so what JSON lines, TFRecord files and queries have is left to
ingestion, as are the columns that joins may add.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.core.data_settings import Source
from components.core.errors import SettingsError

if TYPE_CHECKING:  # which imports pyarrow
    from components.reading.files import File


def check_against_source(source: Source, file: File) -> None:
    """Raise SettingsError naming the key of a column that the main table does not have."""
    from components.reading.formats import reader_of
    from components.reading.opened import meant

    names = reader_of(file, source.table).names
    columns = names(file, source.table) if names else ()
    for key, column in _needed(source):
        if columns and column not in columns:
            raise SettingsError(
                f"source.{key}: column {column} is missing in {source.table.name}"
                f"{meant(column, columns)}",
                remedy=f"name one of: {', '.join(columns)}",
            )


def _needed(source: Source) -> Iterator[tuple[str, str]]:
    """Yield (key, column) of what ingestion takes from the main table and nowhere else."""
    yield "target.column", source.target.column
    yield from (("spans.columns", column) for column in source.spans.columns)
    if source.spans.column:
        yield "spans.column", source.spans.column
    if source.splits.column:
        yield "splits.column", source.splits.column
    for number, rule in enumerate(source.drop_where_null):
        yield f"drop_where_null.{number}.column", rule.column
    if not source.joins:  # which may add these
        yield from (("leakage", column) for column in source.leakage)
        yield from (("leave_out", column) for column in source.leave_out)
    yield from (("table.types", column) for column in source.table.types)
