"""JSON lines: one object a line, read in blocks, twice as CSV is (csv_files.py says why).

Rules:
1. a column is a key of any line; a line without it has null there;
2. what JSON tells apart is not mixed: numbers, text and truth values in one column are an error;
   text that looks like times in all its lines, with a zone in all of them or in none, is times;
3. a number that float64 would change in a column of float64 is an error (exact_numbers.py), unless
   the settings make its column float64; a number beyond float64 is one in any column;
4. an error names file, column and line (json_lines.py), never a value.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from math import isinf

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from components.core.data_settings import Table
from components.core.errors import DataError
from components.reading.columns import (
    KINDS,
    given_type,
    plain_schema,
    require_text_column,
    wider,
)
from components.reading.dates import ZONED
from components.reading.exact_numbers import BEYOND_FLOAT64, first_lost, reaches_inexact
from components.reading.files import File
from components.reading.json_lines import FORM, Block, Digits, JsonObject, blocks
from components.reading.origins import Origin
from components.reading.text import require_text

_CHANGED = re.compile(r"Column\(/(.*)\) changed from (\w+) to (\w+) in row (\d+)$")
_TWICE = re.compile(r"Column\(/(.*)\) was specified twice in row (\d+)$")
_ROW = re.compile(r"in row (\d+)$")
_TOO_BIG = "Number too big"
_NO_FLOAT64 = "write it as text, or correct it"


def find_json(file: File, table: Table) -> tuple[pa.Schema, int]:
    """Return the types that hold every row of a file, as pyarrow reads them, and how many rows."""
    require_text(file, "utf-8")
    given = _given(table)
    types: dict[str, pa.DataType] = {}
    rows = 0
    for block in blocks(file):
        found = _parsed(block, pa.schema(list(given.items())), "infer", file)
        plain_schema(found.schema, file.name)
        for name in found.column_names:
            if name in given:
                if name in types or _has_key(block, found, name):
                    types[name] = given[name]
            else:
                kind = _type_of(block, found, name, file)
                types[name] = _holds_both(types.get(name, pa.null()), kind, name, block, file)
        _require_exact(block, found, set(found.column_names) - set(given), file)
        rows += found.num_rows
    return pa.schema(list(types.items())), rows


def read_json(
    file: File, table: Table, schema: pa.Schema, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the columns of a file in the types that `find_json` found for its whole table."""
    given = _given(table)
    wanted = pa.schema([(name, given.get(name, schema.field(name).type)) for name in columns])
    for block in blocks(file):
        found = _parsed(block, wanted, "ignore", file).combine_chunks()
        _require_exact(block, found, set(columns) - set(given), file)
        yield from found.to_batches()


def _given(table: Table) -> dict[str, pa.DataType]:
    """Return the types to read as where the settings say them.

    Times are read as their text, because pyarrow would leave out that one has a zone.
    """
    kinds = dict(KINDS) | {"timestamp": pa.string()}
    return {name: kinds[kind] for name, kind in table.types.items()}


def _has_key(block: Block, found: pa.Table, name: str) -> bool:
    """Say whether an object has a key; pyarrow gives a column that is asked for in any case."""
    if found.column(name).null_count < found.num_rows:
        return True
    return any(name in (one.values or ()) for one in block.objects())


def _parsed(block: Block, schema: pa.Schema, others: str, file: File) -> pa.Table:
    """Return a block's rows; DataError naming the line of what is not what it should be."""
    try:
        table = _parse(block.data, schema, others)
    except pa.ArrowInvalid as error:
        message = str(error)
    else:
        for name, column in zip(table.column_names, table.columns, strict=True):
            if pa.types.is_string(column.type):
                require_text_column(column.combine_chunks(), name, _origin(block, file))
        return table
    raise _error(message, block, schema, file) from None


def _parse(data: bytes, schema: pa.Schema, others: str) -> pa.Table:
    return pj.read_json(
        pa.BufferReader(data),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pj.ParseOptions(
            explicit_schema=schema, newlines_in_values=False, unexpected_field_behavior=others
        ),
    )


def _origin(block: Block, file: File) -> Origin:
    return Origin(file.name, block.where)


