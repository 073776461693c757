"""TFRecord files of tf.Example, without TensorFlow.

Why: importing TensorFlow takes seconds and hundreds of megabytes. A TFRecord file is a sequence of
length, masked CRC-32C of the length, bytes, and masked CRC-32C of the bytes (core/lib/io/
record_writer.h in TensorFlow's sources); TFX's own decoder turns a list of examples into Arrow
columns, in C++.

Rules:
1. a feature has one value at most: a row without one, or without the feature, has null there, and
   so have all rows of a file that has the feature nowhere;
2. a record is a tf.Example and no more; a feature has one type in the whole file: int64, float (as
   float64) or bytes (text in UTF-8);
3. both checksums of every record are checked; a record that is cut short is an error;
4. columns are sorted by name: an example has no order; rows are numbered from 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.core.data_settings import Table
from components.core.errors import DataError
from components.core.tfrecord_frame import FOOTER, HEADER, masked
from components.reading.columns import require_text_column
from components.reading.files import UNREADABLE, File
from components.reading.origins import Origin
from components.reading.text import damaged, open_text, require_packed

_FEATURES = 0x0A  # the tag of a message's first field with a length: Example.features
_RECORDS, _BYTES = 8192, 8 * 2**20  # of one batch, whichever comes first
_LONGEST = 2**30
_BUFFER = 2**20
_ONE_TYPE = "write each feature in one type, with one value at most"


def find_tfrecord(file: File, table: Table) -> tuple[pa.Schema, int]:
    """Return the columns of a file of examples and its number of rows."""
    types: dict[str, pa.DataType] = {}
    rows = 0
    for batch in _decoded(file):
        for field in batch.schema:
            one, other = types.get(field.name, pa.null()), field.type
            if one != other and not pa.types.is_null(one) and not pa.types.is_null(other):
                raise DataError(
                    f"column {field.name} of {file.name} is {one} up to row {rows} and {other} "
                    "after",
                    remedy=_ONE_TYPE,
                )
            types[field.name] = other if pa.types.is_null(one) else one
        rows += batch.num_rows
    if not rows:
        require_packed(file)
    return pa.schema(sorted(types.items())), rows


def read_tfrecord(
    file: File, table: Table, schema: pa.Schema, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the columns of a file of examples; a feature that a batch lacks is null in it."""
    for batch in _decoded(file):
        arrays = [
            batch.column(name)
            if name in batch.schema.names
            else pa.nulls(batch.num_rows, schema.field(name).type)
            for name in columns
        ]
        yield pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _decoded(file: File) -> Iterator[pa.RecordBatch]:
    """Yield batches of single-valued columns."""
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    decoder, origin = ExamplesToRecordBatchDecoder(), Origin(file.name)
    for records in _grouped(_records(file)):
        _require_examples(records, origin)
        try:
            batch = decoder.DecodeBatch(records)
        except RuntimeError:
            raise DataError(
                f"{file.name} has a record that is no tf.Example, or a feature of two types, "
                f"from {origin.where(0)} to {origin.where(len(records) - 1)}",
                remedy=_ONE_TYPE,
            ) from None
        if not batch.num_columns:  # Arrow does not count rows without columns
            raise DataError(
                f"{file.name} has no feature at all from {origin.where(0)} to "
                f"{origin.where(len(records) - 1)}",
                remedy="leave out what has no feature",
            )
        columns = {
            name: _single(column, name, origin)
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        }
        schema = pa.schema([(name, column.type) for name, column in columns.items()])
        yield pa.RecordBatch.from_arrays(list(columns.values()), schema=schema)
        origin = origin.after(len(records))


def _require_examples(records: list[bytes], origin: Origin) -> None:
    """Raise DataError for a message with more than features: the decoder would leave that out."""
    for place, record in enumerate(records):
        start = 0
        while start < len(record) and record[start] == _FEATURES:
            start = _end_of_field(record, start + 1)
        if start != len(record):
            raise DataError(
                f"{origin.name} has a record that is no tf.Example in {origin.where(place)}",
                remedy="write each row as a tf.Example, not as a SequenceExample or anything else",
            )


def _end_of_field(record: bytes, start: int) -> int:
    """Return where a field ends whose length begins here; beyond the record if it is cut short."""
    length = shift = 0
    for place in range(start, len(record)):
        length |= (record[place] & 0x7F) << shift
        shift += 7
        if record[place] < 0x80:
            return place + 1 + length
    return len(record) + 1


def _single(column: pa.Array, name: str, origin: Origin) -> pa.Array:
    """Return a column of lists as one of values (rules 1 and 2)."""
    if pa.types.is_null(column.type):
        return column
    lengths = np.asarray(pc.fill_null(pc.list_value_length(column), 0))
    several = np.flatnonzero(lengths > 1)
    if several.size:
        raise DataError(
            f"column {name} of {origin.name} has {lengths[several[0]]} values in "
            f"{origin.where(int(several[0]))}",
            remedy=_ONE_TYPE,
        )
    places = pa.array(np.cumsum(lengths) - 1, mask=lengths == 0)
    values = column.flatten().take(places)
    if pa.types.is_integer(values.type):
        return values
    if pa.types.is_floating(values.type):
        return values.cast(pa.float64())
    values = values.cast(pa.binary())
    text = pa.Array.from_buffers(pa.string(), len(values), values.buffers(), offset=values.offset)
    require_text_column(text, name, origin)
    return text


def _grouped(records: Iterator[bytes]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for record in records:
        group.append(record)
        size += len(record)
        if len(group) == _RECORDS or size >= _BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _records(file: File) -> Iterator[bytes]:
    """Yield the records one by one: where one begins is known only from the one before (rule 3)."""
    number = 1
    try:
        with open_text(file) as unbuffered, pa.BufferedInputStream(unbuffered, _BUFFER) as stream:
            while header := stream.read(HEADER.size):
                if len(header) < HEADER.size:
                    raise _broken(file, number)
                length, checksum = HEADER.unpack(header)
                if masked(header[:8]) != checksum or length > _LONGEST:
                    raise _broken(file, number)
                data = stream.read(length + FOOTER.size)
                if len(data) < length + FOOTER.size:
                    raise _broken(file, number)
                record = data[:length]
                if masked(record) != FOOTER.unpack(data[length:])[0]:
                    raise _broken(file, number)
                yield record
                number += 1
    except UNREADABLE as error:
        raise damaged(file) from error


def _broken(file: File, number: int) -> DataError:
    return DataError(
        f"{file.name} is no readable TFRecord file: record {number} is damaged or cut short",
        remedy="write or fetch it again",
    )
