"""The pass over the rows: labels, row numbers within shards, and no split in memory whole."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from small_examples import small_rows, write_examples

from components.core.errors import DataError
from components.core.examples import ExamplesManifest
from components.validate_examples.findings import RowNumber
from components.validate_examples.rows import Question, scan


def test_labels_are_counted_by_split_and_by_span_over_both_splits(tmp_path: Path) -> None:
    shards = {
        ("train", "2013-01"): small_rows(100),
        ("train", "2013-02"): small_rows(200, 100, late=[1] * 50 + [0] * 150),
        ("eval", "2013-02"): small_rows(40, 300),
    }
    manifest = ExamplesManifest.read(write_examples(tmp_path, shards))

    found = scan(tmp_path, manifest)

    assert {n: (v.rows, v.by_class[1]) for n, v in found.splits.items()} == {
        "train": (300, 75),
        "eval": (40, 10),
    }
    assert {n: (v.rows, v.by_class[1]) for n, v in found.spans.items()} == {
        "2013-01": (100, 25),
        "2013-02": (240, 60),
    }
    assert found.repeats.rows == 340 and found.repeats.count == 0


def test_rows_are_numbered_within_their_shard_across_row_groups(tmp_path: Path) -> None:
    shards = {
        ("train", "2013-01"): small_rows(150),
        ("train", "2013-02"): small_rows(150, 150),
        ("eval", "2013-02"): small_rows(150, 300),
    }
    manifest = ExamplesManifest.read(write_examples(tmp_path, shards, group_rows=64))
    above = Question("train", "number", lambda column: pc.greater(column, 147))
    in_eval = Question("eval", "number", lambda column: pc.equal(column, 301))

    first, second = scan(tmp_path, manifest, [above, in_eval]).answers

    assert first.count == 152
    assert first.first == [
        RowNumber("train", "2013-01", 148),
        RowNumber("train", "2013-01", 149),
        *(RowNumber("train", "2013-02", row) for row in range(3)),
    ]
    assert (second.count, second.first) == (1, [RowNumber("eval", "2013-02", 1)])


def test_a_missing_value_breaks_no_rule_but_presence(tmp_path: Path) -> None:
    rows = small_rows(3, amount=[None, 5.0, 50.0])
    manifest = ExamplesManifest.read(
        write_examples(tmp_path, {("train", "all"): rows, ("eval", "all"): small_rows(3, 3)})
    )
    questions = [
        Question("train", "amount", lambda column: pc.greater(column, 10)),
        Question("train", "amount", pc.is_null),
    ]
    ranged, absent = scan(tmp_path, manifest, questions).answers
    assert [row.row for row in ranged.first] == [2]
    assert [row.row for row in absent.first] == [0]


def test_a_row_of_training_that_comes_again_in_evaluation_is_a_repeat(tmp_path: Path) -> None:
    first = small_rows(100)
    second = pa.concat_tables([small_rows(10, 100), first.slice(90, 3)])
    shards = {("train", "2013-01"): first, ("eval", "2013-02"): second}
    manifest = ExamplesManifest.read(write_examples(tmp_path, shards))

    found = scan(tmp_path, manifest)

    assert found.repeats.count == 3
    assert found.repeated == tuple(RowNumber("eval", "2013-02", row) for row in (10, 11, 12))


def test_a_shard_with_other_rows_than_its_manifest_says_is_refused(tmp_path: Path) -> None:
    shards = {("train", "2013-01"): small_rows(10), ("eval", "2013-02"): small_rows(10, 10)}
    manifest = ExamplesManifest.read(write_examples(tmp_path, shards))
    wrong = [shard.model_copy(update={"rows": 11}) for shard in manifest.shards]

    with pytest.raises(DataError, match="does not have the rows"):
        scan(tmp_path, manifest.model_copy(update={"shards": tuple(wrong)}))


def test_no_more_than_a_row_group_is_held_at_a_time(tmp_path: Path) -> None:
    rows = small_rows(60_000)
    shards = {("train", "2013-01"): rows, ("eval", "2013-02"): small_rows(1000, 60_000)}
    manifest = ExamplesManifest.read(write_examples(tmp_path, shards, group_rows=1000))
    sizes: list[int] = []

    def measure(column: pa.ChunkedArray) -> pa.ChunkedArray:
        sizes.append(len(column))
        return pc.is_null(column)

    scan(tmp_path, manifest, [Question("train", "number", measure)])

    assert (len(sizes), max(sizes)) == (60, 1000)
