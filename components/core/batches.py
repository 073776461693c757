"""Batches of rows, cut and joined to one size: memory and digests then hang on no format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

BATCH_ROWS = 65_536


def evenly(
    batches: Iterable[pa.RecordBatch], rows: int = BATCH_ROWS, most_bytes: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of exactly `rows`, the last one smaller; none is empty.

    With `most_bytes` a batch of long rows is given as soon as it has so many bytes.
    """
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while batch.num_rows - start >= rows - count:
            waiting.append(batch.slice(start, rows - count))
            start += rows - count
            yield _joined(waiting)
            waiting, count = [], 0
        if start < batch.num_rows:
            waiting.append(batch.slice(start))
            count += batch.num_rows - start
        if most_bytes is not None and sum(one.nbytes for one in waiting) >= most_bytes:
            yield _joined(waiting)
            waiting, count = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Return one batch of several."""
    if len(batches) == 1:
        return batches[0]
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
