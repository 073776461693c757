"""A table is never in memory whole: what a reader buffers does not hang on the number of rows."""

from __future__ import annotations

import gzip
import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from local_postgresql import execute
from pyarrow import csv, ipc
from written_tables import example, framed

from components.core.data_settings import Table
from components.reading.tables import open_table

COLUMNS = 6
ROWS = 1_200_000
MIB = 2**20
IN_PYTHON = (".jsonl", ".tfrecord")


def table_of(rows: int) -> pa.Table:
    numbers = np.random.default_rng(7).random((COLUMNS, rows))
    return pa.table({f"c{n}": column for n, column in enumerate(numbers)})


def write_csv(path: Path, rows: int) -> None:
    csv.write_csv(table_of(rows), path)


def write_gzip(path: Path, rows: int) -> None:
    plain = path.with_suffix("")
    csv.write_csv(table_of(rows), plain)
    with plain.open("rb") as source, gzip.open(path, "wb", 1) as target:
        shutil.copyfileobj(source, target)


def write_one_row_group(path: Path, rows: int) -> None:
    pq.write_table(table_of(rows), path, row_group_size=rows)


def write_one_batch(path: Path, rows: int) -> None:
    table = table_of(rows)
    with ipc.new_file(path, table.schema) as file:
        file.write_batch(table.combine_chunks().to_batches()[0])


def write_jsonl(path: Path, rows: int) -> None:
    line = json.dumps({f"c{n}": n / 7 for n in range(COLUMNS)}) + "\n"
    path.write_text(line * rows)


def write_tfrecord(path: Path, rows: int) -> None:
    record = framed(example({"number": 0.5, "text": "x" * 2000}))
    path.write_bytes(record * rows)


def most(table: Table, expected: int) -> int:
    """Return the most bytes that were in memory while a table was opened and read."""
    before = pa.total_allocated_bytes()
    if table.location and table.location.endswith(IN_PYTHON):  # tracing makes the others slow
        tracemalloc.start()
    try:
        peak = rows = 0
        for piece in open_table(table).batches():
            assert piece.rows.num_rows <= 65_536
            rows += piece.rows.num_rows
            peak = max(peak, pa.total_allocated_bytes() - before)
        assert rows == expected
        return peak + tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "write", "rows", "bound"),
    [
        ("t.csv", write_csv, ROWS, 48),
        ("t.csv.gz", write_gzip, ROWS, 48),
        ("t.parquet", write_one_row_group, ROWS, 32),
        ("t.arrow", write_one_batch, ROWS, 8),
        ("t.jsonl", write_jsonl, ROWS // 2, 64),
        ("t.tfrecord", write_tfrecord, 80_000, 128),
    ],
)
def test_a_file_is_read_in_less_memory_than_it_has_rows_for(
    tmp_path: Path, name: str, write: Callable[[Path, int], None], rows: int, bound: int
) -> None:
    """`bound` is in MiB: what a reader buffers, whatever the number of rows."""
    path = tmp_path / name
    write(path, rows)
    assert most(Table(location=str(path)), rows) < bound * MIB
    if name != "t.csv.gz":
        assert bound * MIB < path.stat().st_size


@pytest.mark.slow
def test_a_query_is_read_in_less_memory_than_it_has_rows_for(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    select = ", ".join(f"i * 0.5::double precision AS c{n}" for n in range(COLUMNS))
    create = f"CREATE TABLE numbers AS SELECT i, {select} FROM "  # noqa: S608
    execute(postgresql, create + f"generate_series(1, {ROWS}) i")
    with duckdb.connect(str(tmp_path / "n.duckdb")) as connection:
        connection.execute(create + f"range(1, {ROWS + 1}) t(i)")
    for address in (postgresql, f"duckdb:///{tmp_path}/n.duckdb"):
        monkeypatch.setenv("TANDEM_DATABASE_SHOP", address)
        table = Table(query="SELECT * FROM numbers", database="shop")
        assert most(table, ROWS) < 24 * MIB < table_of(ROWS).nbytes
