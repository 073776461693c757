"""Shards: rows in their order, row groups of one size, and a buffer that stays small."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.core.artifacts import tree_digest
from components.core.errors import PlatformError
from components.ingest_examples import shards
from components.ingest_examples.shards import ShardWriter

SPANS = ("2020-01", "2020-02")
SCHEMA = pa.schema({"a": pa.int64(), "b": pa.string()})
NO_LIMIT = 2**40


@pytest.fixture(autouse=True)
def small_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "ROW_GROUP_ROWS", 10)


def table(start: int, count: int) -> pa.Table:
    numbers = np.arange(start, start + count)
    return pa.table({"a": numbers, "b": pa.array(numbers).cast(pa.string())}, schema=SCHEMA)


def write(folder: Path, numbers: list[list[int]], limit: int) -> tuple[shards.Shard, ...]:
    start = 0
    with ShardWriter(folder, SCHEMA, SPANS, limit) as writer:
        for batch in numbers:
            writer.add(table(start, len(batch)), np.array(batch, dtype=np.int64))
            start += len(batch)
        return writer.close()


batches = st.lists(st.lists(st.integers(0, 3), max_size=40), max_size=8)


@settings(deadline=None)
@given(numbers=batches, limit=st.sampled_from([0, 300, 900, NO_LIMIT]))
def test_a_shard_holds_exactly_its_rows_in_the_order_in_which_they_came(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[list[int]], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    written = write(folder, numbers, limit)

    every = np.array([n for batch in numbers for n in batch], dtype=np.int64)
    found = {(s.span, s.split): pq.read_table(folder / s.path)["a"].to_pylist() for s in written}
    assert found == {
        (SPANS[n // 2], ("train", "eval")[n % 2]): np.flatnonzero(every == n).tolist()
        for n in sorted(set(every.tolist()))
    }
    assert {(s.span, s.split): s.rows for s in written} == {k: len(v) for k, v in found.items()}


def row_groups(path: Path) -> list[int]:
    metadata = pq.read_metadata(path)
    return [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]


def test_row_groups_are_of_one_size_but_the_last(tmp_path: Path) -> None:
    (shard,) = write(tmp_path, [[0] * 7, [0] * 7, [0] * 21], NO_LIMIT)

    assert row_groups(tmp_path / shard.path) == [10, 10, 10, 5]


def test_a_full_buffer_is_written_in_whole_row_groups_where_it_can(tmp_path: Path) -> None:
    # 20 bytes a row and a little: the buffer is full after each second batch.
    (shard,) = write(tmp_path, [[0] * 12] * 6, limit=400)

    assert row_groups(tmp_path / shard.path) == [10] * 7 + [2]


def test_a_full_buffer_empties_the_largest_shard_first(tmp_path: Path) -> None:
    small, large = write(tmp_path, [[0, 2, 2, 2, 2, 0], [0, 2]], limit=60)

    assert row_groups(tmp_path / large.path) == [4, 1]
    assert row_groups(tmp_path / small.path) == [3]


def test_the_buffer_never_holds_more_than_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []

    class Watched(ShardWriter):
        def add(self, rows: pa.Table, numbers: np.ndarray) -> None:
            super().add(rows, numbers)
            held.append(sum(waiting.nbytes for waiting, _ in self._waiting))

    with Watched(tmp_path, SCHEMA, SPANS, limit=2_000) as writer:
        for start in range(0, 5_000, 50):
            writer.add(table(start, 50), np.arange(50) % 4)
        writer.close()

    assert max(held) < 2_500  # nbytes counts the offsets' ends and validity too
    assert sum(held) > 0


def test_equal_rows_are_equal_bytes_however_they_lie_in_memory(tmp_path: Path) -> None:
    whole = table(0, 30)
    parts = pa.concat_tables([table(0, 13), table(13, 17)]).combine_chunks()
    valid = [pa.py_buffer(b"\xff" * 4), whole["a"].chunk(0).buffers()[1]]
    masked = whole.set_column(0, SCHEMA.field(0), pa.Array.from_buffers(pa.int64(), 30, valid))
    for folder, rows in (("a", whole), ("b", parts), ("c", masked)):
        (tmp_path / folder).mkdir()
        # 410 bytes of values, 414 with a mask of nulls.
        with ShardWriter(tmp_path / folder, SCHEMA, SPANS, limit=412) as writer:
            writer.add(rows, np.arange(30) % 4)
            writer.add(rows, np.arange(30) % 4)
            writer.close()

    digests = {tree_digest(tmp_path / folder) for folder in "abc"}
    assert len(digests) == 1


def test_more_shards_than_files_may_be_open_say_so(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    spans = [f"2020-01-{day:02d}" for day in range(1, 32)]
    try:
        with (
            pytest.raises(PlatformError, match="cannot be open at the same time") as caught,
            ShardWriter(tmp_path, SCHEMA, spans) as writer,
        ):
            writer.add(table(0, 62), np.arange(62))
            resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, hard))
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert "ulimit -n" in caught.value.remedy
