"""What holds of every table: no row lost uncounted, order kept, equal input equal bytes."""

from __future__ import annotations

import csv
import io
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from small_source import Make, ingest
from tried_examples import tries

from components.core import batches
from components.core.artifacts import tree_digest
from components.core.examples import read_shards, read_split
from components.ingest_examples.shards import ShardWriter
from components.reading import file_tables
from components.reading.tables import open_table

COLUMNS = ("id", "year", "month", "delay", "gone", "tag")
WINDOW = ("2020-01", "2020-02")
Row = tuple[Any, ...]

years = st.sampled_from([2019, 2020, 2020, 2020, None])
months = st.sampled_from([0, 1, 2, 3, 13, None])
delays = st.one_of(st.none(), st.integers(-30, 60))
tags = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]))
bodies = st.lists(st.tuples(years, months, delays, st.sampled_from(["", "1"]), tags), max_size=40)
splits = st.sampled_from(
    [
        {"by": "span"},
        {"by": "hash", "column": "id", "eval_share": 0.5},
        {"by": "column", "column": "tag", "eval_values": ["sure"]},
    ]
)
# Every month and every split has both classes, whatever else there is.
SURE = [(2020, m, d, "1", tag) for m in (1, 2) for d in (0, 30) for tag in ("sure", "x") * 8]
generated = tries(40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rows_of(bodies: list[Row]) -> list[Row]:
    return [(f"k{number}", *body) for number, body in enumerate([*bodies, *SURE])]


def text_of(rows: list[Row]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return stream.getvalue()


def fate(row: Row) -> str:
    """Return why a row is dropped, by the first reason, or its span, said once more."""
    _, year, month, delay, gone, _ = row
    if year is None or month is None or not 1 <= month <= 12:
        return "no date in year, month"
    if year != 2020 or month > 2:
        return "outside the window"
    if not gone:
        return "cancelled"
    return "no delay" if delay is None else f"2020-{month:02d}"


@generated
@given(bodies=bodies, splits=splits)
def test_every_row_is_in_one_shard_or_counted_under_the_first_reason(
    make_settings: Make,
    tmp_path_factory: pytest.TempPathFactory,
    bodies: list[Row],
    splits: dict[str, Any],
) -> None:
    rows = rows_of(bodies)
    folder = tmp_path_factory.mktemp("property") / "examples"
    manifest = ingest(make_settings(text_of(rows), splits=splits), folder)

    fates = Counter(fate(row) for row in rows)
    assert manifest.source.rows == len(rows)
    assert {d.reason: d.rows for d in manifest.dropped} == {
        reason: count for reason, count in fates.items() if not reason.startswith("2020")
    }
    assert manifest.rows + sum(d.rows for d in manifest.dropped) == len(rows)
    for span in ("2020-01", "2020-02"):
        found: list[str] = []
        for shard in (s for s in manifest.shards if s.span == span):
            table = read_shards(folder, manifest, [shard], ["id", "late"])
            kept = set(table["id"].to_pylist())
            expected = [(r[0], int(r[3] > 15)) for r in rows if fate(r) == span and r[0] in kept]
            assert list(zip(*table.to_pydict().values(), strict=True)) == expected
            assert table.num_rows == shard.rows
            found += table["id"].to_pylist()
        assert sorted(found) == sorted(r[0] for r in rows if fate(r) == span)


@generated
@given(bodies=bodies, order=st.randoms(use_true_random=False), more=bodies)
def test_the_hash_split_of_a_row_is_its_own(
    make_settings: Make,
    tmp_path_factory: pytest.TempPathFactory,
    bodies: list[Row],
    order: Any,
    more: list[Row],
) -> None:
    by = {"by": "hash", "column": "id", "eval_share": 0.5}
    rows = rows_of(bodies)
    changed = [*rows, *((f"more{n}", *body) for n, body in enumerate(more))]
    order.shuffle(changed)
    splits = []
    for table in (rows, changed):
        folder = tmp_path_factory.mktemp("property") / "examples"
        ingest(make_settings(text_of(table), splits=by), folder)
        splits.append(
            {
                key: split
                for split in ("train", "eval")
                for key in read_split(folder, split, ["id"])["id"].to_pylist()
            }
        )

    assert {key: split for key, split in splits[1].items() if key in splits[0]} == splits[0]


@generated
@given(bodies=bodies, splits=splits, size=st.integers(1, 50))
def test_equal_input_is_equal_bytes_however_the_reader_cuts_it(
    make_settings: Make,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    bodies: list[Row],
    splits: dict[str, Any],
    size: int,
) -> None:
    given_settings = make_settings(text_of(rows_of(bodies)), splits=splits)
    monkeypatch.setattr(ShardWriter.__init__, "__defaults__", (1_000,))  # less than the rows hold
    digests = set()
    for rows in (batches.BATCH_ROWS, batches.BATCH_ROWS, size):
        monkeypatch.setattr(file_tables, "evenly", partial(batches.evenly, rows=rows))
        folder = tmp_path_factory.mktemp("property") / "examples"
        ingest(given_settings, folder)
        digests.add(tree_digest(folder))

    assert len(digests) == 1


@generated
@given(bodies=bodies)
def test_columns_of_the_examples_hold_the_values_of_the_source(
    make_settings: Make, tmp_path_factory: pytest.TempPathFactory, bodies: list[Row]
) -> None:
    rows = rows_of(bodies)
    given_settings = make_settings(text_of(rows))
    folder = tmp_path_factory.mktemp("property") / "examples"
    ingest(given_settings, folder)

    opened = open_table(given_settings.source.table)
    source = [row for part in opened.batches(["id", "tag"]) for row in part.rows.to_pylist()]
    tag = {row["id"]: row["tag"] for row in source}
    for split in ("train", "eval"):
        for row in read_split(folder, split, ["id", "tag"]).to_pylist():
            assert row["tag"] == tag[row["id"]]


def test_the_reasons_are_those_of_the_settings(make_settings: Make, tmp_path: Path) -> None:
    row = ("x", 2020, 1, None, "", "t")  # both cancelled and without a delay
    manifest = ingest(make_settings(text_of([*rows_of([]), row])), tmp_path / "examples")

    assert [(d.reason, d.rows) for d in manifest.dropped] == [("cancelled", 1)]
