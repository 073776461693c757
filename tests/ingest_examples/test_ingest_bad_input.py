"""Tables that are odd or large, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_source import HEADER, Make, ingest

from components.core.data_settings import Target
from components.core.errors import DataError, IntegrityError
from components.core.examples import SPLITS, ExamplesManifest, Split, read_shards, read_split
from components.ingest_examples import shards
from components.ingest_examples.shape import label
from components.ingest_examples.step import ingest_examples


def test_rows_whose_dates_are_out_of_order_keep_the_order_of_the_source(
    make_settings: Make, tmp_path: Path
) -> None:
    rows = [f"2020,{2 - n % 2},{28 - n},P{n},{n % 4 // 2 * 30},1," for n in range(20)]
    ingest(make_settings("\n".join([HEADER, *rows]) + "\n"), tmp_path / "examples")

    for split, first in (("train", 1), ("eval", 0)):
        planes = read_split(tmp_path / "examples", split, ["plane"])["plane"].to_pylist()
        assert planes == [f"P{n}" for n in range(first, 20, 2)]


def large(rows: int, order: np.ndarray) -> pa.Table:
    """Rows of 24 months in a given order; each has a text of its own."""
    month = order * 24 // rows
    return pa.table(
        {
            "year": 2020 + month // 12,
            "month": month % 12 + 1,
            "delay": (order % 5 - 2) * 20,
            "gone": np.ones(rows, dtype=np.int64),
            "plane": pa.array(order).cast(pa.string()),
        }
    )


@pytest.fixture
def many(make_settings: Make, tmp_path: Path):
    """Settings of 150,000 rows in no order of time, more than a batch or a buffer holds."""
    path = tmp_path / "many.parquet"
    order = np.random.default_rng(5).permutation(150_000)
    pq.write_table(large(150_000, order), path)
    table = {"location": str(path)}
    return make_settings(table=table, window=("2020-01", "2021-12")), order


def test_a_hundred_thousand_categories_in_no_order_pass_through_a_small_buffer(
    many, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, order = many
    monkeypatch.setattr(shards.ShardWriter.__init__, "__defaults__", (2**20,))
    manifest = ingest(settings, tmp_path / "examples")

    assert manifest.rows == 150_000 and len(manifest.shards) == 24
    assert len(set(order.tolist())) == 150_000
    for number, shard in enumerate(sorted(manifest.shards, key=lambda s: s.span)):
        rows = read_shards(tmp_path / "examples", manifest, [shard], ["plane"])
        expected = order[order * 24 // 150_000 == number]
        np.testing.assert_array_equal(rows["plane"].cast(pa.int64()).to_numpy(), expected)
    paths = [tmp_path / "examples" / shard.path for shard in manifest.shards]
    assert sum(pq.read_metadata(path).num_row_groups for path in paths) > 24


def test_a_column_of_nulls_stays_a_column(make_settings: Make, tmp_path: Path) -> None:
    rows = [f"2020,{m},1,,{d},1," for m in (1, 2) for d in (0, 30)]
    manifest = ingest(make_settings("\n".join([HEADER, *rows]) + "\n"), tmp_path / "examples")

    assert manifest.columns["plane"] == "float64"
    plane = read_split(tmp_path / "examples", "train", ["plane"])["plane"]
    assert plane.null_count == len(plane) == 2


def test_targets_that_are_no_numbers_are_missing(make_settings: Make, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    delay = [0.0, 30.0, float("nan"), 0.0, 30.0, None, float("inf")]
    table = {"year": [2020] * 7, "month": [1, 1, 1, 2, 2, 2, 2], "delay": delay, "gone": [1] * 7}
    pq.write_table(pa.table(table), path)
    manifest = ingest(make_settings(table={"location": str(path)}), tmp_path / "examples")

    assert [(d.reason, d.rows) for d in manifest.dropped] == [("no delay", 2)]
    assert read_split(tmp_path / "examples", "eval", ["late"])["late"].to_pylist() == [0, 1, 1]


def rows_of(*planes: object, header: str = HEADER) -> str:
    """Return a table of two months that is good but for what its column plane holds."""
    rows = [f"2020,{1 + n % 2},{1 + n},{p},{n // 2 % 2 * 30},1," for n, p in enumerate(planes)]
    return "\n".join([header, *rows]) + "\n"


BAD = {
    "a wrong encoding": (rows_of("P", "Zürich").encode("latin-1"), "column plane in line 3 cannot"),
    "a wrong header": (rows_of("P", header="jähr").encode("latin-1"), "the header cannot be read"),
    "a long row": (rows_of("P", "P,P"), "line 3 has 8 columns instead of 7"),
    "a short row": (f"{rows_of('P')}2020,2\n", "line 3 has 2 columns instead of 7"),
    "two columns of one name": (
        rows_of("P", header=HEADER.replace("plane", "gone")), "has more than one column gone"),
    "an integer beyond int64": (
        rows_of(1, 2**63), "column plane of .* holds an integer beyond int64, first in line 3"),
    "an integer that is rounded": (
        rows_of(0.5, 2**53 + 1), r"column plane of .* beyond 2\*\*53 .* first in line 3"),
    "a target of two types": (
        rows_of("P", "P").replace(",0,1,", ",late,1,"), "target column delay is string"),
    "a span of two types": (
        rows_of("P", "P").replace("2020,2", "2020,feb"), "column month is string"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_table_is_named_and_nothing_is_written(
    make_settings: Make, tmp_path: Path, case: str
) -> None:
    text, message = BAD[case]
    with pytest.raises(DataError, match=message):
        ingest(make_settings(text), tmp_path / "examples")
    with pytest.raises(DataError, match="is missing"):
        ExamplesManifest.read(tmp_path / "examples")


def test_numbers_and_text_in_one_column_are_text_in_every_example(
    make_settings: Make, tmp_path: Path
) -> None:
    manifest = ingest(make_settings(rows_of(7, "P", 0.5, "007")), tmp_path / "examples")
    assert manifest.columns["plane"] == "string"
    planes = [read_split(tmp_path / "examples", split, ["plane"])["plane"] for split in SPLITS]
    assert [column.to_pylist() for column in planes] == [["7", "0.5"], ["P", "007"]]


@pytest.mark.parametrize("spans", [{"columns": ["year", "month"]}, {"column": "when"}])
def test_dates_in_any_order_give_the_same_examples_by_span(
    make_settings: Make, tmp_path: Path, spans: dict[str, object]
) -> None:
    rows = [
        f"2020,{month},{day},P{day},{day % 2 * 30},1,2020-0{month}-{day:02d}"
        for month in (1, 2)
        for day in range(1, 21)
    ]
    found = []
    for name, mixed in {"in": rows, "out": rows[1::2] + rows[::2]}.items():
        settings = make_settings("\n".join([HEADER, *mixed]) + "\n", spans=spans)
        manifest = ingest(settings, tmp_path / name)
        assert [shard.span for shard in manifest.shards] == ["2020-01", "2020-02"]
        found.append({s: sorted(days(tmp_path / name, s)) for s in SPLITS})
    assert found[0] == found[1] == {split: list(range(1, 21)) for split in SPLITS}


def days(folder: Path, split: Split) -> list[int]:
    return list(read_split(folder, split, ["day"])["day"].to_pylist())


def test_a_header_alone_is_an_error(make_settings: Make, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows"):
        ingest(make_settings(HEADER + "\n"), tmp_path / "examples")


def test_no_value_of_the_data_is_in_a_message(make_settings: Make, tmp_path: Path) -> None:
    text = f"{HEADER}\n2020,1,1,secret,30,1,\n2020,2,1,secret,secret,1,\n"

    with pytest.raises(DataError) as caught:
        ingest(make_settings(text), tmp_path / "examples")

    assert "delay" in caught.value.message
    assert "secret" not in caught.value.message + caught.value.remedy


def test_a_shard_that_lost_rows_on_the_way_to_the_disk_is_found(
    make_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lossy(pq.ParquetWriter):
        def write_table(self, table: pa.Table, **options: int) -> None:
            super().write_table(table.slice(1), **options)

    monkeypatch.setattr(shards.pq, "ParquetWriter", Lossy)
    (tmp_path / "examples").mkdir()

    with pytest.raises(IntegrityError, match="rows do not add up"):
        ingest_examples(settings=make_settings(), examples=tmp_path / "examples")

    with pytest.raises(DataError, match="is missing"):
        ExamplesManifest.read(tmp_path / "examples")


def test_a_target_beyond_what_a_double_holds_is_compared_and_not_quoted(
    make_settings: Make, tmp_path: Path
) -> None:
    big = 2**53 + 1
    rows = [f"2020,{1 + n % 2},{1 + n},P{n},{big if n % 4 < 2 else -big},1," for n in range(20)]
    ingest(make_settings("\n".join([HEADER, *rows]) + "\n"), tmp_path / "examples")
    manifest = ExamplesManifest.read(tmp_path / "examples")
    labels = read_split(tmp_path / "examples", "train", [manifest.label])[manifest.label]
    assert labels.to_pylist() == [1, 0] * 5


def test_a_target_next_to_its_bound_is_not_rounded_to_it() -> None:
    rows = pa.table({"delay": [2**53 - 1, 2**53, 2**53 + 1, -(2**63), 2**63 - 1]})
    for above, expected in (
        (2.0**53, [0, 0, 1, 0, 1]),
        (2.5, [1, 1, 1, 0, 1]),
        (-(2.0**63), [1, 1, 1, 0, 1]),
        (-(2.0**64), [1] * 5),
        (2.0**63, [0] * 5),
    ):
        found = label(rows, Target(name="late", column="delay", above=above))
        assert found.to_pylist() == expected


DATED = f"{HEADER}\n2020,1,1,P,30,1,2020-01-01\n2020,2,1,P,0,1,2020-02-30\n"
NO_DATE = "when of .* holds 1 value that is no date, first in line 3"


@pytest.mark.parametrize("part", [{"spans": {"column": "when"}}, {"dates": ["when"]}])
def test_a_bad_date_is_named_by_its_line(
    make_settings: Make, tmp_path: Path, part: dict[str, object]
) -> None:
    with pytest.raises(DataError, match=f"column {NO_DATE}"):
        ingest(make_settings(DATED, **part), tmp_path / "examples")


def test_a_bad_date_of_a_further_table_is_named_by_its_line(
    make_settings: Make, tmp_path: Path
) -> None:
    (tmp_path / "built.csv").write_text("plane,when\nP1,2020-01-01\nP2,unknown\n")
    join = {"location": str(tmp_path / "built.csv"), "on": ["plane"], "columns": ["when"]}
    joins = {"built": {**join, "prefix": "built_"}}
    with pytest.raises(DataError, match=f"column {NO_DATE}"):
        ingest(make_settings(joins=joins, dates=["built_when"]), tmp_path / "examples")


def test_text_that_is_no_date_is_no_fault_where_no_date_is_asked_for(
    make_settings: Make, tmp_path: Path
) -> None:
    text = DATED + "2020,1,2,P,0,1,x\n2020,2,2,P,30,1,x\n"
    assert ingest(make_settings(text), tmp_path / "examples").columns["when"] == "string"
