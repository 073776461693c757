"""Names that the examples do not have, refused with the nearest one before anything is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_examples import small_rows, write_examples

from components.core.data_settings import Checks, Source, Transform
from components.core.errors import SettingsError
from components.core.examples import ExamplesManifest
from components.validate_examples.names import check_names, check_severities

SOURCE = {
    "table": {"location": "rows.csv"},
    "target": {"name": "late", "column": "delay", "above": 15},
    "leakage": ["arrived"],
}


@pytest.fixture
def manifest(tmp_path: Path) -> ExamplesManifest:
    shards = {("train", "2013-01"): small_rows(8), ("eval", "2013-02"): small_rows(8, 8)}
    return ExamplesManifest.read(write_examples(tmp_path, shards))


def check(
    manifest: ExamplesManifest,
    checks: dict[str, Any] | None = None,
    features: dict[str, Any] | None = None,
    **parts: Any,
) -> None:
    check_names(
        manifest,
        checks=Checks.model_validate(checks or {}),
        transform=Transform.model_validate(
            {"features": features or {"amount": {"kind": "zscore"}}}
        ),
        source=Source.model_validate(SOURCE),
        **parts,
    )


def test_names_that_the_examples_have_are_accepted(manifest: ExamplesManifest) -> None:
    features = {
        "wide": {"kind": "cross", "columns": ["kind", "number"], "buckets": 8},
        "money": {"kind": "zscore", "column": "amount"},
        "kind": {"kind": "vocabulary"},
    }
    checks = {"drift": {"kind": 0.1, "late": 0.1}, "skew": {"amount": 0.1}}
    check(manifest, checks, features, slices=[["kind"], ["kind", "number"]])


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"checks": {"drift": {"knid": 0.1}}}, r"checks\.drift: knid .* did you mean kind\?"),
        ({"checks": {"skew": {"amuont": 0.1}}}, r"checks\.skew: amuont .* mean amount\?"),
        (
            {"features": {"numbr": {"kind": "zscore"}}},
            r"transform\.features\.numbr: numbr .* did you mean number\?",
        ),
        (
            {"features": {"money": {"kind": "zscore", "column": "amout"}}},
            r"transform\.features\.money: amout .* mean amount\?",
        ),
        (
            {"features": {"w": {"kind": "cross", "columns": ["kind", "nmber"], "buckets": 8}}},
            r"transform\.features\.w: nmber .* mean number\?",
        ),
        (
            {"features": {"when": {"kind": "date", "parts": ["hour"]}}},
            r"transform\.features\.when: when_second is not a column",
        ),
        ({"slices": [["kind"], ["kind", "Nmuber"]]}, r"evaluate\.slices: Nmuber .* mean number\?"),
        ({"checks": {"drift": {"zzz": 0.1}}}, r"checks\.drift: zzz is not a column[^;]*$"),
    ],
)
def test_an_unknown_name_is_refused_by_its_key_with_the_nearest(
    manifest: ExamplesManifest, parts: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        check(manifest, **parts)
    assert "amount, kind, number" in caught.value.remedy


def test_what_the_schema_asks_for_and_what_is_leakage_are_left_to_their_gates(
    manifest: ExamplesManifest,
) -> None:
    features = {"arrived": {"kind": "zscore"}, "asked": {"kind": "zscore"}}
    check(manifest, features=features, required={"asked"})


def test_drift_of_one_span_is_refused_with_a_way_out(tmp_path: Path) -> None:
    shards = {("train", "all"): small_rows(8), ("eval", "all"): small_rows(8, 8)}
    manifest = ExamplesManifest.read(write_examples(tmp_path, shards))

    check(manifest, {"skew": {"kind": 0.1}})
    with pytest.raises(SettingsError, match="there is one span") as caught:
        check(manifest, {"drift": {"kind": 0.1}})
    assert "checks.skew" in caught.value.remedy


def test_a_type_of_anomaly_that_is_none_is_refused_with_the_nearest() -> None:
    check_severities(Checks(severities={"SCHEMA_NEW_COLUMN": "warning"}))
    words = "checks.severities: schema_new_colum is not .*; did you mean SCHEMA_NEW_COLUMN"
    with pytest.raises(SettingsError, match=words):
        check_severities(Checks(severities={"schema_new_colum": "warning"}))
