"""A run pins its sources when it starts, and ingestion reads what was pinned or nothing."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.core.canonical import sha256_file, sha256_value
from components.core.data_settings import Checks, Source, Table
from components.core.errors import DataError, SettingsError
from components.core.sources import use_sources
from components.reading.tables import open_table
from pipelines.home import Home
from pipelines.loaded_settings import load_settings
from pipelines.prepared import prepare
from pipelines.sources import pin_result, pin_sources

Write = Callable[[dict[str, Any]], Path]
ROWS = "year,month,origin,sales\n2013,1,JFK,1\n"
QUERY = {"query": "SELECT * FROM sales", "database": "shop"}


def source(table: dict[str, Any], **spans: Any) -> Source:
    target = {"name": "label", "column": "sales", "above": 0}
    return Source.model_validate({"table": table, "target": target, **spans})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings folder with a file for each of three months."""
    monkeypatch.setenv("TANDEM_SOURCES", "")
    use_sources(tmp_path)
    for month in (1, 2, 3):
        (tmp_path / f"s-2013-0{month}.csv").write_text(f"{ROWS}2013,{month},LGA,2\n")
    return tmp_path


BY_LOCATION = {"spans": {"unit": "month", "from_location": True}}


def test_several_files_are_pinned_by_their_names_and_digests(folder: Path) -> None:
    pinned = pin_sources(source({"location": "s-*.csv"}), folder).table
    names = [f"s-2013-0{month}.csv" for month in (1, 2, 3)]
    assert pinned.sha256 == sha256_value([[name, sha256_file(folder / name)] for name in names])
    assert open_table(pinned).schema.names == ["year", "month", "origin", "sales"]
    (folder / names[0]).write_text(ROWS)
    with pytest.raises(DataError, match="is not what the run was to read"):
        open_table(pinned)


def test_a_new_month_outside_the_window_changes_no_input(folder: Path) -> None:
    table = source({"location": "s-{span}.csv"}, **BY_LOCATION)
    spans = ("2013-01", "2013-02")
    pinned = pin_sources(table, folder, spans=spans).table
    (folder / "s-2013-04.csv").write_text(ROWS)
    assert pin_sources(table, folder, spans=spans).table == pinned
    opened = open_table(pinned, spans)
    assert [piece.span for piece in opened.batches()] == list(spans)
    assert pin_sources(table, folder, spans=("2013-01", "2013-04")).table != pinned


def test_a_month_of_the_window_without_a_file_is_named_before_the_run(folder: Path) -> None:
    table = source({"location": "s-{span}.csv"}, **BY_LOCATION)
    with pytest.raises(SettingsError, match=r"^source\.table\.location: .* of 2013-04$"):
        pin_sources(table, folder, spans=("2013-03", "2013-04"))


def test_a_pattern_without_a_match_is_named_by_its_key(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"^source\.table\.location: there is no file t-\*"):
        pin_sources(source({"location": "t-*.csv"}), folder)


def test_a_query_is_pinned_by_what_the_settings_say_or_by_the_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", "postgresql://tandem:geheim@127.0.0.1:9/x")
    pinned = pin_sources(source(QUERY), folder, run_id="20130101T000000Z-abcdef").table
    assert (pinned.as_of, pinned.sha256) == ("20130101T000000Z-abcdef", None)
    named = pin_sources(source({**QUERY, "as_of": "2013-01-01"}), folder, run_id="run").table
    assert named.as_of == "2013-01-01"
    assert "geheim" not in pinned.model_dump_json()


def test_a_database_without_an_address_is_named_before_the_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TANDEM_DATABASE_SHOP", raising=False)
    with pytest.raises(SettingsError, match=r"^source\.table: .* database shop") as caught:
        pin_sources(source(QUERY), folder)
    assert "TANDEM_DATABASE_SHOP" in caught.value.remedy


def test_a_statement_that_changes_data_is_refused_before_the_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", "duckdb:///x.duckdb")
    with pytest.raises(SettingsError, match="is not one SELECT statement"):
        pin_sources(source({**QUERY, "query": "DROP TABLE sales"}), folder)


