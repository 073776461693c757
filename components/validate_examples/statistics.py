"""TFDV's statistics of examples, in memory: Arrow columns in, the standard proto out.

Rules: a missing value is a missing list, as TFDV wants it; every column is handed over, the label
too; one thread, because TFDV's own parallel path is ten times slower and has lost rows: the number
of rows that TFDV counted is compared with the number it was given.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.core.errors import IntegrityError

FILE_NAME = "FeatureStats.pb"
Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList


def compute_statistics(rows: pa.Table, name: str) -> Statistics:
    """Return the statistics of some rows; `name` says which in an IntegrityError."""
    columns = [_lists(column) for column in rows.columns]
    batch = pa.RecordBatch.from_arrays(columns, names=rows.column_names)
    statistics = stats_impl.generate_statistics_in_memory(batch)
    counted = statistics.datasets[0].num_examples
    if counted != rows.num_rows:
        raise IntegrityError(
            f"TFDV counted {counted} of {rows.num_rows} rows in {name}",
            remedy="report it with the versions of the lock file",
            expected=rows.num_rows,
            actual=counted,
        )
    statistics.datasets[0].name = name
    return statistics


def _lists(column: pa.ChunkedArray) -> pa.Array:
    """Return each value as a list of one, and null as a missing list."""
    values = pa.chunked_array(column.chunks, type=column.type).combine_chunks()
    known = np.asarray(values.is_valid())
    offsets = np.zeros(len(values) + 1, dtype=np.int32)
    np.cumsum(known, out=offsets[1:])
    mask = None if known.all() else pa.array(~known)
    return pa.ListArray.from_arrays(pa.array(offsets), values.drop_null(), mask=mask)


def write_statistics(folder: Path, split: str, statistics: Statistics) -> None:
    """Write statistics where TFX looks for them."""
    path = folder / f"Split-{split}" / FILE_NAME
    path.parent.mkdir()
    path.write_bytes(statistics.SerializeToString(deterministic=True))
