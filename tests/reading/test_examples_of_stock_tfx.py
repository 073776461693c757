"""What stock TFX components wrote is read: CsvExampleGen, StatisticsGen and SchemaGen ran it."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from stock_tfx import run_stock
from tensorflow_metadata.proto.v0 import schema_pb2
from written_tables import opened, read

from components.core.data_settings import ONLY_SPAN, Table
from components.core.errors import DataError
from components.core.examples import read_split
from components.ingest_examples.step import IngestSettings, ingest_examples
from components.reading.tables import open_table
from pipelines.schema_text import read_schema

pytestmark = pytest.mark.slow
ROWS = 300
ALL = {"first": ONLY_SPAN, "last": ONLY_SPAN}
CARD = {
    "origin": "made by a test",
    "collection": "none",
    "licence": "CC0-1.0",
    "purpose": "test",
    "personal_data": {"present": False},
}
COLUMNS = ["id", "delay", "distance", "carrier"]


def rows() -> pa.Table:
    return pa.table(
        {
            "id": pa.array(range(ROWS), pa.int64()),
            "delay": pa.array([None if i % 7 == 0 else i / 4 for i in range(ROWS)], pa.float64()),
            "distance": pa.array([i * 1000 for i in range(ROWS)], pa.int64()),
            "carrier": pa.array([None if i % 11 == 0 else "ÜA"[i % 2 :] for i in range(ROWS)]),
        }
    )


def written(folder: Path) -> Path:
    values = [["" if v is None else str(v) for v in row.values()] for row in rows().to_pylist()]
    lines = [",".join(line) for line in [COLUMNS, *values]]
    folder.mkdir()
    (folder / "flights.csv").write_text("\n".join([*lines, ""]))
    return folder


@pytest.fixture(scope="module")
def tfx_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the root of a pipeline that TFX has run."""
    from tfx.v1 import components

    folder = tmp_path_factory.mktemp("tfx")
    examples = components.CsvExampleGen(input_base=str(written(folder / "csv")))
    statistics = components.StatisticsGen(examples=examples.outputs["examples"])
    schema = components.SchemaGen(statistics=statistics.outputs["statistics"])
    return run_stock(folder, [examples, statistics, schema])


@pytest.fixture
def examples(tfx_root: Path) -> Path:
    (folder,) = (tfx_root / "CsvExampleGen" / "examples").iterdir()
    return folder


def test_the_rows_of_all_splits_are_those_of_the_csv(examples: Path) -> None:
    found = read(examples / "Split-*" / "data_tfrecord-*.gz", format="tfrecord")
    assert found.select(COLUMNS).sort_by("id") == rows()


def test_the_rows_of_one_split_are_its_own(examples: Path) -> None:
    sizes = {
        split: read(examples / f"Split-{split}" / "*.gz", format="tfrecord").num_rows
        for split in ("train", "eval")
    }
    assert sum(sizes.values()) == ROWS
    assert sizes["train"] > sizes["eval"] > 0


def test_each_row_bears_the_split_that_tfx_put_it_into(examples: Path) -> None:
    found = read(examples / "Split-{split}" / "data_tfrecord-*.gz", format="tfrecord")
    assert set(found["split"].to_pylist()) == {"train", "eval"}
    for split in ("train", "eval"):
        own = read(examples / f"Split-{split}" / "*.gz", format="tfrecord")
        assert found.filter(pc.equal(found["split"], split)).drop(["split"]) == own.select(
            found.column_names[:-1]
        )


def ingested(examples: Path, folder: Path, evaluated: str = "eval") -> Path:
    """Ingest with TFX's own division; return the folder of the examples."""
    source = {
        "table": {"location": f"{examples}/Split-{{split}}/*.gz", "format": "tfrecord"},
        "spans": {"unit": "none"},
        "splits": {"by": "column", "column": "split", "eval_values": [evaluated]},
        "leave_out": ["split"],
        "target": {"name": "late", "column": "distance", "above": 150_000},
    }
    settings = IngestSettings.model_validate({"card": CARD, "source": source, "window": ALL})
    (folder / "examples").mkdir()
    ingest_examples(settings=settings, examples=folder / "examples")
    return folder / "examples"


def test_tfx_s_own_division_is_that_of_the_ingested_examples(
    examples: Path, tmp_path: Path
) -> None:
    folder = ingested(examples, tmp_path)
    for split in ("train", "eval"):
        stock = read(examples / f"Split-{split}" / "*.gz", format="tfrecord")
        found = read_split(folder, split)
        assert "split" not in found.column_names
        assert sorted(found["id"].to_pylist()) == sorted(stock["id"].to_pylist())


def test_a_link_of_a_span_s_name_gives_an_artifact_its_span(examples: Path, tmp_path: Path) -> None:
    (tmp_path / "2013-01").symlink_to(examples)
    location = f"{tmp_path}/{{span}}/Split-{{split}}/*.gz"
    table = open_table(Table(location=location, format="tfrecord"), ["2013-01"])
    found = [(part.span, part.rows["split"][0].as_py()) for part in table.batches()]
    assert sorted(found) == [("2013-01", "eval"), ("2013-01", "train")]


def copied(examples: Path, folder: Path) -> Path:
    shutil.copytree(examples, folder / "examples")
    return next((folder / "examples" / "Split-train").glob("*.gz"))


@pytest.mark.parametrize("how", ["the file is cut", "the records in it are cut"])
def test_a_file_of_records_that_is_cut_is_an_error_that_names_it(
    examples: Path, tmp_path: Path, how: str
) -> None:
    file = copied(examples, tmp_path)
    data = file.read_bytes()
    if how == "the file is cut":
        file.write_bytes(data[: len(data) // 2])
    else:
        file.write_bytes(gzip.compress(gzip.decompress(data)[:-3]))
    with pytest.raises(DataError, match=f"{file.name} .*(damaged|cut short|complete)"):
        read(tmp_path / "examples" / "Split-*" / "*.gz", format="tfrecord")


def test_a_folder_without_splits_of_tfx_is_an_error_that_names_what_was_looked_for(
    examples: Path, tmp_path: Path
) -> None:
    shutil.copytree(examples / "Split-train", tmp_path / "train")
    with pytest.raises(DataError, match=r"no file .*Split-\{split\}"):
        opened(tmp_path / "Split-{split}" / "*.gz", format="tfrecord")


def test_a_split_that_is_not_there_is_an_error_that_names_it_and_those_there_are(
    examples: Path, tmp_path: Path
) -> None:
    words = r"^there is no file .*/Split-test/\*\.gz; there are: eval, train$"
    with pytest.raises(DataError, match=words):
        ingested(examples, tmp_path, evaluated="test")


def test_the_schema_that_tfx_inferred_names_the_columns_and_types_of_its_rows(
    tfx_root: Path,
) -> None:
    (path,) = (tfx_root / "SchemaGen" / "schema").glob("*/schema.pbtxt")
    found = {feature.name: feature.type for feature in read_schema(path).feature}
    assert found == {
        "id": schema_pb2.INT,
        "delay": schema_pb2.FLOAT,
        "distance": schema_pb2.INT,
        "carrier": schema_pb2.BYTES,
    }