def test_preparing_a_run_of_a_query_names_the_run_as_its_state(
    values: dict[str, Any], write_settings: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_SHOP", "postgresql://127.0.0.1:9/x")
    values["source"]["table"] = QUERY
    path = write_settings(values)
    prepared = prepare(load_settings(path), path, Home(tmp_path / "home"), cache=True)
    assert prepared.arguments["source"]["table"]["as_of"] == prepared.arguments["run"]["id"]


def test_every_join_is_pinned_too(folder: Path) -> None:
    join = {"location": "s-2013-0[12].csv", "on": ["origin"], "columns": ["sales"], "prefix": "w_"}
    pinned = pin_sources(source({"location": "s-2013-01.csv"}, joins={"w": join}), folder)
    assert pinned.joins["w"].sha256 is not None
    assert isinstance(pinned.joins["w"], Table)
    (folder / "s-2013-02.csv").write_text(ROWS)
    with pytest.raises(DataError, match="is not what the run was to read"):
        open_table(pinned.joins["w"])


def test_what_tfx_found_is_pinned_and_its_absence_is_told_when_a_run_starts(
    folder: Path, values: dict[str, Any], write_settings: Write
) -> None:
    values["checks"] = {"example_validator": {"location": "found/4"}}
    file = write_settings(values)
    with pytest.raises(
        SettingsError, match=r"^checks\.example_validator\.location: there is no file"
    ):
        prepare(load_settings(file), file, Home.at(str(folder / "home")), cache=True)
    written = file.parent / "found/4/Split-train/SchemaDiff.pb"
    written.parent.mkdir(parents=True)
    written.write_bytes(b"found")
    run = prepare(load_settings(file), file, Home.at(str(folder / "home")), cache=True)
    pinned = run.arguments["checks"]["example_validator"]
    assert pinned == {
        "location": "found/4",
        "splits": ["train", "eval"],
        "sha256": sha256_file(written),
    }
    written.write_bytes(b"something else")
    checks = Checks.model_validate({"example_validator": pinned})
    with pytest.raises(SettingsError, match="found/4 is not what sha256 names"):
        pin_result(checks, file.parent)
    assert pin_result(Checks(), file.parent) == Checks()


def test_of_two_results_of_what_tfx_found_none_is_taken(folder: Path) -> None:
    for number in (4, 7):
        file = folder / f"found/{number}/Split-train/SchemaDiff.pb"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"found")
    checks = Checks.model_validate({"example_validator": {"location": "found/*"}})
    words = r"names two results of train: found/4/\S+ and found/7/\S+$"
    with pytest.raises(SettingsError, match=words) as caught:
        pin_result(checks, folder)
    assert "an ExampleAnomalies artifact" in caught.value.remedy


def test_what_tfx_found_is_read_from_an_archive_by_the_member_that_is_its_folder(
    folder: Path,
) -> None:
    file = folder / "4/Split-train/SchemaDiff.pb"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"found")
    with tarfile.open(folder / "found.tar", "w") as archive:
        archive.add(folder / "4", "4")
    checks = Checks.model_validate({"example_validator": {"location": "tar://4::found.tar"}})
    pinned = pin_result(checks, folder).example_validator
    assert pinned is not None
    assert pinned.sha256 == sha256_file(file)


@pytest.mark.parametrize(
    ("location", "words", "remedy"),
    [
        ("tar://4::*.tar", r"\*\.tar may be several archives", "name one without patterns"),
        ("ftp://there/4", "ftp://there/4/.* cannot be read", "give a path, or one of package://"),
    ],
)
def test_a_place_of_tfx_s_result_that_cannot_be_read_is_told_with_what_to_do(
    folder: Path, location: str, words: str, remedy: str
) -> None:
    checks = Checks.model_validate({"example_validator": {"location": location}})
    with pytest.raises(SettingsError, match=words) as caught:
        pin_result(checks, folder)
    assert remedy in caught.value.remedy
