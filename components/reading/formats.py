"""The formats of files: which one a file's name says, and how each is found out about and read.

Rules: `find` returns a file's columns in types that its `read` takes, and its number of rows;
types that only their rows tell may differ between the files of a table, which then gets the
narrowest that hold them all; a format that stores its types must store the same in every file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from components.core.data_settings import Format, Table
from components.core.errors import SettingsError
from components.reading.columnar_files import (
    find_arrow,
    find_parquet,
    names_of_arrow,
    names_of_parquet,
    read_arrow,
    read_parquet,
)
from components.reading.csv_files import find_csv, names_of_csv, read_csv
from components.reading.csv_lines import csv_origin
from components.reading.files import File
from components.reading.json_files import find_json, read_json
from components.reading.json_lines import json_origin
from components.reading.reader import Reader
from components.reading.split_column import with_split
from components.reading.text import PACKED
from components.reading.tfrecords import find_tfrecord, read_tfrecord

SUFFIXES: Mapping[str, Format] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".tfrecord": "tfrecord",
}


READERS: Mapping[Format, Reader] = {
    "csv": Reader(find_csv, read_csv, text=True, origin=csv_origin, names=names_of_csv),
    "parquet": Reader(find_parquet, read_parquet, packed=False, names=names_of_parquet),
    "arrow": Reader(find_arrow, read_arrow, packed=False, names=names_of_arrow),
    "jsonl": Reader(find_json, read_json, origin=json_origin),
    "tfrecord": Reader(find_tfrecord, read_tfrecord, sparse=True),
}


def reader_of(file: File, table: Table) -> Reader:
    """Return how a file is read: by the settings' format, else by its name."""
    suffixes = PurePosixPath(file.name.partition("::")[0].lower()).suffixes
    packed = bool(suffixes) and suffixes[-1] in PACKED
    named = suffixes[:-1] if packed else suffixes
    kind = table.format or (SUFFIXES.get(named[-1]) if named else None)
    if kind is None:
        raise SettingsError(
            f"the name {file.name} does not say its format",
            remedy=f"set source.*.format to one of {', '.join(READERS)}",
        )
    if packed and not READERS[kind].packed:
        raise SettingsError(
            f"{file.name} is {kind} packed once more, which cannot be read in pieces",
            remedy=f"unpack it, or name a member: zip://MEMBER.{kind}::LOCATION",
        )
    reader = READERS[kind]
    return reader if file.split is None else with_split(reader)
