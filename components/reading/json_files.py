"""JSON lines: one object a line, read in blocks, twice as CSV is (csv_files.py says why).

Rules:
1. a column is a key of any line; a line without it has null there;
2. what JSON tells apart is not mixed: numbers, text and truth values in one column are an error;
   text that looks like times in all its lines is times;
3. a number that float64 would change in a column of float64 is an error (exact_numbers.py), unless
   the settings make its column float64;
4. rows are numbered from 1; an error names file, column and row, never a value.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.json as pj

from components.core.data_settings import Table
from components.core.errors import DataError
from components.reading.columns import (
    KINDS,
    plain_schema,
    require_text_column,
    wider,
)
from components.reading.dates import LOCAL, require_dates
from components.reading.exact_numbers import first_lost, reaches_inexact
from components.reading.files import UNREADABLE, File
from components.reading.origins import Origin
from components.reading.text import damaged, open_text, require_text

BLOCK_BYTES = 8 * 2**20
_LONGEST_LINE = 64 * 2**20
_CHANGED = re.compile(r"Column\(/(.*)\) changed from (\w+) to (\w+) in row (\d+)$")
_TWICE = re.compile(r"Column\(/(.*)\) was specified twice in row (\d+)$")
_ROW = re.compile(r"in row (\d+)$")
_BOM = b"\xef\xbb\xbf"
_FORM = "write one flat JSON object a line, in UTF-8, a column of one type"


def find_json(file: File, table: Table) -> tuple[pa.Schema, int]:
    """Return the types that hold every row of a file, as pyarrow reads them, and how many rows."""
    require_text(file, "utf-8")
    given = pa.schema([(name, KINDS[kind]) for name, kind in table.types.items()])
    types: dict[str, pa.DataType] = {}
    rows = 0
    for block in _blocks(file):
        found = _parsed(block, given, "infer", file, rows)
        plain_schema(found.schema, file.name)
        for field in found.schema:
            if field.name not in given.names:
                types[field.name] = _holds_both(types.get(field.name, pa.null()), field, file, rows)
                _require_exact(block, found.column(field.name), field.name, file, rows)
            elif _key(field.name) in block:
                types[field.name] = field.type
        rows += found.num_rows
    return pa.schema(list(types.items())), rows


def read_json(
    file: File, table: Table, schema: pa.Schema, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the columns of a file in the types that `find_json` found for its whole table."""
    given = {name: KINDS[kind] for name, kind in table.types.items()}
    wanted = pa.schema([(name, given.get(name, schema.field(name).type)) for name in columns])
    rows = 0
    for block in _blocks(file):
        found = _parsed(block, wanted, "ignore", file, rows).combine_chunks()
        for name in (name for name in columns if name not in given):
            _require_exact(block, found.column(name), name, file, rows)
        yield from found.to_batches()
        rows += found.num_rows


def _blocks(file: File) -> Iterator[bytes]:
    """Yield the file in pieces of whole lines."""
    rest = b""
    for piece in itertools.chain(_pieces(file), (b"\n",)):
        lines, end, rest = (rest + piece).rpartition(b"\n")
        if lines.strip():
            yield lines + end
        if len(rest) > _LONGEST_LINE:
            raise DataError(
                f"{file.name} has a line longer than {_LONGEST_LINE // 2**20} MiB", remedy=_FORM
            )


def _pieces(file: File) -> Iterator[bytes]:
    with _whole(file), open_text(file) as stream:
        piece = stream.read(BLOCK_BYTES).removeprefix(_BOM)
        while piece:
            yield piece
            piece = stream.read(BLOCK_BYTES)


@contextmanager
def _whole(file: File) -> Iterator[None]:
    try:
        yield
    except UNREADABLE:
        raise damaged(file) from None


def _parsed(block: bytes, schema: pa.Schema, others: str, file: File, rows: int) -> pa.Table:
    """Return a block's rows; DataError naming the row where a line is not what it should be."""
    try:
        table = _parse(block, schema, others)
    except pa.ArrowInvalid as error:
        message = str(error)
    else:
        for name, column in zip(table.column_names, table.columns, strict=True):
            if pa.types.is_string(column.type):
                require_text_column(column.combine_chunks(), name, Origin(file.name, first=rows))
        return table
    raise _error(message, block, schema, file, rows) from None


