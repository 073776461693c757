"""Raw rows of a CSV or Parquet file, with the column types that a model asks for.

Rules: a column is read as the type that the contract names, so a code such as 00123 stays the text
that it is and a value that is no number is an error; only an empty field is a missing value;
columns that the model does not take are left out. What is said of a file has no values; rows are
numbered as an editor numbers lines where no value has a line break: the header is 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from components.core.errors import DataError

ROWS_AT_ONCE = 65_536
_TYPES = {"float32": pa.float64(), "string": pa.string()}
_KINDS = {"float32": "number", "string": "text"}
# What pyarrow says, up to where it quotes the file.
_VALUE = ": invalid value"
_CONVERSION = re.compile(r"In CSV column #(\d+): Row #(\d+): CSV conversion error")
_SHAPE = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


def rows_of(file: Path, inputs: Mapping[str, str]) -> Iterator[pa.Table]:
    """Yield a file's rows in tables of the columns {name: "float32" or "string"}.

    Raises DataError for a file that is not there, lacks a column or holds what is not of its type.
    """
    read = _parquet if file.suffix == ".parquet" else _csv
    try:
        yield from read(file, inputs)
    except FileNotFoundError:
        raise DataError(f"there is no file {file}", remedy="name a file of rows") from None
    except (OSError, pa.ArrowException) as error:
        cause = _unquoted(str(error)) or type(error).__name__
        raise _unusable(file, cause, inputs) from error


def _csv(file: Path, inputs: Mapping[str, str]) -> Iterator[pa.Table]:
    from pyarrow import csv

    # Threads gain nothing here and lose the numbers of rows in errors.
    one_thread = csv.ReadOptions(use_threads=False)
    with csv.open_csv(file, one_thread) as reader:
        names = reader.schema.names
    _require_columns(file, inputs, names)
    options = csv.ConvertOptions(
        column_types={name: _TYPES[kind] for name, kind in inputs.items()},
        include_columns=list(inputs),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    try:
        with csv.open_csv(file, one_thread, convert_options=options) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])
    except pa.ArrowInvalid as error:
        found = _CONVERSION.search(str(error))
        if found is None:
            raise
        name = names[int(found[1])]
        cause = f"column {name} holds no {_KINDS[inputs[name]]} in row {found[2]}"
        raise _unusable(file, cause, inputs) from error


def _unquoted(message: str) -> str:
    """Return the first line of what pyarrow says, up to where it quotes the file."""
    if found := _SHAPE.search(message):
        return f"row {found[1]} has {found[3]} columns instead of {found[2]}"
    return message.partition(_VALUE)[0].strip().partition("\n")[0]


def _parquet(file: Path, inputs: Mapping[str, str]) -> Iterator[pa.Table]:
    from pyarrow import parquet

    with parquet.ParquetFile(file) as opened:
        _require_columns(file, inputs, opened.schema_arrow.names)
        for batch in opened.iter_batches(ROWS_AT_ONCE, columns=list(inputs)):
            yield pa.Table.from_batches([batch])


def _require_columns(file: Path, inputs: Mapping[str, str], found: Sequence[str]) -> None:
    lacking = [name for name in inputs if name not in found]
    if lacking:
        raise _unusable(file, f"it has no column {', '.join(lacking)}", inputs)


def _unusable(file: Path, cause: str, inputs: Mapping[str, str]) -> DataError:
    return DataError(
        f"{file} cannot be read as rows of this model: {cause}",
        remedy=f"give a file with the columns {', '.join(inputs)}",
    )
