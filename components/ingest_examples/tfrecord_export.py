"""Examples as gzip TFRecords of tf.Example: an export for stock TFX components.

Rules: the layout is that of TFX's Examples artifact, one file for each shard. Numbers have the
types of the columns, so that the rows are of the schema that they were validated by; or all are
floats, as the `serving_examples` signature of a SavedModel takes them: one feature of a tf.Example
cannot be both.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

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
            columns = [as_lists(_encodable(column, as_floats)) for column in batch.columns]
            yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _encodable(column: pa.Array, as_floats: bool) -> pa.Array:
    """Return a column of a type that a tf.Example has: int64, float32 or bytes."""
    if pa.types.is_floating(column.type) or (as_floats and pa.types.is_integer(column.type)):
        return column.cast(pa.float32(), safe=False)
    return column if pa.types.is_integer(column.type) else column.cast(pa.binary())
