"""Examples as gzip TFRecords of tf.Example: an export for stock TFX components.

Rules: the layout is that of TFX's Examples artifact, one file for each shard. Numbers have the
types of the columns, so that the rows are of the schema that they were validated by; or all are
floats, as the `serving_examples` signature of a SavedModel takes them: one feature of a tf.Example
cannot be both. A tf.Example has float32: a number that it has no room for is an error, and so is a
whole one that it changes; digits of others are lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.core.errors import DataError
from components.core.examples import SPLITS, ExamplesManifest
from components.core.tf_examples import FILE, ROWS_AT_ONCE, as_lists, split_folder, write_file


def export_examples(examples: Path, folder: Path, *, as_floats: bool = False) -> ExamplesManifest:
    """Write an examples artifact's splits into `folder`, which is there; return its manifest."""
    manifest = ExamplesManifest.read(examples)
    for split in filter(manifest.splits.__contains__, SPLITS):
        of_split = split_folder(folder, split)
        shards = manifest.shards_of(split)
        for number, shard in enumerate(shards):
            path = of_split / FILE.format(number=number, files=len(shards))
            write_file(path, _batches(examples / shard.path, as_floats), None)
    return manifest


def _batches(shard: Path, as_floats: bool) -> Iterator[pa.RecordBatch]:
    """Yield a shard's rows as columns of lists."""
    with pq.ParquetFile(shard) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            names = batch.schema.names
            columns = [
                as_lists(_encodable(column, name, as_floats))
                for name, column in zip(names, batch.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, names=names)


def _encodable(column: pa.Array, name: str, as_floats: bool) -> pa.Array:
    """Return a column of a type that a tf.Example has: int64, float32 or bytes."""
    if pa.types.is_floating(column.type):
        return _in_float32(column, name)
    if pa.types.is_integer(column.type):
        return _whole_in_float32(column, name) if as_floats else column
    return column.cast(pa.binary())


def _in_float32(column: pa.Array, name: str) -> pa.Array:
    narrow = column.cast(pa.float32(), safe=False)
    if pc.any(pc.and_(pc.is_finite(column), pc.invert(pc.is_finite(narrow)))).as_py():
        raise _no_room(name, "a number beyond float32, the numbers of a tf.Example")
    return narrow


def _whole_in_float32(column: pa.Array, name: str) -> pa.Array:
    narrow = column.cast(pa.float32(), safe=False)
    try:
        same = narrow.cast(pa.float64()).cast(column.type).equals(column)
    except pa.ArrowInvalid:  # rounded to one beyond int64
        same = False
    if not same:
        raise _no_room(name, "a whole number beyond 2^24 that float32 changes")
    return narrow


def _no_room(name: str, what: str) -> DataError:
    return DataError(
        f"column {name} holds {what}",
        remedy="keep the column as text, or scale it, where the examples are made",
    )
