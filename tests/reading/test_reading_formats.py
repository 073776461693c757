"""Every format gives the same table, and what is written is what is read."""

from __future__ import annotations

import datetime
import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import feather
from tried_examples import tries
from written_tables import (
    PACKERS,
    WRITERS,
    csv_bytes,
    example,
    framed,
    opened,
    read,
    rows_of,
    write_tfrecord,
)

from components.core.errors import DataError, SettingsError

TIME = datetime.datetime(2013, 1, 1, 5, 30)
ROWS = pa.table(
    {
        "count": pa.array([1, None, -3], pa.int64()),
        "ratio": pa.array([0.5, 2.0, None], pa.float64()),
        "text": pa.array(["a,b", None, 'with "quotes"\nand ü'], pa.string()),
    }
)
TIMED = ROWS.append_column("time", pa.array([TIME, TIME, None], pa.timestamp("s")))


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    rows = ROWS if suffix == "tfrecord" else TIMED
    WRITERS[suffix](path, rows)
    # Parquet has no seconds: it stores milliseconds.
    assert read(path).select(rows.column_names).cast(rows.schema) == rows
    assert rows_of(opened(path), ["text", "count"]) == rows.select(["text", "count"])


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "tfrecord"])
def test_a_packed_file_gives_the_same_rows(tmp_path: Path, suffix: str, packer: str) -> None:
    WRITERS[suffix](tmp_path / f"t.{suffix}", ROWS)
    data = PACKERS[packer]((tmp_path / f"t.{suffix}").read_bytes())
    (tmp_path / f"t.{suffix}.{packer}").write_bytes(data)
    assert read(tmp_path / f"t.{suffix}.{packer}").select(ROWS.column_names) == ROWS


def test_a_gzip_of_several_parts_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a\n1\n") + gzip.compress(b"2\n"))
    assert read(tmp_path / "t.csv.gz")["a"].to_pylist() == [1, 2]


def test_a_format_that_the_name_does_not_say_is_set(tmp_path: Path) -> None:
    WRITERS["jsonl"](tmp_path / "part-00000", ROWS)
    with pytest.raises(SettingsError, match=r"does not say its format"):
        opened(tmp_path / "part-00000")
    assert read(tmp_path / "part-00000", format="jsonl") == ROWS


def test_a_format_that_needs_its_end_is_not_read_packed(tmp_path: Path) -> None:
    (tmp_path / "t.parquet.gz").write_bytes(b"")
    with pytest.raises(SettingsError, match="is parquet packed once more"):
        opened(tmp_path / "t.parquet.gz")


def test_feather_is_arrow(tmp_path: Path) -> None:
    feather.write_feather(ROWS, tmp_path / "t.feather")
    assert read(tmp_path / "t.feather") == ROWS


def test_stored_types_become_the_four(tmp_path: Path) -> None:
    stored = pa.table(
        {
            "small": pa.array([1, None], pa.int8()),
            "unsigned": pa.array([2, 3], pa.uint64()),
            "truth": pa.array([True, False]),
            "single": pa.array([0.5, 1.5], pa.float32()),
            "money": pa.array([Decimal("1.50"), None], pa.decimal128(9, 2)),
            "coded": pa.array(["x", "y"]).dictionary_encode(),
            "large": pa.array(["x", None], pa.large_string()),
            "day": pa.array([datetime.date(2013, 1, 2), None]),
            "zoned": pa.array([TIME, None], pa.timestamp("ms", "UTC")),
            "empty": pa.nulls(2),
        }
    )
    pq.write_table(stored, tmp_path / "t.parquet")
    rows = read(tmp_path / "t.parquet")
    assert [str(kind) for kind in rows.schema.types] == [
        "int64", "int64", "int64", "double", "double", "string", "string",
        "timestamp[s]", "timestamp[ms, tz=UTC]", "double",
    ]  # fmt: skip
    assert rows.slice(0, 1).to_pylist() == [
        {
            "small": 1, "unsigned": 2, "truth": 1, "single": 0.5, "money": 1.5, "coded": "x",
            "large": "x", "day": datetime.datetime(2013, 1, 2),
            "zoned": TIME.replace(tzinfo=datetime.UTC), "empty": None,
        }
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_types_of_the_settings_win(tmp_path: Path, suffix: str) -> None:
    rows = pa.table({"code": ["007", "011"], "n": [1, 2], "day": ["2013-01-01", "2013-01-02"]})
    WRITERS[suffix](tmp_path / f"t.{suffix}", rows)
    types = {"code": "string", "n": "float64", "day": "timestamp"}
    found = read(tmp_path / f"t.{suffix}", types=types)
    assert [str(kind) for kind in found.schema.types] == ["string", "double", "timestamp[us]"]
    assert found["code"].to_pylist() == ["007", "011"]
    assert found["n"].to_pylist() == [1.0, 2.0]
    assert found["day"].to_pylist()[1] == datetime.datetime(2013, 1, 2)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_type_of_a_column_that_is_not_there_is_refused(tmp_path: Path, suffix: str) -> None:
    WRITERS[suffix](tmp_path / f"t.{suffix}", ROWS)
    with pytest.raises(SettingsError, match=r"types names column nosuch, which .* does not have"):
        opened(tmp_path / f"t.{suffix}", types={"nosuch": "string"})


def test_a_column_that_the_table_does_not_have_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(csv_bytes(["a", "b"], [1, 2]))
    table = opened(tmp_path / "t.csv")
    with pytest.raises(DataError, match="has no column nosuch") as caught:
        next(iter(table.batches(["a", "nosuch"])))
    assert caught.value.remedy == "name one of: a, b"


def test_a_table_can_be_read_twice_and_in_part(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(csv_bytes(["a"], *([n] for n in range(200_000))))
    table = opened(tmp_path / "t.csv")
    sizes = [piece.rows.num_rows for piece in table.batches()]
    assert sizes == [65_536, 65_536, 65_536, 3_392]
    begun = table.batches()
    assert next(begun).rows["a"][0].as_py() == 0
    begun.close()  # type: ignore[attr-defined]
    assert rows_of(table)["a"].to_pylist() == list(range(200_000))


KINDS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "float64": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
    # What looks like a number, a time or nothing is read as that, in a text format.
    "string": (
        pa.string(),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).map("§".__add__),
    ),
    "timestamp": (
        pa.timestamp("us"),
        st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)),
    ),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5))
    rows = draw(st.integers(1, 30))
    columns, fields = [], []
    for number, kind in enumerate(kinds):
        arrow_type, values = KINDS[kind]
        column = st.lists(st.none() | values, min_size=rows, max_size=rows)
        columns.append(pa.array(draw(column), arrow_type))
        fields.append(pa.field(f"{kind} {number}", arrow_type))
    # A line of one empty value is no row in CSV: a column that has a value keeps every row.
    columns.append(pa.array(range(rows), pa.int64()))
    return pa.Table.from_arrays(columns, schema=pa.schema([*fields, pa.field("row", pa.int64())]))


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "arrow", "ipc"])
@tries(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables())
def test_what_is_written_is_read(tmp_path: Path, suffix: str, table: pa.Table) -> None:
    WRITERS[suffix](tmp_path / f"t.{suffix}", table)
    found = read(tmp_path / f"t.{suffix}")
    for field in table.schema:
        column = found[field.name]
        if table[field.name].null_count == len(table):
            assert column.null_count == len(table)
        else:
            assert column.cast(field.type) == table[field.name]
    assert found.column_names == table.column_names


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    column=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1),
    single=st.lists(st.none() | st.floats(width=32, allow_nan=False), min_size=1),
)
def test_a_tfrecord_gives_back_its_examples(
    tmp_path: Path, column: list[int | None], single: list[float | None]
) -> None:
    rows = min(len(column), len(single))
    table = pa.table(
        {
            "a": pa.array(column[:rows], pa.int64()),
            "b": pa.array(single[:rows], pa.float64()),
            "c": pa.array([f"ü{n}" for n in range(rows)]),
        }
    )
    write_tfrecord(tmp_path / "t.tfrecord", table)
    found = read(tmp_path / "t.tfrecord")
    assert found["c"].to_pylist() == table["c"].to_pylist()
    for name in ("a", "b"):
        if table[name].null_count < rows:
            assert found[name] == table[name]


