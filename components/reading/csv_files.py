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

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from components.core.data_settings import Table
from components.core.errors import DataError
from components.reading.columns import KINDS, first_misfit, require_exact, wider
from components.reading.csv_stream import (
    BLOCK_BYTES,
    FIRST_ROW,
    FORM,
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
from components.reading.leading_zeros import has_leading_zero, may_have_leading_zeros
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
    rows, inexact, done, last = 0, set[str](), not header.has_rows, None
    while not done:
        try:
            found = _first_types(Reading(file, table, header, given, skip=rows))
            types = {name: _holds_both(types[name], found[name]) for name in names}
            for batch in batches_of(Reading(file, table, header, types, skip=rows)):
                rows += batch.num_rows
                inexact |= {name for name in names if reaches_inexact(batch.column(name))}
                last = batch.column(names[-1])[-1:]
            done = True
        except Misfit as misfit:
            if misfit.column in given:
                raise _wrong_type(file, table, misfit, types) from None
            if types[misfit.column] in _TIMES:
                types[misfit.column] = pa.string()
    numbers = [name for name in names if name not in given and types[name] in _NUMBERS]
    types |= dict.fromkeys(_codes(file, table, header, numbers), pa.string())
    for name in sorted(inexact - set(given)):
        if types[name] == pa.float64():
            _require_exact(file, table, header, name)
    _require_closed(file, last, rows)
    return pa.schema(list(types.items())), rows


def _codes(file: File, table: Table, header: Header, numbers: Sequence[str]) -> set[str]:
    """Return those of the columns of numbers that have one with a leading zero (rule 4)."""
    if not numbers:
        return set()
    with explained(file, table, header.names), open_text(file) as stream:
        if not may_have_leading_zeros(stream, table.delimiter, table.encoding):
            return set()
    found, text = set[str](), dict.fromkeys(numbers, pa.string())
    for batch in batches_of(Reading(file, table, header, text, columns=numbers)):
        found |= {name for name in numbers if has_leading_zero(batch.column(name))}
    return found


def read_csv(
    file: File, table: Table, schema: pa.Schema, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the columns of a CSV file in the types that `find_csv` found for its whole table."""
    types = {field.name: field.type for field in schema}
    try:
        header = header_of(file, table)
        if header.has_rows:
            yield from _exact_batches(Reading(file, table, header, types, columns=columns))
    except Misfit as misfit:
        raise _wrong_type(file, table, misfit, types) from None


def _exact_batches(reading: Reading) -> Iterator[pa.RecordBatch]:
    """Yield the rows; whole numbers of this file may be float64 because of another file alone."""
    floats = {name for name in reading.columns or () if reading.types[name] == pa.float64()}
    unknown = floats - set(reading.table.types)
    for batch in batches_of(reading):
        inexact = {name for name in unknown if reaches_inexact(batch.column(name))}
        for name in sorted(inexact):
            _require_exact(reading.file, reading.table, reading.header, name)
        unknown -= inexact
        yield batch


def _require_closed(file: File, last: pa.Array | None, rows: int) -> None:
    """Raise DataError where the last value goes on to the end because its quote is not closed.

    Its lines would be lost in it. A quote within a value is allowed, so the number of quotes alone
    says nothing.
    """
    if last is None or not pa.types.is_string(last.type) or "\n" not in (last[0].as_py() or ""):
        return
    quotes = 0
    with open_text(file) as stream:
        while piece := stream.read(BLOCK_BYTES):
            quotes += piece.count(b'"')
    if quotes % 2:
        raise DataError(
            f"{file.name} is no CSV table: row {rows + 1} has a quote that is not closed",
            remedy=FORM,
        )


def _first_types(reading: Reading) -> dict[str, pa.DataType]:
    """Return the types of the first block (rule 1)."""
    with open_reader(reading) as reader:
        kinds = {field.name: field.type for field in reader.schema}
        binary = [name for name, kind in kinds.items() if pa.types.is_binary(kind)]
        if binary:
            place = first_misfit(reader.read_next_batch().column(binary[0]), pa.string())
            where = f"column {binary[0]} in row {reading.skip + place + FIRST_ROW}"
            raise not_encoded(reading.file, reading.table, where)
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


def _wrong_type(
    file: File, table: Table, misfit: Misfit, types: Mapping[str, pa.DataType]
) -> DataError:
    if pa.types.is_timestamp(types[misfit.column]):
        texts = texts_of(read_csv, file, table, misfit.column)
        require_dates(texts, misfit.column, file.name, FIRST_ROW, [LOCAL])
    return DataError(
        f"column {misfit.column} of {file.name} holds what is no {types[misfit.column]}, "
        f"first in row {misfit.row}",
        remedy="correct the file, or source.*.types",
    )


def _require_exact(file: File, table: Table, header: Header, name: str) -> None:
    """Raise DataError where a column of numbers is written with one that float64 changes."""
    batches = batches_of(Reading(file, table, header, {name: pa.string()}, columns=[name]))
    require_exact((batch.column(0) for batch in batches), name, file.name, FIRST_ROW)
