"""Write examples as Parquet shards, one for each split and span, while they come in.

Rules:
1. a shard holds its rows in the order in which they came;
2. row groups have ROW_GROUP_ROWS rows; a shard's last one may have fewer, and so may the one that
   ends where the buffer was full, which takes the shards with most rows waiting first;
3. at most BUFFERED_BYTES of values wait to be written, however many rows, shards or columns there
   are; beside them are as many again while rows are put in the order of shards;
4. which rows share a row group depends on the rows alone, so equal rows give equal bytes: the rows
   are to come in batches of a fixed size.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.core.canonical import sha256_file
from components.core.errors import PlatformError
from components.core.examples import SPLITS, Shard, Split
from components.core.threads import allowed_threads

# A later stage reads one row group at a time.
ROW_GROUP_ROWS = 131_072
BUFFERED_BYTES = 128 * 2**20
MOST_THREADS = 4  # of writing; the bytes are the same with any number
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Place:
    """The split and the span of a shard."""

    split: Split
    span: str

    @property
    def path(self) -> Path:
        """Return where the shard lies in the artifact."""
        return Path(f"Split-{self.split}", f"{self.span}.parquet")


def places(spans: Sequence[str]) -> tuple[Place, ...]:
    """Return every shard that there may be; the place of (span n, evaluated e) is 2n + e."""
    return tuple(Place(split, span) for span in spans for split in SPLITS)


class ShardWriter:
    """Writes shards side by side; `close` ends them and says what was written."""

    def __init__(
        self, folder: Path, schema: pa.Schema, spans: Sequence[str], limit: int = BUFFERED_BYTES
    ) -> None:
        self._folder, self._schema, self._limit = folder, schema, limit
        self._places = places(spans)
        self._writers: dict[int, pq.ParquetWriter] = {}
        self._waiting: list[tuple[pa.Table, Array]] = []
        self._bytes = 0
        self._pool = ThreadPoolExecutor(min(MOST_THREADS, allowed_threads()))

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown()
        for writer in self._writers.values():
            writer.close()

    def add(self, rows: pa.Table, shards: Array) -> None:
        """Take rows, each with the number of its shard."""
        self._waiting.append((rows, shards))
        self._bytes += _bytes_of(rows)
        if self._bytes > self._limit:
            self._write_waiting()

    def close(self) -> tuple[Shard, ...]:
        """Write what still waits and return every shard that has rows, in the order of places."""
        self._write_waiting(share=0)
        for writer in self._writers.values():
            writer.close()
        return tuple(self._pool.map(self._describe, sorted(self._writers)))

    def _write_waiting(self, share: float = 0.5) -> None:
        """Write full row groups, and more until at most this share of the rows waits."""
        rows, shards = self._together()
        chosen = np.zeros(rows.num_rows, dtype=bool)
        parts = list(_to_write(shards, int(rows.num_rows * share)))
        for shard, places in parts:
            chosen[places] = True
            self._open(shard)
        list(self._pool.map(lambda part: self._write(part[0], _take(rows, part[1])), parts))
        rest = rows.filter(pa.array(~chosen)) if not chosen.all() else rows.slice(0, 0)
        self._waiting = [(rest, shards[~chosen])] if rest.num_rows else []
        self._bytes = _bytes_of(rest)

    def _together(self) -> tuple[pa.Table, Array]:
        tables = [rows for rows, _ in self._waiting] or [self._schema.empty_table()]
        shards = [shards for _, shards in self._waiting] or [np.zeros(0, dtype=np.int64)]
        self._waiting = []
        return pa.concat_tables(tables).combine_chunks(), np.concatenate(shards)

    def _open(self, shard: int) -> None:
        if shard in self._writers:
            return
        path = self._folder / self._places[shard].path
        path.parent.mkdir(exist_ok=True)
        try:
            self._writers[shard] = pq.ParquetWriter(path, self._schema, compression="zstd")
        except OSError as error:
            if error.errno != errno.EMFILE:
                raise
            raise PlatformError(
                f"more than {len(self._writers)} shards cannot be open at the same time",
                remedy="allow more open files (`ulimit -n`), or choose a shorter window",
            ) from error

    def _write(self, shard: int, rows: pa.Table) -> None:
        self._writers[shard].write_table(rows, row_group_size=ROW_GROUP_ROWS)

    def _describe(self, shard: int) -> Shard:
        place = self._places[shard]
        path = self._folder / place.path
        return Shard(
            path=place.path.as_posix(),
            split=place.split,
            span=place.span,
            rows=pq.read_metadata(path).num_rows,
            bytes=path.stat().st_size,
            sha256=sha256_file(path),
        )


def _to_write(shards: Array, keep: int) -> Iterator[tuple[int, Array]]:
    """Yield shards and the rows of each to write now, so that at most `keep` rows wait.

    Whole row groups are always written; what a shard has beyond them only where there is need,
    those with most of it first.
    """
    order = np.argsort(shards, kind="stable")
    counts = np.bincount(shards)
    starts = np.cumsum(counts) - counts
    beyond = counts % ROW_GROUP_ROWS
    waiting = int(beyond.sum())
    for shard in np.argsort(-beyond, kind="stable").tolist():
        rows = int(counts[shard])
        if waiting > keep:
            waiting -= int(beyond[shard])
        else:
            rows -= int(beyond[shard])
        if rows:
            yield shard, order[starts[shard] : starts[shard] + rows]


def _take(rows: pa.Table, places: Array) -> pa.Table:
    """Return some rows; those that lie together are not copied."""
    if places[-1] - places[0] + 1 == len(places):
        return rows.slice(int(places[0]), len(places))
    return rows.take(pa.array(places))


def _bytes_of(rows: pa.Table) -> int:
    """Return the size of the values: the same for equal rows, however they lie in memory."""
    size = 0
    for column in rows.columns:
        text = pa.types.is_string(column.type)
        size += (pc.sum(pc.binary_length(column)).as_py() or 0) if text else 0
        size += rows.num_rows * (4 if text else 8)
    return size