def test_a_feature_that_a_whole_file_of_examples_lacks_has_no_value_there(tmp_path: Path) -> None:
    first, second = pa.table({"a": [1, 2], "b": ["x", "y"]}), pa.table({"a": [3], "c": [0.5]})
    for split, rows in (("train", first), ("eval", second)):
        (tmp_path / split).mkdir()
        write_tfrecord(tmp_path / split / "t.tfrecord", rows)
    expected = {
        "a": [3, 1, 2],
        "b": [None, "x", "y"],
        "c": [0.5, None, None],
        "split": ["eval", "train", "train"],
    }
    table = opened(tmp_path / "{split}" / "t.tfrecord")
    assert rows_of(table).select([*expected]).to_pydict() == expected
    assert rows_of(table, ["b"]).to_pydict() == {"b": expected["b"]}
    without = read(tmp_path / "*" / "t.tfrecord").select(["a", "b", "c"])
    assert without.to_pydict() == {name: expected[name] for name in without.column_names}


def test_a_feature_of_two_types_in_two_files_of_examples_is_refused(tmp_path: Path) -> None:
    write_tfrecord(tmp_path / "1.tfrecord", pa.table({"a": [1], "b": [1]}))
    write_tfrecord(tmp_path / "2.tfrecord", pa.table({"b": ["x"], "c": [1]}))
    with pytest.raises(DataError, match=r"column b is string in .*2\.tfrecord and int64 in .*1\."):
        opened(tmp_path / "*.tfrecord")


@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_shard_of_examples_is_read_over(tmp_path: Path, empty: int) -> None:
    rows = pa.table({"a": [1, 2], "b": ["x", None]})
    names = [f"t-0000{number}-of-00002.gz" for number in (0, 1)]
    write_tfrecord(tmp_path / "plain", rows)
    filled = gzip.compress((tmp_path / "plain").read_bytes())
    (tmp_path / names[empty]).write_bytes(gzip.compress(b""))
    (tmp_path / names[1 - empty]).write_bytes(filled)
    table = opened(tmp_path / "t-*.gz", format="tfrecord")
    assert rows_of(table) == rows
    assert len(table.files()) == 2

    (tmp_path / names[1 - empty]).write_bytes(gzip.compress(b""))
    with pytest.raises(DataError, match=r"t-\*\.gz has no rows"):
        opened(tmp_path / "t-*.gz", format="tfrecord")


def test_examples_without_any_feature_are_refused_and_not_lost(tmp_path: Path) -> None:
    write_tfrecord(tmp_path / "1.tfrecord", pa.table({"a": [1]}))
    (tmp_path / "2.tfrecord").write_bytes(framed(example({})) * 3)
    with pytest.raises(DataError, match=r"2\.tfrecord has no feature at all from row 1 to row 3"):
        opened(tmp_path / "*.tfrecord")
