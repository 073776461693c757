"""The four types of a source's columns, and how what formats and databases know becomes them.

Why: later stages then have few cases, and a column means the same whatever it was stored as.

Rules:
1. a column is int64, float64, string or a timestamp (of the unit and zone that it has);
2. integers and truth values become int64, decimals float64, dates timestamps; nothing is rounded
   or cut on the way: a value that does not fit is an error (exact_numbers.py says what of numbers),
   unless the settings themselves make its column float64; nor is a time of no four-digit year;
3. of several pieces of one table, each knowing only its own rows, a column gets the narrowest type
   that holds them all; a column without any value is float64;
4. a message names the table's file, the column and the row, never a value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from components.core.data_settings import ColumnKind
from components.core.errors import DataError
from components.core.settings import NAME_PATTERN
from components.reading.exact_numbers import BEYOND_FLOAT64, first_lost_of, reaches_inexact
from components.reading.origins import Origin

KINDS: Mapping[ColumnKind, pa.DataType] = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us"),
}
_UNITS = ("s", "ms", "us", "ns")
# In seconds since 1970-01-01.
_YEAR_0, _YEAR_10000 = -62_167_219_200, 253_402_300_800


def plain_type(kind: pa.DataType) -> pa.DataType | None:
    """Return the type that a column is read as: null where it is unknown, None where there is none.

    Null is the type of a column with no value yet (rule 3).
    """
    kind = _value_type(kind)
    if pa.types.is_null(kind) or pa.types.is_timestamp(kind):
        return kind
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_date(kind):
        return pa.timestamp("s" if pa.types.is_date32(kind) else "ms")
    return None


def plain_schema(schema: pa.Schema, name: str) -> pa.Schema:
    """Return a file's schema in the types of rule 1; DataError for what is none of them."""
    require_distinct(schema.names, name)
    fields = []
    for field in schema:
        kind = plain_type(field.type)
        if kind is None:
            raise DataError(
                f"column {field.name} of {name} is {_kind_name(field.type)}, which is neither "
                "number, text nor time",
                remedy="store it flat, as numbers, text in UTF-8 or times, or leave it out",
            )
        fields.append(pa.field(field.name, kind))
    return pa.schema(fields)


def _kind_name(kind: pa.DataType) -> str:
    """Return a type's name, of a nested one without the names and types inside."""
    return str(kind).partition("<")[0]


def require_distinct(names: Sequence[str], name: str) -> None:
    """Raise DataError naming the columns that a file has more than once."""
    twice = sorted(column for column, count in Counter(names).items() if count > 1)
    if twice:
        raise DataError(f"{name} has more than one column {', '.join(twice)}", remedy="rename them")


def wider(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """Return the narrowest type that holds the values of both, None where only text would."""
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if {one, other} == {pa.int64(), pa.float64()}:
        return pa.float64()
    one, other = (pa.timestamp("s") if pa.types.is_date32(kind) else kind for kind in (one, other))
    if pa.types.is_timestamp(one) and pa.types.is_timestamp(other) and one.tz == other.tz:
        return pa.timestamp(max(one.unit, other.unit, key=_UNITS.index), one.tz)
    return None


def known(schema: pa.Schema) -> pa.Schema:
    """Return the schema with every column of no value as float64."""
    return pa.schema(
        [
            pa.field(field.name, pa.float64() if pa.types.is_null(field.type) else field.type)
            for field in schema
        ]
    )


def cast_batch(
    batch: pa.RecordBatch,
    schema: pa.Schema,
    origin: Origin,
    given: Mapping[str, ColumnKind],
) -> pa.RecordBatch:
    """Return a batch of exactly this schema's columns, in its order; DataError for a misfit.

    `origin` is that of the batch's rows, `given` are the settings' types.
    """
    columns = []
    for field in schema:
        column = batch.column(field.name)
        if column.type != field.type:
            column = _cast(column, field, origin, rounds=field.name in given)
        if pa.types.is_timestamp(field.type):
            _require_calendar(column, field, origin)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(column: pa.Array, field: pa.Field, origin: Origin, *, rounds: bool) -> pa.Array:
    if pa.types.is_decimal(_value_type(column.type)) and pa.types.is_floating(field.type):
        column = _digits(column)  # of a decimal itself Arrow makes a neighbour of its float64
    try:
        cast = column.cast(field.type, safe=not pa.types.is_floating(field.type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise _misfit(column, field, origin) from None
    if not rounds and not pa.types.is_floating(column.type) and reaches_inexact(cast):
        require_exact([_digits(column)], field.name, origin)
    return cast


def _require_calendar(column: pa.Array, field: pa.Field, origin: Origin) -> None:
    """Raise DataError for a time that no calendar has: what stores give for infinity, or NaT."""
    second = 1000 ** _UNITS.index(field.type.unit)
    least, most = max(_YEAR_0 * second, -(2**63) + 1), _YEAR_10000 * second - 1
    numbers = column.cast(pa.int64())
    low, high = (bound.as_py() for bound in pc.min_max(numbers).values())
    if low is not None and (low < least or high > most):
        outside = pc.or_(pc.less(numbers, least), pc.greater(numbers, min(most, 2**63 - 1)))
        raise DataError(
            f"column {field.name} of {origin.name} holds a time outside the years 0000 to 9999, "
            f"first in {origin.where(pc.index(outside, True).as_py())}",
            remedy="let nothing stand there, where infinity or a far year stands for no date",
        )


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _digits(column: pa.Array) -> pa.Array:
    """Return the text of each number, in plain digits."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_decimal(column.type) and column.type.scale < 0:
        column = column.cast(pa.decimal256(76, 0))
    return column.cast(pa.string())


def require_exact(texts: Iterable[pa.Array], column: str, origin: Origin) -> None:
    """Raise DataError where a column of numbers, given as texts, has one that float64 changes."""
    lost = first_lost_of(texts)
    if lost is not None:
        otherwise = "correct it" if lost.what == BEYOND_FLOAT64 else "to float64 to round it"
        raise DataError(
            f"column {column} of {origin.name} holds {lost.what}, "
            f"first in {origin.where(lost.place)}",
            remedy=given_type(column, f"string, or {otherwise}"),
        )


def given_type(column: str, kinds: str) -> str:
    """Return the remedy of giving a column a type, which settings cannot do by every name."""
    if re.fullmatch(NAME_PATTERN, column):
        return f"set source.*.types.{column} to {kinds}"
    return f"rename the column, as settings cannot name it, and set its source.*.types to {kinds}"


def _misfit(column: pa.Array, field: pa.Field, origin: Origin) -> DataError:
    where = origin.where(first_misfit(column, field.type))
    beyond = pa.types.is_integer(_value_type(column.type)) and pa.types.is_integer(field.type)
    what = "an integer beyond int64" if beyond else f"what is no {field.type}"
    return DataError(
        f"column {field.name} of {origin.name} holds {what}, first in {where}",
        remedy="store it as text, or correct source.*.types",
    )


def first_misfit(column: pa.Array, kind: pa.DataType) -> int:
    """Return the place of the first value that does not cast; one of the column's does not."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            column.slice(low, middle - low).cast(kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            high = middle
        else:
            low = middle
    return low


def require_text_column(column: pa.Array, name: str, origin: Origin) -> None:
    """Raise DataError unless a column of text is UTF-8."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        place = first_misfit(column.cast(pa.large_binary()), pa.large_string())
        raise DataError(
            f"column {name} of {origin.name} holds text that is not UTF-8, "
            f"first in {origin.where(place)}",
            remedy="write it as UTF-8",
        ) from None
