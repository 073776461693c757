"""The lines of a CSV file: where its header and its rows begin, for whoever has to correct one.

Why: pyarrow numbers rows, without empty lines and with the line breaks within a value, and what
Python decodes for it is numbered by nothing.

Rules:
1. lines are numbered from 1 as an editor numbers them; a row is at the line that it begins in;
2. rows are those that pyarrow tells apart; they are read once more, slowly, when one is at fault;
3. what is not in the file's encoding is read as LOST, which is no character of any encoding.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice

from components.core.data_settings import Table
from components.reading.files import UNREADABLE, File
from components.reading.origins import Origin, row_number
from components.reading.text import damaged, open_text

# No row that pyarrow reads is longer.
LONGEST_ROW = 2**20
LOST = "\udcff"
_LOST_HANDLER = "tandem-lost"
codecs.register_error(_LOST_HANDLER, lambda error: (LOST, getattr(error, "end", 0)))


@contextmanager
def csv_text(file: File, table: Table) -> Iterator[io.TextIOWrapper]:
    """Open a CSV file as text, its line ends as they are; see rule 3."""
    encoding = "utf-8-sig" if codecs.lookup(table.encoding).name == "utf-8" else table.encoding
    try:
        with (
            open_text(file) as stream,
            io.TextIOWrapper(stream, encoding, _LOST_HANDLER, newline="") as text,
        ):
            yield text
    except UNREADABLE as error:
        raise damaged(file) from error


def csv_origin(file: File, table: Table) -> Origin:
    """Return the origin of a CSV file's rows, which are called by their lines."""
    return Origin(file.name, partial(_line_of, file, table))


def _line_of(file: File, table: Table, row: int) -> str:
    with closing(_rows(file, table)) as rows:
        found = next(islice(rows, row + 1, None), None)
    return f"line {found[0]}" if found else f"{row_number(row)} after the header"


def first_line(
    file: File, table: Table, at_fault: Callable[[Sequence[str]], bool]
) -> tuple[str, Sequence[str]]:
    """Return what the first row at fault is called, and its values; neither where there is none."""
    with closing(_rows(file, table)) as rows:
        found = next((one for one in rows if at_fault(one[1])), None)
    return (f"line {found[0]}", found[1]) if found else ("a row", [])


def broken_quote(file: File, table: Table) -> str | None:
    """Return what the first row is called in which a quoted value does not end with its quote."""
    with closing(_rows(file, table, strict=True)) as rows:
        return next((f"line {line}" for line, values in rows if not values), None)


def _rows(
    file: File, table: Table, *, strict: bool = False
) -> Generator[tuple[int, Sequence[str]], None, None]:
    """Yield the header and each row with its line; an empty line is none.

    A row that cannot be read is the last one, and has no values; of `strict` quotes is none that
    does not end its value.
    """
    line, limit = 1, csv.field_size_limit(LONGEST_ROW)
    try:
        with csv_text(file, table) as text:
            reader = csv.reader(text, delimiter=table.delimiter, strict=strict)
            for values in reader:
                if values:
                    yield line, values
                line = reader.line_num + 1
    except csv.Error:
        yield line, []
    finally:
        csv.field_size_limit(limit)
