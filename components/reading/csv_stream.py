"""One CSV file, opened: its header, its rows in given types, and what is wrong with it in words.

Rules:
1. true and false are the only truth values, and only they begin upper or lower case;
2. a row is called by its line (csv_lines.py); pyarrow's own number of it is only good for that;
3. a column without a name is called by its place, `column_1` and so on;
4. an error names file, column and line, never the value that pyarrow's own message quotes.
"""

from __future__ import annotations

import csv as python_csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as csv

from components.core.data_settings import Table
from components.core.errors import DataError
from components.reading.columns import require_distinct
from components.reading.csv_lines import LONGEST_ROW, LOST, csv_text, first_line
from components.reading.files import UNREADABLE, File
from components.reading.text import damaged, open_text

# pyarrow reads up to 32 blocks ahead of what it parses; a row is no longer than one.
BLOCK_BYTES = LONGEST_ROW
FORM = "correct the file; source.*.delimiter stands between columns, and one line is the header"
_CONVERSION = re.compile(r"In CSV column #(\d+): Row #(\d+): CSV conversion error")
_SHAPE = re.compile(r"Expected (\d+) columns, got (\d+)")


class Misfit(Exception):
    """A value of a column does not fit the type that it was to be read as.

    `row` is pyarrow's number: of all lines before the header, the header, and the rows that are
    not empty. Only where no rows are skipped is that so.
    """

    def __init__(self, column: str, row: int) -> None:
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
    try:
        with csv_text(file, table) as text:
            lines = python_csv.reader(text, delimiter=table.delimiter)
            empty, header = next(((n, line) for n, line in enumerate(lines) if line), (0, []))
            has_rows = any(line.strip() for line in text)
    except UnicodeError:
        raise not_encoded(file, table, []) from None
    except python_csv.Error:
        raise DataError(f"{file.name} is no CSV: its header cannot be read", remedy=FORM) from None
    if any(LOST in name for name in header):
        raise not_encoded(file, table, [])
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
    except UnicodeError:
        raise not_encoded(file, table, names) from None
    except UNREADABLE:
        raise damaged(file) from None
    else:
        return
    conversion, shape = _CONVERSION.search(message), _SHAPE.search(message)
    if conversion and "UTF8" in message:
        raise not_encoded(file, table, names) from None
    if conversion:
        raise Misfit(names[int(conversion[1])], int(conversion[2])) from None
    cause = _cause(file, table, shape, message)
    raise DataError(f"{file.name} is no CSV table: {cause}", remedy=FORM) from None


def _cause(file: File, table: Table, shape: re.Match[str] | None, message: str) -> str:
    if shape:
        width = int(shape[1])
        line, values = first_line(file, table, lambda values: len(values) not in (0, width))
        return f"{line} has {len(values) or shape[2]} columns instead of {width}"
    if "straddl" in message:
        line, _ = first_line(file, table, lambda row: not row or sum(map(len, row)) > BLOCK_BYTES)
        return f"{line} is longer than {BLOCK_BYTES // 2**20} MiB; perhaps a quote is not closed"
    return "its rows cannot be told apart"


def not_encoded(file: File, table: Table, names: Sequence[str]) -> DataError:
    """Return the error for text that is not in the encoding of the settings.

    `names` are those of the columns; none, where the header itself cannot be read.
    """
    where = "the header"
    if names:
        line, values = first_line(file, table, lambda values: any(LOST in one for one in values))
        columns = [name for name, value in zip(names, values, strict=False) if LOST in value]
        where = f"column {columns[0]} in {line}" if columns else line
    return DataError(
        f"{file.name} is not {table.encoding}: {where} cannot be read",
        remedy="set source.*.encoding to the file's, such as latin-1, or write it as utf-8",
    )
