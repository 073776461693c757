"""The same rows from files, folders, Parquet and a database give the same examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from small_source import HEADER, ROWS, Make, ingest

from components.core.errors import DataError
from components.core.examples import ExamplesManifest, read_split
from components.ingest_examples.step import ingest_examples

TEXT = f"{HEADER}\n{ROWS}"
PLANES = "plane,seats\nplane-1,100\nplane-2,200\nplane-2x,7\n"


def join(**place: Any) -> dict[str, Any]:
    return {"planes": {**place, "on": ["plane"], "columns": ["seats"], "prefix": "plane_"}}


def digests(manifest: ExamplesManifest) -> list[str]:
    return [shard.sha256 for shard in manifest.shards]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "planes.csv").write_text(PLANES)
    (tmp_path / "rows.csv").write_text(TEXT)
    options = pc.ConvertOptions(null_values=["NA"], strings_can_be_null=True)
    for name in ("rows", "planes"):
        table = pc.read_csv(tmp_path / f"{name}.csv", convert_options=options)
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=2)
    parts = tmp_path / "parts"
    parts.mkdir()
    for number, row in enumerate(ROWS.splitlines()):
        (parts / f"{number}.csv").write_text(f"{HEADER}\n{row}\n")
    return tmp_path


def expected(make_settings: Make, files: Path) -> ExamplesManifest:
    joins = join(location=str(files / "planes.csv"))
    return ingest(make_settings(TEXT, joins=joins), files / "expected")


@pytest.mark.parametrize("location", ["rows.parquet", "parts/*.csv"])
def test_the_form_of_the_files_does_not_change_the_examples(
    make_settings: Make, files: Path, location: str
) -> None:
    joins = join(location=str(files / "planes.parquet"))
    table = {"location": str(files / location)}
    manifest = ingest(make_settings(table=table, joins=joins), files / "examples")

    assert digests(manifest) == digests(expected(make_settings, files))
    assert manifest.source.rows == 7
    assert len(manifest.source.files) == (8 if "*" in location else 2)
    seats = read_split(files / "examples", "eval", ["plane_seats"])["plane_seats"]
    assert seats.to_pylist() == [None, 200]


def test_a_database_gives_the_same_examples_and_a_digest_of_its_rows(
    make_settings: Make, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = files / "shop.duckdb"
    with duckdb.connect(str(address)) as database:
        for name in ("rows", "planes"):
            database.execute(f"CREATE TABLE {name} AS FROM '{files / name}.parquet'")
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", f"duckdb:///{address}")
    table = {"query": "SELECT * FROM rows ORDER BY month, day", "database": "shop"}
    joins = join(query="SELECT * FROM planes ORDER BY plane", database="shop")
    manifest = ingest(make_settings(table=table, joins=joins), files / "examples")

    assert digests(manifest) == digests(expected(make_settings, files))
    assert [file.location for file in manifest.source.files] == ["the query of shop"] * 2
    (main, further) = (file.sha256 for file in manifest.source.files)
    assert len(main) == 64 and main != further


def test_a_file_that_is_not_the_pinned_one_is_refused(make_settings: Make, files: Path) -> None:
    table = {"location": str(files / "rows.csv"), "sha256": "0" * 64}

    with pytest.raises(DataError, match="is not what the run was to read"):
        ingest(make_settings(table=table), files / "examples")


def test_a_join_says_how_many_rows_found_no_partner(
    make_settings: Make, files: Path, tmp_path: Path
) -> None:
    settings = make_settings(TEXT, joins=join(location=str(files / "planes.csv")))
    folder = tmp_path / "examples"
    folder.mkdir()
    outcome = ingest_examples(settings=settings, examples=folder)
    planes = read_split(folder, "train", ["plane_seats"])["plane_seats"].null_count
    planes += read_split(folder, "eval", ["plane_seats"])["plane_seats"].null_count
    assert outcome.facts["rows_without_partner"] == {"planes": planes}


@pytest.mark.parametrize("missing", ["plane", "seats"])
def test_a_column_that_a_joined_table_does_not_have_is_named_with_those_that_it_has(
    make_settings: Make, files: Path, tmp_path: Path, missing: str
) -> None:
    text = "plane,seats,wings\nN1,100,2\n".replace(missing, "engines")
    (files / "planes.csv").write_text(text)
    joins = join(location=str(files / "planes.csv"))
    with pytest.raises(DataError, match=f"column {missing} is missing in table planes") as caught:
        ingest(make_settings(TEXT, joins=joins), tmp_path / "examples")
    assert caught.value.remedy == f"table planes has: {', '.join(text.splitlines()[0].split(','))}"


@pytest.mark.parametrize(
    ("planes", "said"),
    [
        ("plane,seats\n1,100\n2,200\n", "key plane is int64 in table planes"),
        ("plane,seats\nX1,100\nX2,200\n", "join planes found no partner for any of"),
    ],
)
def test_keys_that_are_written_otherwise_are_refused(
    make_settings: Make, files: Path, tmp_path: Path, planes: str, said: str
) -> None:
    (files / "planes.csv").write_text(planes)
    with pytest.raises(DataError, match=said):
        ingest(
            make_settings(TEXT, joins=join(location=str(files / "planes.csv"))),
            tmp_path / "examples",
        )
