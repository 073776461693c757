"""What an older TFX wrote: the artifacts that TFX carries as data of its tests, of 2019 to 2022."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2
from written_tables import opened, read

from components.core.errors import DataError, SettingsError
from pipelines.schema_text import read_schema


def rows_of(table: pa.Table) -> list[str]:
    return [str(row) for row in table.to_pylist()]


@pytest.fixture(scope="module")
def older() -> Path:
    """Return the folder of artifacts; TFX is not imported, which takes its time."""
    (package,) = find_spec("tfx").submodule_search_locations
    return Path(package, "components", "testdata")


@pytest.fixture
def before_0_29(older: Path, tmp_path: Path) -> Path:
    """Return Examples in the layout in which TFX before 0.29 wrote splits: train/, eval/."""
    for split in ("train", "eval"):
        shutil.copytree(older / "csv_example_gen" / f"Split-{split}", tmp_path / split)
    return tmp_path


def test_examples_are_read_in_today_s_layout_and_in_that_before_0_29(
    older: Path, before_0_29: Path
) -> None:
    today = older / "csv_example_gen" / "Split-{split}" / "data_tfrecord-*.gz"
    found = read(before_0_29 / "{split}" / "data_tfrecord-*.gz", format="tfrecord")
    assert found.num_rows == 15_000
    assert sorted(rows_of(found)) == sorted(rows_of(read(today, format="tfrecord")))


def test_the_layout_before_0_29_is_told_with_the_location_that_finds_it(before_0_29: Path) -> None:
    location = before_0_29 / "Split-{split}" / "data_tfrecord-*.gz"
    with pytest.raises(DataError, match=r"there is no file .*Split-\{split\}") as caught:
        opened(location, format="tfrecord")
    older = str(location).replace("Split-", "")
    assert caught.value.remedy == (
        f"write {older}: before 0.29 TFX named the folders of splits without Split-"
    )
    assert read(older, format="tfrecord").num_rows > 0


def test_where_no_layout_has_files_the_location_is_to_be_checked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file") as caught:
        opened(tmp_path / "Split-{split}" / "*.gz", format="tfrecord")
    assert caught.value.remedy == "check source.*.location in the settings"


def test_rows_without_a_split_are_read(older: Path) -> None:
    found = read(older / "csv_example_gen" / "unlabelled" / "*.gz", format="tfrecord")
    assert found.num_rows == 2_459
    assert "fare" in found.column_names
    assert "split" not in found.column_names


def test_sequence_examples_are_no_examples_and_are_refused(older: Path) -> None:
    location = older / "tfrecord_sequence" / "Split-train" / "*.gz"
    with pytest.raises(DataError, match=r"data_tfrecord_train\.gz .* no tf\.Example") as caught:
        opened(location, format="tfrecord")
    assert "not as a SequenceExample" in caught.value.remedy


@pytest.mark.parametrize("name", ["schema_gen", "penguin/schema"])
def test_a_schema_of_an_older_schema_gen_is_read_whole(older: Path, name: str) -> None:
    found = read_schema(older / name / "schema.pbtxt")
    assert found.feature
    kinds = {schema_pb2.BYTES, schema_pb2.INT, schema_pb2.FLOAT}
    assert {feature.type for feature in found.feature} <= kinds


def test_a_schema_with_a_field_that_is_not_known_here_is_refused_with_file_and_line(
    older: Path, tmp_path: Path
) -> None:
    text = (older / "schema_gen" / "schema.pbtxt").read_text()
    file = tmp_path / "schema.pbtxt"
    file.write_text(text.replace('name: "company"', 'name: "company"\n  invented_in_2030: 1', 1))
    with pytest.raises(SettingsError, match=r"schema\.pbtxt.*3.*invented_in_2030") as caught:
        read_schema(file)
    assert caught.value.remedy
