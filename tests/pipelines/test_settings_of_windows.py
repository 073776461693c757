"""Settings of windows, spans and slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from changed_settings import refusal

from pipelines.loaded_settings import parse_settings
from pipelines.settings_file import (
    read_yaml,
)


def test_a_source_without_time_needs_no_window(values: dict[str, Any]) -> None:
    values["source"]["spans"] = {"unit": "none"}
    values["source"]["splits"] = {"by": "hash", "column": "order"}
    del values["window"]
    assert parse_settings(values, "settings.yaml").window.spans() == ("all",)


def test_a_date_in_yaml_is_a_text(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("window: {first: 2013-01-01, last: 2013-02-01}\n")
    assert read_yaml(path) == {"window": {"first": "2013-01-01", "last": "2013-02-01"}}


def test_a_window_of_days_crosses_months_and_leap_years(values: dict[str, Any]) -> None:
    values["source"]["spans"] = {"unit": "day", "column": "date"}
    values["window"] = {"first": "2012-02-28", "last": "2012-03-01"}
    spans = parse_settings(values, "settings.yaml").window.spans()
    assert spans == ("2012-02-28", "2012-02-29", "2012-03-01")


def test_a_gate_on_a_slice_that_is_not_computed_is_refused(values: dict[str, Any]) -> None:
    values["policy"]["gates"][0]["slice"] = "carrier=UA"
    assert refusal(values) == "policy.gates.0: slice carrier=UA is not among evaluate.slices"


def test_a_gate_on_a_computed_slice_is_accepted(values: dict[str, Any]) -> None:
    values["policy"]["gates"][0]["slice"] = "origin=JFK"
    assert parse_settings(values, "x").policy.gates[0].slice == "origin=JFK"
