"""Rows as tf.Examples in gzip TFRecords, as TFX's Examples artifacts have them.

Rules: a split is `Split-<split>/data_tfrecord-*.gz`; what a row lacks is a feature of no kind, as
TFX's own generators write it; rows keep their order. Bytes do not repeat, because a tf.Example is a
map, which protobuf writes in no fixed order.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components.core.tfrecord_frame import framed

SPLIT, FILE = "Split-{split}", "data_tfrecord-{number:05d}-of-{files:05d}.gz"
ROWS_AT_ONCE = 8192


def split_folder(folder: Path, split: str) -> Path:
    """Make the folder of a split's files and return it."""
    of_split = folder / SPLIT.format(split=split)
    of_split.mkdir()
    return of_split


def write_file(path: Path, batches: Iterable[pa.RecordBatch], schema: Any) -> None:
    """Write one file of batches whose columns are lists; TFX-BSL encodes a batch at once."""
    from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

    encoder = RecordBatchToExamplesEncoder(schema)
    with gzip.open(path, "wb") as file:
        for batch in batches:
            file.write(b"".join(map(framed, encoder.encode(batch))))


def as_lists(column: pa.Array) -> pa.ListArray:
    """Return a column of values as one of lists of one value; null stays null."""
    counts = np.asarray(column.is_valid(), dtype=np.int32)
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
    missing = column.is_null() if column.null_count else None
    return pa.ListArray.from_arrays(pa.array(offsets), column.drop_null(), mask=missing)
