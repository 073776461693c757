"""Parquet and Arrow files: read by row group or record batch, their types known beforehand.

Rules: only the columns asked for are read; text must be UTF-8; a damaged file is an error that
names the file, and what it holds is never in a message. A batch of a compressed Arrow file, or of
one that is not on this disk, is in memory whole: such files are to be written in batches. Times in
Parquet's INT96 are read in microseconds, as Spark writes them, and in no other unit: as nanoseconds
pyarrow would fold the year 9999 into 1816.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs, ipc

from components.core.batches import BATCH_ROWS
from components.core.data_settings import Table
from components.core.errors import DataError
from components.reading.columns import plain_schema, require_text_column
from components.reading.files import File
from components.reading.origins import Origin

_ARROW_MAGIC = b"ARROW1"
_BUFFER_BYTES = 2**20
_UNREADABLE = (pa.ArrowException, OSError, EOFError)


def find_parquet(file: File, table: Table) -> tuple[pa.Schema, int]:
    """Return a Parquet file's schema and number of rows, from its footer alone."""
    with file.random_access() as data, _readable(file, "Parquet"):
        parquet = pq.ParquetFile(data, coerce_int96_timestamp_unit="us")
        schema, rows = parquet.schema_arrow, parquet.metadata.num_rows
    return plain_schema(schema, file.name), rows


def names_of_parquet(file: File, table: Table) -> list[str]:
    """Return the names of a Parquet file's columns."""
    return list(find_parquet(file, table)[0].names)


def read_parquet(
    file: File, table: Table, schema: pa.Schema, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file; of a row group of any size only pieces are in memory."""
    with file.random_access() as data:
        yield from _checked(lambda: _row_groups(data, columns, file), file, "Parquet")


def _row_groups(
    data: pa.NativeFile, columns: Sequence[str], file: File
) -> Iterator[pa.RecordBatch]:
    parquet, origin = _opened_parquet(data, "us"), Origin(file.name)
    stored = (parquet.schema.column(number) for number in range(len(parquet.schema)))
    int96 = {column.path for column in stored if column.physical_type == "INT96"} & set(columns)
    batches = parquet.iter_batches(BATCH_ROWS, columns=list(columns))
    if not int96:
        yield from batches
        return
    nanoseconds = _opened_parquet(data, "ns").iter_batches(BATCH_ROWS, columns=sorted(int96))
    for batch, finer in zip(batches, nanoseconds, strict=True):
        for name in sorted(int96):
            _require_microseconds(batch.column(name), finer.column(name), name, origin)
        yield batch
        origin = origin.after(batch.num_rows)


def _opened_parquet(data: pa.NativeFile, int96_unit: str) -> pq.ParquetFile:
    return pq.ParquetFile(
        data,
        buffer_size=_BUFFER_BYTES,
        pre_buffer=False,
        coerce_int96_timestamp_unit=int96_unit,
    )


def _require_microseconds(times: pa.Array, finer: pa.Array, name: str, origin: Origin) -> None:
    """Raise DataError for a time that is no whole microsecond; in nanoseconds years wrap around."""
    wrapped = pc.multiply(times.cast(pa.int64()), 1000)
    place = pc.index(pc.not_equal(wrapped, finer.cast(pa.int64())), True).as_py()
    if place >= 0:
        raise DataError(
            f"column {name} of {origin.name} holds a time in INT96 finer than microseconds, "
            f"first in {origin.where(place)}",
            remedy="write it as a timestamp in nanoseconds, or in whole microseconds",
        )


def find_arrow(file: File, table: Table) -> tuple[pa.Schema, int]:
    """Return an Arrow file's schema and number of rows."""
    with _arrow_data(file) as data, _readable(file, "Arrow"):
        with _arrow_reader(data) as reader:
            schema = plain_schema(reader.schema, file.name)
        rows = sum(batch.num_rows for batch in _record_batches(data, schema.names[:1]))
    return schema, rows


def names_of_arrow(file: File, table: Table) -> list[str]:
    """Return the names of an Arrow file's columns; of its batches none is read."""
    with _arrow_data(file) as data, _readable(file, "Arrow"), _arrow_reader(data) as reader:
        return list(reader.schema.names)


def read_arrow(
    file: File, table: Table, schema: pa.Schema, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of an Arrow file or stream; Feather (V2) is such a file."""
    with _arrow_data(file) as data:
        yield from _checked(lambda: _record_batches(data, columns), file, "Arrow")


@contextmanager
def _arrow_data(file: File) -> Iterator[pa.NativeFile]:
    """Open an Arrow file; one on disk is mapped, so that a batch of any size takes no memory."""
    if not isinstance(file.filesystem, fs.LocalFileSystem):
        with file.random_access() as data:
            yield data
        return
    with _readable(file, "Arrow"):
        mapped = pa.memory_map(file.path)
    with mapped:
        yield mapped


def _record_batches(data: pa.NativeFile, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with _arrow_reader(data) as reader:
        fields = [reader.schema.get_field_index(name) for name in columns]
    # Naming fields makes pyarrow copy what is mapped: a whole batch, of any size.
    options = None if isinstance(data, pa.MemoryMappedFile) else fields
    with _arrow_reader(data, options) as reader:
        if isinstance(reader, ipc.RecordBatchStreamReader):
            batches = iter(reader)
        else:
            batches = (reader.get_batch(n) for n in range(reader.num_record_batches))
        yield from (batch.select(list(columns)) for batch in batches)


def _arrow_reader(data: pa.NativeFile, fields: list[int] | None = None) -> Any:
    """Open what begins with the magic of an Arrow file as one, anything else as a stream."""
    options = ipc.IpcReadOptions(included_fields=fields) if fields else ipc.IpcReadOptions()
    data.seek(0)
    magic = data.read(len(_ARROW_MAGIC))
    data.seek(0)
    return (ipc.open_file if magic == _ARROW_MAGIC else ipc.open_stream)(data, options=options)


def _checked(
    batches: Callable[[], Iterator[pa.RecordBatch]], file: File, format_name: str
) -> Iterator[pa.RecordBatch]:
    """Yield batches whose text is known to be UTF-8; DataError at the first that is damaged."""
    source, origin = batches(), Origin(file.name)
    while True:
        with _readable(file, format_name):
            batch = next(source, None)
        if batch is None:
            return
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            require_text_column(column, name, origin)
        yield batch
        origin = origin.after(batch.num_rows)


@contextmanager
def _readable(file: File, format_name: str) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise DataError(
            f"{file.name} is not a readable {format_name} file", remedy="write or fetch it again"
        ) from error
