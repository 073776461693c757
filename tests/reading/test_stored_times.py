"""Times that a store has and no calendar: told by their row, never taken for another year."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from local_postgresql import execute
from written_tables import WRITERS, opened, read, rows_of

from components.core.data_settings import Table
from components.core.errors import DataError, SettingsError
from components.reading.tables import open_table

NO_TIME = r"column a of .* holds a time outside the years 0000 to 9999, first in row {}$"
FINE = {"s": 253_402_300_799, "ms": 253_402_300_799_999, "us": 253_402_300_799_999_999}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_a_stored_time_outside_four_digit_years_is_told(
    tmp_path: Path, unit: str, zone: str | None
) -> None:
    kind = pa.timestamp(unit, zone)
    fine = [FINE.get(unit, 2**63 - 1), None, -62_167_219_200 if unit == "s" else 0]
    WRITERS["arrow"](tmp_path / "t.arrow", pa.table({"a": pa.array(fine, kind)}))
    assert read(tmp_path / "t.arrow")["a"].cast(pa.int64()).to_pylist() == fine
    for bad in (-(2**63), FINE.get(unit, -(2**63) - 1) + 1, -(2**63) + 1):
        if unit == "ns" and bad != -(2**63):
            continue
        column = pa.array(np.array([fine[0], bad, bad])).cast(kind)
        WRITERS["arrow"](tmp_path / "t.arrow", pa.table({"a": column}))
        with pytest.raises(DataError, match=NO_TIME.format(2)):
            read(tmp_path / "t.arrow")


def write_int96(path: Path, values: list[int | None], unit: str) -> None:
    column = pa.array(values, pa.timestamp(unit))
    pq.write_table(pa.table({"a": column, "b": column}), path, use_deprecated_int96_timestamps=True)


def test_far_years_in_int96_are_not_folded_into_others(tmp_path: Path) -> None:
    far = [FINE["us"], None, 0, -62_135_596_800_000_000, 1]
    write_int96(tmp_path / "t.parquet", far * 20_000, "us")
    found = read(tmp_path / "t.parquet")
    assert found["a"].type == pa.timestamp("us")
    assert found["a"].cast(pa.int64()).to_pylist() == far * 20_000
    assert rows_of(opened(tmp_path / "t.parquet"), ["b"])["b"] == found["a"]


@pytest.mark.parametrize("before", [0, 70_000])
def test_times_in_int96_are_cut_to_no_microsecond(tmp_path: Path, before: int) -> None:
    write_int96(
        tmp_path / "t.parquet", [0, None] * before + [1000, 1_357_034_400_123_456_789], "ns"
    )
    message = f"column a of .* in INT96 finer than microseconds, first in row {2 * before + 2}$"
    with pytest.raises(DataError, match=message):
        read(tmp_path / "t.parquet")


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "tfrecord"])
def test_numbers_are_made_no_times_of_and_times_no_numbers(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    WRITERS[suffix](path, pa.table({"a": [1_357_034_400]}))
    with pytest.raises(SettingsError, match=r"types makes times of column a, which .* as int64$"):
        opened(path, types={"a": "timestamp"})
    if suffix != "tfrecord":
        WRITERS[suffix](path, pa.table({"a": pa.array([1], pa.timestamp("us"))}))
        with pytest.raises(SettingsError, match="types makes numbers of column a, which"):
            opened(path, types={"a": "int64"})
        WRITERS[suffix](path, pa.table({"a": pa.nulls(1)}))
    assert read(path, types={"a": "string"})["a"].type == pa.string()


def test_a_column_without_a_value_may_be_of_times(tmp_path: Path) -> None:
    for suffix in ("parquet", "jsonl", "csv"):
        WRITERS[suffix](tmp_path / f"t.{suffix}", pa.table({"a": pa.nulls(1), "b": [1]}))
        found = read(tmp_path / f"t.{suffix}", types={"a": "timestamp"})
        assert (str(found["a"].type), found["a"].to_pylist()) == ("timestamp[us]", [None])


def test_a_query_makes_no_times_of_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", "duckdb:///:memory:")
    table = Table(query="SELECT 5::bigint AS a", database="shop", types={"a": "timestamp"})
    with pytest.raises(SettingsError, match="types makes times of column a, which the query of"):
        open_table(table)


@pytest.fixture(params=["duckdb", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    statements = (
        "CREATE TABLE d (i int, t timestamp, z timestamptz, d date)",
        "INSERT INTO d VALUES (1, '2013-01-01', '2013-01-01', '2013-01-01'), "
        "(2, 'infinity', 'infinity', 'infinity'), (3, '-infinity', '-infinity', '-infinity'), "
        "(4, '290000-01-01', '290000-01-01 00:00:00+00', '290000-01-01')",
    )
    if request.param == "duckdb":
        address = f"duckdb:///{tmp_path}/d.duckdb"
        with duckdb.connect(f"{tmp_path}/d.duckdb") as connection:
            for statement in statements:
                connection.execute(statement)
    else:
        address = request.getfixturevalue("postgresql")
        execute(address, "DROP TABLE IF EXISTS d", *statements)
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", address)


@pytest.mark.parametrize("column", ["t", "z", "d"])
@pytest.mark.parametrize("row", [2, 3, 4])
def test_infinity_of_a_database_is_no_year(database: None, column: str, row: int) -> None:
    query = f"SELECT {column} AS a FROM d WHERE i IN (1, {row}) ORDER BY i"  # noqa: S608
    with pytest.raises(DataError, match=NO_TIME.format(2)) as caught:
        rows_of(open_table(Table(query=query, database="shop")))
    assert "infinity" in caught.value.remedy
    assert "290000" not in f"{caught.value}{caught.value.remedy}"
