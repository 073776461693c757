"""Settings held against the columns and the schema that they name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from changed_settings import put, refusal

from components.core.errors import SettingsError
from pipelines.loaded_settings import load_settings, parse_settings

Write = Callable[[dict[str, Any]], Path]


@pytest.mark.parametrize("column", ["arrived", "delay", "late"])
@pytest.mark.parametrize(
    "place",
    [
        "transform.features",
        "transform.sample_weight",
        "checks.drift",
        "checks.skew",
        "evaluate.slices",
    ],
)
def test_a_column_known_only_afterwards_is_refused_by_name(
    values: dict[str, Any], place: str, column: str
) -> None:
    if place == "transform.features":
        values["transform"]["features"][column] = {"kind": "zscore"}
    elif place == "transform.sample_weight":
        values["transform"]["sample_weight"] = column
    elif place.startswith("checks."):
        values["checks"] = {place.removeprefix("checks."): {"distance": 0.1, column: 0.1}}
    else:
        values["evaluate"]["slices"].append(["origin", column])
    assert refusal(values) == f"{place} uses what is known only after the prediction: {column}"


@pytest.mark.parametrize(
    ("key", "value", "label"),
    [
        ("leakage", ["arrived", "delay"], "delay"),
        ("leakage", ["arrived", "delay"], "arrived"),
        ("leave_out", ["row"], "row"),
        ("dates", ["ordered"], "ordered"),
        ("dates", ["ordered"], "ordered_day"),
        ("weekday", "day_of_week", "day_of_week"),
        ("subject", "customer", "customer"),
        ("spans", {"columns": ["year", "month"]}, "month"),
        ("spans", {"column": "ordered"}, "ordered"),
        ("splits", {"by": "hash", "column": "order"}, "order"),
        ("drop_where_null", [{"column": "price", "reason": "no price"}], "price"),
        ("joins", {"w": {"location": "w.csv", "on": ["place"], "columns": ["rain"]}}, "place"),
        (
            "joins",
            {"w": {"location": "w.csv", "on": ["a"], "columns": ["rain"], "prefix": "w_"}},
            "w_rain",
        ),
    ],
)
def test_a_label_named_as_a_column_is_refused_before_anything_is_read(
    values: dict[str, Any], key: str, value: Any, label: str
) -> None:
    values["source"] |= {key: value}
    values["source"]["target"]["name"] = label
    assert f"target.name: {label} is a column of the source" in refusal(values)
    values["source"]["target"]["name"] = "worth_it"
    assert parse_settings(values, "settings.yaml").source.target.name == "worth_it"


def test_a_date_that_is_known_only_afterwards_is_not_kept(values: dict[str, Any]) -> None:
    values["source"]["dates"] = ["arrived"]
    assert refusal(values) == ("source.dates uses what is known only after the prediction: arrived")


def test_a_feature_of_a_date_that_is_not_kept_is_refused_with_the_nearest(
    values: dict[str, Any],
) -> None:
    values["source"]["dates"] = ["sold"]
    features = values["transform"]["features"]
    features["when"] = {"kind": "date", "column": "sodl", "parts": ["month"]}
    assert refusal(values) == (
        "transform.features.when: source.dates does not keep sodl; did you mean sold?"
    )


def test_drift_in_a_window_of_one_span_is_refused_with_a_way_out(values: dict[str, Any]) -> None:
    values["source"]["splits"] = {"by": "hash", "column": "order"}
    values["window"] = {"first": "2013-01", "last": "2013-01"}
    values["checks"] = {"skew": {"origin": 0.1}}
    assert parse_settings(values, "settings.yaml").checks.skew == {"origin": 0.1}
    values["checks"] = {"drift": {"origin": 0.1}}
    assert "checks.skew compares the splits" in refusal(values)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("checks.drift", {"orgin": 0.1}, "checks.drift: orgin .*; did you mean origin?"),
        ("checks.skew", {"Distanse": 0.1}, "checks.skew: Distanse .*; did you mean distance?"),
        ("evaluate.slices", [["origin", "yeer"]], "evaluate.slices: yeer .* mean year?"),
        (
            "transform.features.far",
            {"kind": "zscore", "column": "distnace"},
            "transform.features.far: distnace .*; did you mean distance?",
        ),
        (
            "transform.sample_weight",
            "Distanse",
            "transform.sample_weight: Distanse .*; did you mean distance?",
        ),
        ("source.target.name", "lat", "source.target.name: lat .*; did you mean late?"),
        ("source.weekday", "day", "source.weekday: day is not a column of the schema"),
        ("source.dates", ["sole"], "source.dates: sole is not a date .*; did you mean sold?"),
        (
            "checks.severities",
            {"SCHEMA_NEW_COLUMNS": "error"},
            "checks.severities: SCHEMA_NEW_COLUMNS .*; did you mean SCHEMA_NEW_COLUMN?",
        ),
    ],
)
def test_a_name_that_the_schema_does_not_have_is_refused_with_the_nearest(
    values: dict[str, Any], write_settings: Write, key: str, value: Any, problem: str
) -> None:
    put(values, key, value)
    path = write_settings(values)
    schema = path.parent / "shop.pbtxt"
    dates = "".join(f'feature {{ name: "sold_{part}" }}\n' for part in ("day", "second"))
    schema.write_text(schema.read_text() + dates)
    with pytest.raises(SettingsError, match=problem.replace("?", r"\?")):
        load_settings(path)


def test_where_columns_that_the_schema_does_not_list_may_pass_the_stage_looks_at_names(
    values: dict[str, Any], write_settings: Write
) -> None:
    values["checks"] = {"drift": {"new": 0.1}, "severities": {"SCHEMA_NEW_COLUMN": "warning"}}
    load_settings(write_settings(values))
    values["checks"] = {"drift": {"new": 0.1}}
    path = write_settings(values)
    with pytest.raises(SettingsError, match="new is not a column of the schema"):
        load_settings(path)
    (path.parent / "signed.json").write_text("{}")
    load_settings(path, ["waivers=[signed.json]"])


def test_a_wrong_name_is_refused_before_anything_is_written_or_loaded(
    values: dict[str, Any], write_settings: Write, tmp_path: Path
) -> None:
    values["checks"] = {"drift": {"orgin": 0.1}}
    command = (
        "import sys; from pipelines.cli import main; code = main(sys.argv[1:]); "
        "assert not {'tensorflow', 'pyarrow'} & sys.modules.keys(); sys.exit(code)"
    )
    home = tmp_path / "home"
    arguments = ["run", str(write_settings(values)), "--home", str(home)]
    ended = subprocess.run(
        [sys.executable, "-c", command, *arguments], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, home.exists()) == (2, False)
    assert "orgin is not a column of the schema; did you mean origin?" in ended.stderr


@pytest.mark.parametrize(
    "feature",
    [
        {"kind": "date", "column": "arrived", "parts": ["hour"]},
        {"kind": "zscore", "column": "arrived_second"},
    ],
)
def test_a_part_of_a_date_that_is_known_only_afterwards_is_no_feature(
    values: dict[str, Any], feature: dict[str, Any]
) -> None:
    values["source"]["dates"] = ["arrived"]
    values["transform"]["features"]["when"] = feature
    assert refusal(values) == (
        "transform.features uses what is known only after the prediction: arrived_second"
    )


@pytest.mark.parametrize(
    ("unit", "window", "problem"),
    [
        ("day", {"first": "2013-01", "last": "2013-03"}, "written like 2013-01-31"),
        ("none", {"first": "2013-01", "last": "2013-03"}, "written like all"),
        ("month", {"first": "all", "last": "all"}, "written like 2013-01"),
        ("month", {"first": "2013-01", "last": "2013-01"}, "at least two are needed"),
        ("day", {"first": "2013-02-27", "last": "2013-02-30"}, "day is out of range"),
    ],
)
def test_a_window_fits_the_spans_of_the_source(
    values: dict[str, Any], unit: str, window: dict[str, str], problem: str
) -> None:
    origins = {"month": {"columns": ["year", "month"]}, "day": {"column": "date"}, "none": {}}
    values["source"]["spans"] = {"unit": unit, **origins[unit]}
    values["window"] = window
    assert problem in refusal(values)
