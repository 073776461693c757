"""What a format's reader is: four functions of a file and the settings of its table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from components.core.data_settings import Table
from components.reading.files import File
from components.reading.origins import Origin


def _origin(file: File, table: Table) -> Origin:
    return Origin(file.name)


@dataclass(frozen=True)
class Reader:
    """How a format is read; `text` where a column that fits no other type is text.

    `sparse` where a file says only what its rows have: a column that it lacks has no value in it,
    and a file without rows says nothing.
    `origin` says what the rows of a file are called; `names` are those of its columns, where its
    beginning or its end tells them without its rows.
    """

    find: Callable[[File, Table], tuple[pa.Schema, int]]
    read: Callable[[File, Table, pa.Schema, Sequence[str]], Iterator[pa.RecordBatch]]
    text: bool = False
    packed: bool = True
    sparse: bool = False
    origin: Callable[[File, Table], Origin] = _origin
    names: Callable[[File, Table], Sequence[str]] | None = None