def _error(message: str, block: Block, schema: pa.Schema, file: File) -> DataError:
    """Return the error that pyarrow's message is about, without the value that it may quote."""
    changed, twice, row = (pattern.search(message) for pattern in (_CHANGED, _TWICE, _ROW))
    if changed:
        cause = (
            f"column {changed[1]} has {_article(changed[3])} in {block.where(int(changed[4]))} "
            f"and {_article(changed[2])} before, or in source.*.types"
        )
    elif twice:
        cause = f"{block.where(int(twice[2]))} has column {twice[1]} more than once"
    elif row and _TOO_BIG in message:
        return _too_big(block, int(row[1]), file)
    elif row:
        cause = f"{block.where(int(row[1]))} is no JSON object"
    else:
        return _misfit(block, schema, file)
    return DataError(f"{file.name} is no table of JSON lines: {cause}", remedy=FORM)


def _article(kind: str) -> str:
    return f"an {kind}" if kind in ("array", "object") else f"a {kind}"


def _too_big(block: Block, row: int, file: File) -> DataError:
    """Return the error for a number whose nearest float64 is infinity."""
    one = next(itertools.islice(block.objects(), row, None), None)
    values = (one.values or {}).items() if one else ()
    numbers = [(name, value) for name, value in values if isinstance(value, Digits)]
    column = next((f"column {name} of " for name, value in numbers if isinf(float(value))), "")
    return DataError(
        f"{column}{file.name} holds a number beyond float64, first in {block.where(row)}",
        remedy=_NO_FLOAT64,
    )


def _misfit(block: Block, schema: pa.Schema, file: File) -> DataError:
    """Return the error for a value that does not fit the type that the settings give."""
    objects = list(block.objects())
    for field in schema:
        if _fits(objects, field):
            continue
        low, high = 0, len(objects)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _fits(objects[low:middle], field) else (low, middle)
        return DataError(
            f"column {field.name} of {file.name} holds what is no {field.type}, "
            f"first in line {objects[low].line}",
            remedy="correct the file, or source.*.types",
        )
    line = next((one.line for one in objects if one.values is None), objects[-1].line)
    cause = f"line {line} is no JSON object"
    return DataError(f"{file.name} is no table of JSON lines: {cause}", remedy=FORM)


def _fits(objects: Sequence[JsonObject], field: pa.Field) -> bool:
    try:
        _parse("\n".join(one.text for one in objects).encode(), pa.schema([field]), "ignore")
    except pa.ArrowInvalid:
        return False
    return True


def _type_of(block: Block, found: pa.Table, name: str, file: File) -> pa.DataType:
    """Return the type of a column that pyarrow found, with the zone of its times (rule 2)."""
    kind = found.schema.field(name).type
    if not pa.types.is_timestamp(kind):
        return kind
    text = _parsed(block, pa.schema([(name, pa.string())]), "ignore", file).column(0)
    zoned = pc.match_substring_regex(text.drop_null(), ZONED)
    if pc.all(zoned).as_py():
        return pa.timestamp(kind.unit, "UTC")
    return pa.string() if pc.any(zoned).as_py() else kind


def _holds_both(
    one: pa.DataType, other: pa.DataType, name: str, block: Block, file: File
) -> pa.DataType:
    """Return the type for the rows before and this block; text and times are text (rule 2)."""
    both = wider(one, other)
    if both is None and _is_text(one, other):
        return pa.string()
    if both is None:
        raise DataError(
            f"column {name} of {file.name} is {one} before {block.where(0)} and {other} from there",
            remedy=FORM,
        )
    return both


def _is_text(*kinds: pa.DataType) -> bool:
    return all(pa.types.is_string(kind) or pa.types.is_timestamp(kind) for kind in kinds)


def _require_exact(block: Block, found: pa.Table, names: Collection[str], file: File) -> None:
    """Raise DataError where a column of numbers is written with one that float64 changes."""
    asked = [name for name in found.column_names if name in names]
    asked = [name for name in asked if reaches_inexact(found.column(name))]
    if not asked:
        return
    written: dict[str, list[str | None]] = {name: [] for name in asked}
    for one in block.objects():
        for name, texts in written.items():
            value = (one.values or {}).get(name)
            texts.append(value if isinstance(value, Digits) else None)
    for name, texts in written.items():
        lost = first_lost(pa.array(texts, pa.string()))
        if lost is not None:
            raise DataError(
                f"column {name} of {file.name} holds {lost.what}, "
                f"first in {block.where(lost.place)}",
                remedy=_NO_FLOAT64
                if lost.what == BEYOND_FLOAT64
                else given_type(name, "float64 to round it, or write it as text"),
            )
