"""Read one table of the source, whatever it is stored as, into columns of few types.

Rules:
1. what a file is, its name says: .csv, .csv.gz, .csv.zip (one member) or .parquet; a file whose
   bytes are something else is refused;
2. a column's type is found from its first 256 MiB, not from its first kilobytes, so that a column
   that begins with missing values has its real type;
3. a column becomes int64, float64, string or a timestamp; anything else is refused;
4. messages name files and columns, never a value.

`package://NAME/PATH` is found without importing the package. Remote files are not read.
"""

from __future__ import annotations

import gzip
import importlib.util
import re
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from components.core import settings
from components.core.canonical import sha256_file
from components.core.errors import DataError, SettingsError
from components.core.examples import SourceFile
from components.core.sources import sources_folder

_PACKAGE = "package://"
_INFERENCE_BYTES = 256 * 2**20
_SNIFFED_BYTES = 4096
_COLUMN_IN_MESSAGE = re.compile(r"In CSV column #(\d+)")
_ROW_IN_MESSAGE = re.compile(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+)")
_UNREADABLE = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class SourceTable:
    """A table and the file that it came from."""

    rows: pa.Table
    file: SourceFile


def read_table(table: settings.Table) -> SourceTable:
    """Return a table of the source with its file's digest.

    Raises SettingsError for a location of no known form and DataError for a file that is missing,
    empty, or not what its name says.
    """
    path = locate(table.location)
    _require_file(path, table.location)
    file = _pinned_file(path, table)
    read = _read_parquet if path.suffix == ".parquet" else _read_csv
    rows = _plain(read(path, table), table.location)
    if rows.num_rows == 0:
        raise DataError(f"{table.location} has no rows", remedy="give a file with data")
    return SourceTable(rows, file)


def _pinned_file(path: Path, table: settings.Table) -> SourceFile:
    """Describe a file; DataError unless it is the one that the settings or the run's start name."""
    actual = sha256_file(path)
    if table.sha256 not in (None, actual):
        raise DataError(
            f"{table.location} is not the file that the run was to read",
            remedy="start a new run, or correct sha256 in the settings",
            expected=table.sha256,
            actual=actual,
        )
    return SourceFile(location=table.location, sha256=actual, bytes=path.stat().st_size)


def locate(location: str, root: Path | None = None) -> Path:
    """Return the path of a location; a package is found by its spec and not imported.

    A relative path starts at `root`: by default the folder that TANDEM_SOURCES names, else the
    current one.
    """
    if not location.startswith(_PACKAGE):
        if "://" in location:
            raise SettingsError(
                f"{location} cannot be read", remedy="give a path, or package://NAME/PATH"
            )
        return (root or sources_folder()) / location
    name, _, inner = location.removeprefix(_PACKAGE).partition("/")
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"package {name} of {location} is not installed", remedy="run `make setup`")
    if ".." in PurePosixPath(inner).parts:
        raise SettingsError(f"{location} leaves its package", remedy="give a path inside it")
    return Path(next(iter(spec.submodule_search_locations)), inner)


def _require_file(path: Path, location: str) -> None:
    if not path.is_file():
        raise DataError(f"{location} is missing", remedy="check source.*.location in the settings")
    if path.stat().st_size == 0:
        raise DataError(f"{location} is empty", remedy="give a file with a header and rows")


def _read_parquet(path: Path, table: settings.Table) -> pa.Table:
    try:
        return pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{table.location} is not a readable Parquet file", remedy="write it again"
        ) from error


def _read_csv(path: Path, table: settings.Table) -> pa.Table:
    data = _text_bytes(path, table.location)
    try:
        return pc.read_csv(
            pa.BufferReader(data),
            read_options=pc.ReadOptions(block_size=min(len(data) + 1, _INFERENCE_BYTES)),
            parse_options=pc.ParseOptions(newlines_in_values=True),
            convert_options=pc.ConvertOptions(
                null_values=list(table.null_values), strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{table.location} is not a CSV table: {_csv_cause(str(error), data)}",
            remedy="correct the file; columns are separated by commas, one header line",
        ) from error


def _text_bytes(path: Path, location: str) -> bytes:
    """Return the file's text, uncompressed; refuse what is not text."""
    try:
        data = _uncompressed(path, location)
    except _UNREADABLE as error:
        raise DataError(
            f"{location} is not a readable {path.suffix} file", remedy="fetch or pack it again"
        ) from error
    if b"\0" in data[:_SNIFFED_BYTES]:
        raise DataError(
            f"{location} holds binary data, not CSV text", remedy="give the CSV file itself"
        )
    return data


def _uncompressed(path: Path, location: str) -> bytes:
    if path.suffix == ".gz":
        with gzip.open(path) as stream:
            return stream.read()
    if path.suffix != ".zip":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        if len(members) != 1:
            raise DataError(
                f"{location} holds {len(members)} files, not one", remedy="pack one CSV file alone"
            )
        return archive.read(members[0])


def _csv_cause(message: str, data: bytes) -> str:
    """Return the cause without the value that pyarrow's message quotes."""
    column = _COLUMN_IN_MESSAGE.search(message)
    if column:
        header = data.split(b"\n", 1)[0].decode("utf-8", "replace").strip().split(",")
        number = int(column[1])
        name = header[number] if number < len(header) else f"number {number + 1}"
        return f"column {name} mixes types"
    shape = _ROW_IN_MESSAGE.search(message)
    if shape:
        where = f"row {shape[1]}" if shape[1] else "a row"
        return f"{where} has {shape[3]} columns instead of {shape[2]}"
    return message.splitlines()[0].split(":")[0]


def _plain(table: pa.Table, location: str) -> pa.Table:
    """Return the table with every column in one of the few types (rule 3)."""
    twice = sorted(name for name, count in Counter(table.column_names).items() if count > 1)
    if twice:
        raise DataError(
            f"{location} has more than one column {', '.join(twice)}", remedy="rename them"
        )
    columns = {
        name: _plain_column(column, f"column {name} of {location}")
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    return pa.table(columns)


def _plain_column(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_timestamp(kind):
        return column
    target = _target_type(kind)
    if target is None:
        raise DataError(
            f"{name} is {kind}, which is neither number, text nor time",
            remedy="store it as text in UTF-8, or leave it out",
        )
    try:
        return column.cast(target)
    except pa.ArrowInvalid as error:
        raise DataError(f"{name} does not fit {target}", remedy="store it as text") from error


def _target_type(kind: pa.DataType) -> pa.DataType | None:
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return pa.float64()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_date(kind):
        return pa.timestamp("s")
    return None
