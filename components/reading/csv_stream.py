"""One CSV file, opened: its header, its rows in given types, and what is wrong with it in words.

Rules:
1. true and false are the only truth values, and only they begin upper or lower case;
2. rows are numbered as an editor numbers lines where no value has a line break: the header is 1;
3. a column without a name is called by its place, `column_1` and so on;
4. an error names file, column and row, never the value that pyarrow's own message quotes.
"""

from __future__ import annotations

import csv as python_csv
import io
import re
from codecs import lookup
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as csv

from components.core.data_settings import Table
from components.core.errors import DataError
from components.reading.columns import require_distinct
from components.reading.files import UNREADABLE, File
from components.reading.text import damaged, open_text

# pyarrow reads up to 32 blocks ahead of what it parses; a row is no longer than one.
BLOCK_BYTES = 2**20
FIRST_ROW = 2
FORM = "correct the file; source.*.delimiter stands between columns, and one line is the header"
_CONVERSION = re.compile(r"In CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error")
_SHAPE = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


class Misfit(Exception):
    """The value of a column in a row does not fit the type that it was to be read as."""

    def __init__(self, column: str, row: str) -> None:
        super().__init__(column)
        self.column, self.row = column, row


@dataclass(frozen=True)
class Header:
    """The names of the columns, the number of empty lines before them, and whether rows follow."""

    names: list[str]
    empty_lines: int
    has_rows: bool


def header_of(file: File, table: Table) -> Header:
    """Return the header (rule 3)."""
    encoding = "utf-8-sig" if lookup(table.encoding).name == "utf-8" else table.encoding
    try:
        with (
            open_text(file) as stream,
            # What is not in this encoding further on is told with its row.
            io.TextIOWrapper(stream, encoding, "surrogateescape", newline="") as text,
        ):
            lines = python_csv.reader(text, delimiter=table.delimiter)
            empty, header = next(((n, line) for n, line in enumerate(lines) if line), (0, []))
            has_rows = any(line.strip() for line in text)
        "".join(header).encode("utf-8")
    except UnicodeError:
        raise not_encoded(file, table, "the header") from None
    except python_csv.Error:
        raise DataError(f"{file.name} is no CSV: its header cannot be read", remedy=FORM) from None
    except UNREADABLE as error:
        raise damaged(file) from error
    names = [name or f"column_{number}" for number, name in enumerate(header, start=1)]
    require_distinct(names, file.name)
    return Header(names, empty, has_rows)


@dataclass(frozen=True)
class Reading:
    """What to read of a CSV file: its rows after `skip`, of these columns, in these types."""

    file: File
    table: Table
    header: Header
    types: Mapping[str, pa.DataType]
    skip: int = 0
    columns: Sequence[str] | None = None


@contextmanager
def open_reader(reading: Reading) -> Iterator[csv.CSVStreamingReader]:
    """Open a CSV file; errors of reading become ours here."""
    table, header = reading.table, reading.header
    with explained(reading.file, table, header.names), open_text(reading.file) as stream:
        yield csv.open_csv(
            stream,
            # Threads gain nothing here and lose the numbers of rows in errors.
            read_options=csv.ReadOptions(
                block_size=BLOCK_BYTES,
                use_threads=False,
                skip_rows=header.empty_lines,
                column_names=header.names,
                skip_rows_after_names=1 + reading.skip,
                encoding=table.encoding,
            ),
            parse_options=csv.ParseOptions(delimiter=table.delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                null_values=list(table.null_values),
                strings_can_be_null=True,
                column_types=dict(reading.types),
                include_columns=reading.columns,
                true_values=["true", "True", "TRUE"],
                false_values=["false", "False", "FALSE"],
            ),
        )


def batches_of(reading: Reading) -> Iterator[pa.RecordBatch]:
    """Yield the rows; Misfit for a value that is not of its column's type."""
    with open_reader(reading) as reader:
        yield from reader


@contextmanager
def explained(file: File, table: Table, names: Sequence[str]) -> Iterator[None]:
    """Turn an error of pyarrow's into ours, without the value that its message quotes."""
    try:
        yield
    except pa.ArrowInvalid as error:
        message = str(error)
    except UnicodeDecodeError:
        raise not_encoded(file, table, "a row after its first block") from None
    except UNREADABLE:
        raise damaged(file) from None
    else:
        return
    conversion, shape = _CONVERSION.search(message), _SHAPE.search(message)
    if conversion and "UTF8" in message:
        where = f"column {names[int(conversion[1])]} in row {conversion[2]}"
        raise not_encoded(file, table, where) from None
    if conversion:
        raise Misfit(names[int(conversion[1])], conversion[2]) from None
    raise DataError(f"{file.name} is no CSV table: {_cause(shape, message)}", remedy=FORM) from None


def _cause(shape: re.Match[str] | None, message: str) -> str:
    if shape:
        return f"row {shape[1]} has {shape[3]} columns instead of {shape[2]}"
    if "straddl" in message:
        return f"a row is longer than {BLOCK_BYTES // 2**20} MiB; perhaps a quote is not closed"
    return "its rows cannot be told apart"


def not_encoded(file: File, table: Table, where: str) -> DataError:
    """Return the error for a place that is not in the encoding of the settings."""
    return DataError(
        f"{file.name} is not {table.encoding}: {where} cannot be read",
        remedy="set source.*.encoding to the file's, such as latin-1, or write it as utf-8",
    )
