"""Open a table of the source, wherever its rows are: the one door of this package.

Rules: what cannot be read is found when a table is opened, as far as that can be known then; the
rows come in batches of at most 65,536 of one schema, and never all at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from components.core.data_settings import Table
from components.reading.file_tables import open_files
from components.reading.locations import find_files
from components.reading.opened import OpenedTable, SpanRows
from components.reading.queries import open_query

__all__ = ["OpenedTable", "SpanRows", "open_table"]


def open_table(table: Table, spans: Sequence[str] | None = None) -> OpenedTable:
    """Open a table of the source, of these spans alone where its location has {span}.

    Raises SettingsError for a place or a format that cannot be read, and DataError for what is
    missing, empty, damaged, or not what sha256 names.
    """
    if table.location is None:
        return open_query(table)
    return open_files(table, find_files(table.location, spans))
