"""Examples: the manifest's form, and what reading shards gives and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.core.errors import DataError
from components.core.examples import (
    Dropped,
    ExamplesManifest,
    Shard,
    SourceFile,
    SourceRows,
    iter_shard,
    read_shards,
    read_split,
)

COLUMNS: dict[str, Any] = {"carrier": "string", "hour": "int64", "late": "int64", "temp": "float64"}
DIGEST = "0" * 64


def rows(start: int) -> pa.Table:
    return pa.table(
        {
            "carrier": pa.array(["AA", None, "B6"]),
            "hour": pa.array([start, start + 1, None]),
            "late": pa.array([0, 1, 0]),
            "temp": pa.array([1.5, None, -3.0]),
        }
    )


def write_examples(folder: Path) -> ExamplesManifest:
    shards = []
    for start, (split, span) in enumerate(
        [("train", "2013-02"), ("train", "2013-01"), ("eval", "2013-03")]
    ):
        path = folder / f"Split-{split}" / f"{span}.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(rows(10 * start), path)
        where = path.relative_to(folder).as_posix()
        shards.append(Shard(path=where, split=split, span=span, rows=3, bytes=1, sha256=DIGEST))
    manifest = ExamplesManifest(
        columns=COLUMNS,
        label="late",
        splits={"train": ("2013-01", "2013-02"), "eval": ("2013-03",)},
        shards=tuple(shards),
        source=SourceRows(files=(SourceFile(location="a", sha256=DIGEST, bytes=1),), rows=10),
        dropped=(Dropped(reason="cancelled", rows=1),),
        rows=9,
        card_sha256=DIGEST,
    )
    manifest.write(folder)
    return manifest


@pytest.mark.parametrize("card", [None, "", "unknown"])
def test_examples_without_the_digest_of_a_data_card_are_refused(
    tmp_path: Path, card: str | None
) -> None:
    write_examples(tmp_path)
    path = tmp_path / "manifest.json"
    values = json.loads(path.read_text())
    values["card_sha256"] = card
    path.write_text(json.dumps(values))
    with pytest.raises(DataError, match="card_sha256"):
        ExamplesManifest.read(tmp_path)


def test_a_manifest_reads_what_it_wrote(tmp_path: Path) -> None:
    written = write_examples(tmp_path)

    assert ExamplesManifest.read(tmp_path) == written
    assert written.rows_of("train") == 6
    assert written.input_types() == {"carrier": "string", "hour": "float32", "temp": "float32"}


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"surprise": 1}, {"columns": {"a": "decimal"}}, {"rows": "many"}]
)
def test_a_manifest_of_another_form_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    write_examples(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    with pytest.raises(DataError, match=next(iter(change))):
        ExamplesManifest.read(tmp_path)


def test_a_split_is_read_in_the_order_of_its_spans(tmp_path: Path) -> None:
    write_examples(tmp_path)

    table = read_split(tmp_path, "train", ["hour", "carrier"])

    assert table.column_names == ["hour", "carrier"]
    assert table["hour"].to_pylist() == [10, 11, None, 0, 1, None]


def test_some_spans_of_a_split_can_be_read_alone(tmp_path: Path) -> None:
    manifest = write_examples(tmp_path)

    table = read_shards(tmp_path, manifest, manifest.shards_of("train", ["2013-02"]))

    assert table.column_names == list(COLUMNS)
    assert table["hour"].to_pylist() == [0, 1, None]


def test_a_shard_is_read_by_row_group(tmp_path: Path) -> None:
    manifest = write_examples(tmp_path)
    (shard,) = manifest.shards_of("eval")
    pq.write_table(rows(20), tmp_path / shard.path, row_group_size=2)

    groups = list(iter_shard(tmp_path, manifest, shard, ["hour", "carrier"]))

    assert [group.num_rows for group in groups] == [2, 1]
    whole = read_shards(tmp_path, manifest, [shard], ["hour", "carrier"])
    assert pa.concat_tables(groups).equals(whole)


def test_a_shard_read_by_row_group_has_the_types_of_the_manifest(tmp_path: Path) -> None:
    manifest = write_examples(tmp_path)
    (shard,) = manifest.shards_of("eval")
    pq.write_table(rows(0).set_column(1, "hour", pa.array([1.0, 2.0, 3.0])), tmp_path / shard.path)

    with pytest.raises(DataError, match="does not have the columns"):
        list(iter_shard(tmp_path, manifest, shard))
    with pytest.raises(DataError, match="column delay is missing"):
        list(iter_shard(tmp_path, manifest, shard, ["delay"]))


def test_a_missing_column_is_named_with_the_columns_there_are(tmp_path: Path) -> None:
    write_examples(tmp_path)

    with pytest.raises(DataError, match="column delay is missing") as caught:
        read_split(tmp_path, "eval", ["delay"])

    assert "carrier, hour, late, temp" in caught.value.remedy


def test_a_shard_of_other_types_is_refused(tmp_path: Path) -> None:
    write_examples(tmp_path)
    shard = tmp_path / "Split-eval" / "2013-03.parquet"
    pq.write_table(rows(0).set_column(1, "hour", pa.array([1.0, 2.0, 3.0])), shard)

    with pytest.raises(DataError, match=r"2013-03\.parquet"):
        read_split(tmp_path, "eval")


def test_a_damaged_shard_is_refused(tmp_path: Path) -> None:
    write_examples(tmp_path)
    (tmp_path / "Split-eval" / "2013-03.parquet").write_bytes(b"PAR1 or not")

    with pytest.raises(DataError, match="cannot be read"):
        read_split(tmp_path, "eval")
