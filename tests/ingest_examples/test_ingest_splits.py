"""Splits other than by the last span, spans other than months, and their errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_source import Make, ingest

from components.core.errors import DataError, SettingsError
from components.core.examples import ExamplesManifest, read_split
from components.ingest_examples.step import ingest_examples

ALL = ("all", "all")
NO_SPANS = {"spans": {"unit": "none"}}
HASH = {"splits": {"by": "hash", "column": "id", "eval_share": 0.3}}


def numbered(count: int, start: int = 0) -> list[str]:
    """Rows of every class, spread over two months, each with a key of its own."""
    return [f"{n},2020,{n // 2 % 2 + 1},{n % 2 * 30},1" for n in range(start, start + count)]


def csv(rows: list[str]) -> str:
    return "\n".join(["id,year,month,delay,gone", *rows]) + "\n"


def test_by_a_hash_every_span_is_in_both_splits(make_settings: Make, tmp_path: Path) -> None:
    manifest = ingest(make_settings(csv(numbered(200)), **HASH), tmp_path / "examples")

    assert manifest.splits == {split: ("2020-01", "2020-02") for split in ("train", "eval")}
    assert [(s.span, s.split) for s in manifest.shards] == [
        ("2020-01", "train"),
        ("2020-01", "eval"),
        ("2020-02", "train"),
        ("2020-02", "eval"),
    ]
    assert manifest.rows_of("train") + manifest.rows_of("eval") == 200
    assert 30 < manifest.rows_of("eval") < 90


def test_a_row_stays_in_its_split_when_others_are_added_removed_and_reordered(
    make_settings: Make, tmp_path: Path
) -> None:
    rows = numbered(200)
    others = [*reversed(rows[50:]), *numbered(100, start=1000)]
    evaluated = []
    for folder, text in (("one", csv(rows)), ("other", csv(others))):
        ingest(make_settings(text, **HASH), tmp_path / folder)
        evaluated.append(set(read_split(tmp_path / folder, "eval", ["id"])["id"].to_pylist()))

    one, other = evaluated
    assert {n for n in one if n >= 50} == {n for n in other if n < 1000}
    assert one


def test_a_row_stays_in_its_split_when_one_more_makes_the_keys_text(
    make_settings: Make, tmp_path: Path
) -> None:
    rows = [f" {row}" for row in numbered(200)]
    evaluated = []
    for folder, text in (("numbers", csv(rows)), ("texts", csv([*rows, "A1,2020,1,0,1"]))):
        ingest(make_settings(text, **HASH), tmp_path / folder)
        keys = read_split(tmp_path / folder, "eval", ["id"])["id"].to_pylist()
        evaluated.append({int(key) for key in keys if key != "A1"})

    assert evaluated[0] == evaluated[1]
    assert evaluated[0]


def test_rows_with_one_key_stay_together(make_settings: Make, tmp_path: Path) -> None:
    text = csv([row for row in numbered(100) for _ in range(3)])
    ingest(make_settings(text, **HASH), tmp_path / "examples")

    keys = [
        set(read_split(tmp_path / "examples", split, ["id"])["id"].to_pylist())
        for split in ("train", "eval")
    ]
    assert not keys[0] & keys[1]
    assert len(keys[0] | keys[1]) == 100


def test_a_key_may_be_left_out_of_the_examples(make_settings: Make, tmp_path: Path) -> None:
    settings = make_settings(csv(numbered(50)), leave_out=["id"], **HASH)
    manifest = ingest(settings, tmp_path / "examples")

    assert list(manifest.columns) == ["late", "month", "year"]


def test_rows_without_a_key_are_an_error_with_their_number(
    make_settings: Make, tmp_path: Path
) -> None:
    dropped = ",2020,1,,1"  # has no key either, but no target first
    text = csv([*numbered(50), ",2020,1,0,1", dropped, ",2020,2,30,1"])

    with pytest.raises(DataError, match="2 rows have no id"):
        ingest(make_settings(text, **HASH), tmp_path / "examples")


def test_by_a_column_its_values_are_evaluated_on(make_settings: Make, tmp_path: Path) -> None:
    splits = {"by": "column", "column": "gone", "eval_values": ["1", "2"]}
    rows = [f"{n},2020,{n % 2 + 1},{n // 2 % 2 * 30},{n // 4 % 4}" for n in range(32)]
    source = {"splits": splits, "leakage": [], "drop_where_null": []}
    manifest = ingest(make_settings(csv(rows), **source), tmp_path / "examples")

    assert set(read_split(tmp_path / "examples", "eval", ["gone"])["gone"].to_pylist()) == {1, 2}
    assert manifest.rows_of("eval") == manifest.rows_of("train") == 16


@pytest.mark.parametrize(
    ("splits", "split"),
    [
        ({"by": "column", "column": "gone", "eval_values": ["7"]}, "eval"),
        ({"by": "column", "column": "gone", "eval_values": ["1"]}, "train"),
        ({"by": "hash", "column": "id", "eval_share": 0}, "eval"),
        ({"by": "hash", "column": "id", "eval_share": 1}, "train"),
    ],
)
def test_a_split_without_rows_is_refused(
    make_settings: Make, tmp_path: Path, splits: dict[str, Any], split: str
) -> None:
    with pytest.raises(DataError, match=f"split {split} has no rows"):
        ingest(make_settings(csv(numbered(20)), splits=splits), tmp_path / "examples")


@pytest.mark.parametrize("evaluated", [["evl"], ["eval", "test"]])
def test_a_split_that_no_file_has_is_named_beside_those_there_are(
    make_settings: Make, tmp_path: Path, evaluated: list[str]
) -> None:
    folders = {split: tmp_path / f"Split-{split}" for split in ("train", "eval")}
    for split, start in (("train", 0), ("eval", 50)):
        folders[split].mkdir()
        (folders[split] / "rows.csv").write_text(csv(numbered(20, start)))
    table = {"location": f"{tmp_path}/Split-{{split}}/rows.csv"}
    by_split = {"by": "column", "column": "split"}
    source = {"table": table, "leakage": [], "leave_out": ["split"]}
    there = make_settings(**source, splits=by_split | {"eval_values": ["eval"]})
    assert ingest(there, tmp_path / "examples").rows_of("eval") == 20

    settings = make_settings(**source, splits=by_split | {"eval_values": evaluated})
    words = rf"no file .*/Split-{evaluated[-1]}/rows\.csv; there are: eval, train$"
    with pytest.raises(DataError, match=words):
        ingest(settings, tmp_path / "refused")


def test_a_split_with_one_class_is_refused(make_settings: Make, tmp_path: Path) -> None:
    rows = [f"{n},2020,{n % 2 + 1},{30 if n < 9 else 0},{1 + (n < 3)}" for n in range(18)]
    splits = {"by": "column", "column": "gone", "eval_values": ["2"]}

    with pytest.raises(DataError, match="one class only in split eval: 3 of 3"):
        ingest(make_settings(csv(rows), splits=splits), tmp_path / "examples")


def test_a_span_without_rows_is_named_whatever_the_split(
    make_settings: Make, tmp_path: Path
) -> None:
    settings = make_settings(csv(numbered(50)), window=("2020-01", "2020-03"), **HASH)

    with pytest.raises(DataError, match="no usable rows for 2020-03"):
        ingest(settings, tmp_path / "examples")


def test_a_span_that_a_split_lacks_has_no_shard_there(make_settings: Make, tmp_path: Path) -> None:
    splits = {"by": "column", "column": "gone", "eval_values": ["2"]}
    rows = [*numbered(8), "9,2020,2,30,2", "10,2020,2,0,2"]
    manifest = ingest(make_settings(csv(rows), splits=splits), tmp_path / "examples")

    assert manifest.splits == {"train": ("2020-01", "2020-02"), "eval": ("2020-02",)}
    assert not (tmp_path / "examples" / "Split-eval" / "2020-01.parquet").exists()


def test_without_time_all_rows_are_one_span(make_settings: Make, tmp_path: Path) -> None:
    manifest = ingest(
        make_settings(csv(numbered(100)), window=ALL, **NO_SPANS, **HASH), tmp_path / "examples"
    )

    assert {shard.span for shard in manifest.shards} == {"all"}
    assert manifest.rows == 100


TIMES = """\
when,delay,gone,tag
2020-02-29T23:59:59,30,1,a
2020-01-31T00:00:00,0,1,b
2020-02-01T00:00:00,0,1,c
,30,1,d
2020-01-01T12:00:00,30,1,e
2020-03-01T00:00:00,30,1,f
"""


def test_a_date_column_gives_spans_in_any_order_of_rows(
    make_settings: Make, tmp_path: Path
) -> None:
    manifest = ingest(make_settings(TIMES, spans={"column": "when"}), tmp_path / "examples")

    assert read_split(tmp_path / "examples", "train", ["tag"])["tag"].to_pylist() == ["b", "e"]
    assert read_split(tmp_path / "examples", "eval", ["tag"])["tag"].to_pylist() == ["a", "c"]
    assert {drop.reason: drop.rows for drop in manifest.dropped} == {
        "no date in when": 1,
        "outside the window": 1,
    }


def test_a_day_may_be_a_span(make_settings: Make, tmp_path: Path) -> None:
    text = "when,delay,gone\n" + "\n".join(
        f"2020-02-{day}T0{hour}:00:00,{hour * 10},1" for hour in (1, 2) for day in (28, 29)
    )
    settings = make_settings(
        text,
        spans={"unit": "day", "column": "when"},
        window=("2020-02-28", "2020-02-29"),
        weekday="weekday",
    )
    manifest = ingest(settings, tmp_path / "examples")

    assert manifest.splits == {"train": ("2020-02-28",), "eval": ("2020-02-29",)}
    # 2020-02-29 was a Saturday.
    assert read_split(tmp_path / "examples", "eval")["weekday"].to_pylist() == [6, 6]


@pytest.mark.parametrize("row", [",2,20,1", "2020,,20,1", "2020,13,20,1", "2020,0,20,1"])
def test_a_row_without_a_month_is_dropped_and_counted(
    make_settings: Make, tmp_path: Path, row: str
) -> None:
    sure = ["2020,1,0,1", "2020,1,30,1", "2020,2,0,1", "2020,2,30,1"]
    text = "\n".join(["year,month,delay,gone", *sure, row]) + "\n"
    manifest = ingest(make_settings(text), tmp_path / "examples")

    assert [(d.reason, d.rows) for d in manifest.dropped] == [("no date in year, month", 1)]
    assert manifest.rows == 4


def located(folder: Path, name: str = "{span}.csv") -> dict[str, Any]:
    return {"table": {"location": str(folder / name)}, "spans": {"from_location": True}}


def test_the_span_may_be_in_the_location_of_the_file(make_settings: Make, tmp_path: Path) -> None:
    for span, rows in (("2020-01", "0,1\n30,1\n"), ("2020-02", "30,1\n0,\n0,1\n")):
        (tmp_path / f"{span}.csv").write_text("delay,gone\n" + rows)
    (tmp_path / "2020-03.csv").write_text("other\n1\n")
    settings = make_settings(**located(tmp_path))
    manifest = ingest(settings, tmp_path / "examples")

    assert [(s.span, s.split, s.rows) for s in manifest.shards] == [
        ("2020-01", "train", 2),
        ("2020-02", "eval", 2),
    ]
    assert manifest.source.rows == 5
    assert len(manifest.source.files) == 2


def test_weekday_needs_more_than_the_month_of_a_location(
    make_settings: Make, tmp_path: Path
) -> None:
    for span in ("2020-01", "2020-02"):
        (tmp_path / f"{span}.csv").write_text("delay,gone\n0,1\n30,1\n")

    with pytest.raises(SettingsError, match="weekday needs the day"):
        ingest(make_settings(weekday="weekday", **located(tmp_path)), tmp_path / "examples")


def test_the_facts_count_rows_by_split(make_settings: Make, tmp_path: Path) -> None:
    folder = tmp_path / "examples"
    folder.mkdir()
    outcome = ingest_examples(settings=make_settings(csv(numbered(200)), **HASH), examples=folder)
    manifest = ExamplesManifest.read(folder)

    assert outcome.facts["rows_by_split"] == {
        split: read_split(folder, split).num_rows for split in ("train", "eval")
    }
    assert sum(outcome.facts["rows_by_split"].values()) == manifest.rows == 200