def _parse(block: bytes, schema: pa.Schema, others: str) -> pa.Table:
    return pj.read_json(
        pa.BufferReader(block),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(block) + 1),
        parse_options=pj.ParseOptions(
            explicit_schema=schema, newlines_in_values=False, unexpected_field_behavior=others
        ),
    )


def _error(message: str, block: bytes, schema: pa.Schema, file: File, rows: int) -> DataError:
    """Return the error that pyarrow's message is about, without the value that it may quote."""
    changed, twice, row = (pattern.search(message) for pattern in (_CHANGED, _TWICE, _ROW))
    if changed:
        cause = (
            f"column {changed[1]} has a {changed[3]} in row {rows + int(changed[4]) + 1} "
            f"and a {changed[2]} before, or in source.*.types"
        )
    elif twice:
        cause = f"row {rows + int(twice[2]) + 1} has column {twice[1]} more than once"
    elif row:
        cause = f"row {rows + int(row[1]) + 1} is no JSON object"
    else:
        return _misfit(block, schema, file, rows)
    return DataError(f"{file.name} is no table of JSON lines: {cause}", remedy=_FORM)


def _misfit(block: bytes, schema: pa.Schema, file: File, rows: int) -> DataError:
    """Return the error for a value that does not fit the type that the settings give."""
    lines = [line for line in block.splitlines(keepends=True) if line.strip()]
    for field in schema:
        if _fits(lines, field):
            continue
        if pa.types.is_timestamp(field.type):
            require_dates(_texts(file, field.name), field.name, Origin(file.name), [LOCAL])
        low, high = 0, len(lines)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _fits(lines[low:middle], field) else (low, middle)
        return DataError(
            f"column {field.name} of {file.name} holds what is no {field.type}, "
            f"first in row {rows + low + 1}",
            remedy="correct the file, or source.*.types",
        )
    return DataError(f"{file.name} is no table of JSON lines", remedy=_FORM)


def _texts(file: File, name: str) -> Iterator[pa.Array]:
    schema, rows = pa.schema([(name, pa.string())]), 0
    for block in _blocks(file):
        found = _parsed(block, schema, "ignore", file, rows)
        yield found.column(0).combine_chunks()
        rows += found.num_rows


def _fits(lines: Sequence[bytes], field: pa.Field) -> bool:
    try:
        _parse(b"".join(lines), pa.schema([field]), "ignore")
    except pa.ArrowInvalid:
        return False
    return True


def _holds_both(one: pa.DataType, field: pa.Field, file: File, rows: int) -> pa.DataType:
    """Return the type for the rows before and this block; text and times are text (rule 2)."""
    both = wider(one, field.type)
    if both is None and _is_text(one, field.type):
        return pa.string()
    if both is None:
        raise DataError(
            f"column {field.name} of {file.name} is {one} up to row {rows} and {field.type} after",
            remedy=_FORM,
        )
    return both


def _is_text(*kinds: pa.DataType) -> bool:
    return all(pa.types.is_string(kind) or pa.types.is_timestamp(kind) for kind in kinds)


def _key(name: str) -> bytes:
    return json.dumps(name, ensure_ascii=False).encode()


def _require_exact(block: bytes, column: pa.ChunkedArray, name: str, file: File, rows: int) -> None:
    """Raise DataError where a column of numbers is written with one that float64 changes."""
    if not reaches_inexact(column):
        return
    key = rb"(?:%b|%b)" % (re.escape(_key(name)), re.escape(json.dumps(name).encode()))
    number = re.compile(key + rb"\s*:\s*(-?\d{16,}(?:\.\d+)?)\s*[,}]")
    lost = first_lost(pa.array(number.findall(block), pa.binary()).cast(pa.string()))
    if lost is not None:
        match = next(itertools.islice(number.finditer(block), lost.place, None))
        lines = block[: match.start()].splitlines()
        before = sum(1 for line in lines if line.strip().endswith(b"}"))
        raise DataError(
            f"column {name} of {file.name} holds {lost.what}, first in row {rows + before + 1}",
            remedy=f"set source.*.types.{name} to float64 to round it, or write it as text",
        )
