"""CSV: streamed twice, once to find the types of the whole file, once to give its rows.

Why twice: a column may change its nature after any number of rows, and rows that were given away
in a narrower type cannot be taken back.

Rules:
1. types do not depend on where a block ends: true and false are the only truth values; a time
   without a date, or finer than microseconds, is text; a column whose blocks differ is the
   narrowest type that holds them all (columns.py), else text;
2. the settings' `types` win, and a value that does not fit them is an error;
3. a number that float64 would change in a column of float64 is an error (exact_numbers.py), unless
   the settings make its column text or float64;
4. a column with a number written with a leading zero, such as 00123, is text (leading_zeros.py),
   unless the settings make it another.
What a row, a name and an error are is in csv_stream.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from components.core.data_settings import Table
from components.core.errors import DataError
from components.reading.columns import KINDS, require_exact, wider
from components.reading.csv_bytes import Signs, signs_of
from components.reading.csv_lines import broken_quote, csv_origin
from components.reading.csv_stream import (
    Header,
    Misfit,
    Reading,
    batches_of,
    explained,
    header_of,
    not_encoded,
    open_reader,
)
from components.reading.dates import LOCAL, require_dates, texts_of
from components.reading.exact_numbers import reaches_inexact
from components.reading.files import File
from components.reading.leading_zeros import has_leading_zero
from components.reading.text import open_text, require_text

_NUMBERS = (pa.int64(), pa.float64())
_TIMES = (pa.timestamp("us"), pa.timestamp("us", "UTC"))


def find_csv(file: File, table: Table) -> tuple[pa.Schema, int]:
    """Return the types that hold every row of a CSV file, as pyarrow reads them, and the rows.

    Where a block does not fit, its own types are found, the column is made wider, and reading goes
    on: what fitted the narrower type fits the wider one.
    """
    require_text(file, table.encoding)
    header = header_of(file, table)
    names = header.names
    given = {name: KINDS[kind] for name, kind in table.types.items() if name in names}
    types: dict[str, pa.DataType] = {name: pa.null() for name in names} | given
    rows, inexact, done = 0, set[str](), not header.has_rows
    while not done:
        try:
            found = _first_types(Reading(file, table, header, given, skip=rows))
            types = {name: _holds_both(types[name], found[name]) for name in names}
            for batch in batches_of(Reading(file, table, header, types, skip=rows)):
                rows += batch.num_rows
                inexact |= {name for name in names if reaches_inexact(batch.column(name))}
            done = True
        except Misfit as misfit:
            if misfit.column in given:
                raise _wrong_type(Reading(file, table, header, types), misfit) from None
            if types[misfit.column] in _TIMES:
                types[misfit.column] = pa.string()
    signs = _signs(file, table, names)
    numbers = [name for name in names if name not in given and types[name] in _NUMBERS]
    if signs.leading_zero and numbers:
        types |= dict.fromkeys(_codes(file, table, header, numbers), pa.string())
    for name in sorted(inexact - set(given)):
        if types[name] == pa.float64():
            _require_exact(Reading(file, table, header, types), name)
    return pa.schema(list(types.items())), rows


def names_of_csv(file: File, table: Table) -> list[str]:
    """Return the names in a CSV file's header, of which no more than the beginning is read."""
    require_text(file, table.encoding)
    return header_of(file, table).names


def _codes(file: File, table: Table, header: Header, numbers: Sequence[str]) -> set[str]:
    """Return those of the columns of numbers that have one with a leading zero (rule 4)."""
    found, text = set[str](), dict.fromkeys(numbers, pa.string())
    for batch in batches_of(Reading(file, table, header, text, columns=numbers)):
        found |= {name for name in numbers if has_leading_zero(batch.column(name))}
    return found


def read_csv(
    file: File, table: Table, schema: pa.Schema, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the columns of a CSV file in the types that `find_csv` found for its whole table."""
    types = {field.name: field.type for field in schema}
    header = header_of(file, table)
    reading = Reading(file, table, header, types, columns=columns)
    try:
        if header.has_rows:
            yield from _exact_batches(reading)
    except Misfit as misfit:
        raise _wrong_type(reading, misfit) from None


def _exact_batches(reading: Reading) -> Iterator[pa.RecordBatch]:
    """Yield the rows; whole numbers of this file may be float64 because of another file alone."""
    floats = {name for name in reading.columns or () if reading.types[name] == pa.float64()}
    unknown = floats - set(reading.table.types)
    for batch in batches_of(reading):
        inexact = {name for name in unknown if reaches_inexact(batch.column(name))}
        for name in sorted(inexact):
            _require_exact(reading, name)
        unknown -= inexact
        yield batch


def _signs(file: File, table: Table, names: Sequence[str]) -> Signs:
    """Look through a file's bytes; DataError where a quoted value does not end with its quote.

    Of one left open the lines after it would be lost; of one that goes on, as where a quote within
    is written after a backslash, the value would be another.
    """
    with explained(file, table, names), open_text(file) as stream:
        signs = signs_of(stream, table.delimiter, table.encoding)
    line = broken_quote(file, table) if signs.odd_quote else None
    if line:
        raise DataError(
            f"{file.name} is no CSV table: {line} has a quote that is not closed, or a value that "
            "goes on after it",
            remedy='write a quote within a quoted value twice, as "", and end the value with one',
        )
    return signs


def _first_types(reading: Reading) -> dict[str, pa.DataType]:
    """Return the types of the first block (rule 1)."""
    with open_reader(reading) as reader:
        kinds = {field.name: field.type for field in reader.schema}
    if any(map(pa.types.is_binary, kinds.values())):
        raise not_encoded(reading.file, reading.table, reading.header.names)
    return {name: _safe_type(kind) for name, kind in kinds.items()}


def _safe_type(kind: pa.DataType) -> pa.DataType:
    """Return the type to read as: in nanoseconds the year 2300 would silently be another."""
    if pa.types.is_time(kind):
        return pa.string()
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    return kind


def _holds_both(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    both = wider(one, other)
    return pa.string() if both is None else both


def _wrong_type(reading: Reading, misfit: Misfit) -> DataError:
    """Return the error for a column of the settings' type, or of another file's; rule 2."""
    file, table, kind = reading.file, reading.table, reading.types[misfit.column]
    origin = csv_origin(file, table)
    if pa.types.is_timestamp(kind):
        texts = texts_of(read_csv, file, table, misfit.column)
        require_dates(texts, misfit.column, origin, [LOCAL])
    return DataError(
        f"column {misfit.column} of {file.name} holds what is no {kind}, "
        f"first in {origin.where(_first_misfit(reading, misfit))}",
        remedy="correct the file, or source.*.types",
    )


def _first_misfit(reading: Reading, misfit: Misfit) -> int:
    """Return the place of the first row whose value does not fit; read from the first row on."""
    types = {misfit.column: reading.types[misfit.column]}
    try:
        for _ in batches_of(replace(reading, types=types, columns=[misfit.column])):
            pass
    except Misfit as first:
        misfit = first
    return misfit.row - reading.header.empty_lines - 2


def _require_exact(reading: Reading, name: str) -> None:
    """Raise DataError where a column of numbers is written with one that float64 changes."""
    text = replace(reading, types={name: pa.string()}, columns=[name])
    batches = (batch.column(0) for batch in batches_of(text))
    require_exact(batches, name, csv_origin(reading.file, reading.table))
