"""Examples as TFRecords: what is read back, and what a row without a value has."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from written_tables import read

from components.core.errors import DataError
from components.core.examples import ExamplesManifest, Shard
from components.ingest_examples.tfrecord_export import export_examples

pytestmark = pytest.mark.slow
SPANS = {"2013-01": "train", "2013-02": "train", "2013-03": "eval"}
ROWS = pa.table(
    {
        "delay": pa.array([1.5, None, float("inf")], pa.float64()),
        "late": pa.array([0, 1, 1], pa.int64()),
        "origin": pa.array([None, "Ü", ""], pa.string()),
        "seats": pa.array([None, None, 2**40], pa.int64()),
    }
)


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """Three spans of three rows, the first row of each told apart by its delay."""
    folder, shards = tmp_path / "examples", []
    for number, (span, split) in enumerate(SPANS.items()):
        path = folder / f"Split-{split}" / f"{span}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        delay = pa.array([float(number), None, float("inf")], pa.float64())
        pq.write_table(ROWS.set_column(0, "delay", delay), path)
        place = str(path.relative_to(folder))
        shards.append(Shard(path=place, split=split, span=span, rows=3, bytes=1, sha256="0" * 64))
    ExamplesManifest(
        columns={"delay": "float64", "late": "int64", "origin": "string", "seats": "int64"},
        label="late",
        splits={"train": ("2013-01", "2013-02"), "eval": ("2013-03",)},
        shards=tuple(shards),
        source={"files": (), "rows": 9},
        dropped=(),
        rows=9,
        card_sha256="0" * 64,
    ).write(folder)
    return folder


def exported(examples: Path, tmp_path: Path, **options: bool) -> Path:
    target = tmp_path / "exported"
    target.mkdir()
    export_examples(examples, target, **options)
    return target


def test_every_shard_is_a_file_and_its_rows_come_back(examples: Path, tmp_path: Path) -> None:
    target = exported(examples, tmp_path)
    assert sorted(str(file.relative_to(target)) for file in target.rglob("*.gz")) == [
        "Split-eval/data_tfrecord-00000-of-00001.gz",
        "Split-train/data_tfrecord-00000-of-00002.gz",
        "Split-train/data_tfrecord-00001-of-00002.gz",
    ]
    found = read(target / "Split-train" / "*.gz", format="tfrecord")
    assert found["delay"].to_pylist() == [0.0, None, float("inf"), 1.0, None, float("inf")]
    assert found["late"].to_pylist() == [0, 1, 1] * 2
    assert found["origin"].to_pylist() == [None, "Ü", ""] * 2
    assert found["seats"].to_pylist() == [None, None, 2**40] * 2


def test_what_a_row_lacks_is_a_feature_of_no_kind_which_parsers_take_as_missing(
    examples: Path, tmp_path: Path
) -> None:
    import tensorflow as tf

    files = exported(examples, tmp_path) / "Split-eval" / "*.gz"
    rows = tf.data.TFRecordDataset(tf.io.gfile.glob(str(files)), compression_type="GZIP")
    kinds = [
        {
            name: feature.WhichOneof("kind")
            for name, feature in tf.train.Example.FromString(row.numpy()).features.feature.items()
        }
        for row in rows
    ]
    assert kinds[0] == {"delay": "float_list", "late": "int64_list", "origin": None, "seats": None}
    assert kinds[1]["delay"] is None
    spec = {"seats": tf.io.FixedLenFeature([], tf.int64, default_value=-1)}
    parsed = [int(tf.io.parse_single_example(row, spec)["seats"]) for row in rows]
    assert parsed == [-1, -1, 2**40]


def test_as_floats_every_number_is_one_and_texts_stay(examples: Path, tmp_path: Path) -> None:
    found = read(
        exported(examples, tmp_path, as_floats=True) / "Split-eval/*.gz", format="tfrecord"
    )
    kinds = {field.name: str(field.type) for field in found.schema}
    assert kinds == {"delay": "double", "late": "double", "origin": "string", "seats": "double"}
    assert found["seats"].to_pylist() == [None, None, 2.0**40]


@pytest.mark.parametrize(
    ("column", "values", "as_floats"),
    [
        ("delay", pa.array([1e40, None, 0.5], pa.float64()), False),
        ("delay", pa.array([0.5, float("nan"), -1e39], pa.float64()), True),
        ("seats", pa.array([None, 2**24 + 1, 0], pa.int64()), True),
        ("seats", pa.array([0, 2**53 + 1, None], pa.int64()), True),
        ("seats", pa.array([0, None, 2**63 - 1], pa.int64()), True),
    ],
)
def test_a_number_that_float32_cannot_hold_is_an_error_that_names_its_column(
    examples: Path, tmp_path: Path, column: str, values: pa.Array, as_floats: bool
) -> None:
    place = ROWS.column_names.index(column)
    changed = ROWS.set_column(place, column, values)
    pq.write_table(changed, examples / "Split-eval" / "2013-03.parquet")
    with pytest.raises(DataError, match=f"column {column} holds a .*float32"):
        exported(examples, tmp_path, as_floats=as_floats)


def test_a_number_that_float32_only_rounds_is_written(examples: Path, tmp_path: Path) -> None:
    values = pa.array([0.1, 1e-50, float("-inf")], pa.float64())
    changed = ROWS.set_column(0, "delay", values)
    pq.write_table(changed, examples / "Split-eval" / "2013-03.parquet")
    found = read(exported(examples, tmp_path) / "Split-eval/*.gz", format="tfrecord")
    assert found["delay"].to_pylist() == [0.10000000149011612, 0.0, float("-inf")]
