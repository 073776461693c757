"""What the schema rules out is refused before a run starts, with the key and the nearest name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.core.errors import SettingsError
from pipelines.cli import main
from pipelines.loaded_settings import load_settings, parse_settings
from pipelines.preflight.against_schema import check_against_schema

SCHEMA = """
feature { name: "distance" type: INT int_domain { min: 1 max: 9000 } }
feature { name: "late" type: INT bool_domain {} }
feature { name: "month" type: INT }
feature { name: "original" type: FLOAT }
feature { name: "origin" type: BYTES domain: "airport" }
feature { name: "dest" type: BYTES }
feature { name: "pair" type: BYTES string_domain { value: "a" }
  distribution_constraints { min_domain_mass: 0.9 } }
feature { name: "open" }
feature { name: "night" type: INT bool_domain {} }
feature { name: "old" type: BYTES lifecycle_stage: DEPRECATED }
string_domain { name: "airport" value: "JFK" value: "LGA" }
"""
Values = dict[str, Any]


def features(**declared: Values) -> Values:
    return {"transform": {"features": declared}}


def gate(key: str, *crosses: list[str]) -> Values:
    gates = [{"metric": "auc", "operator": ">=", "threshold": 0.6, "slice": key}]
    return {"policy": {"gates": gates}, "evaluate": {"slices": list(crosses)}}


def check(values: Values, changed: Values) -> None:
    check_against_schema(parse_settings(values | changed, "settings.yaml"), SCHEMA)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            features(origin={"kind": "zscore"}),
            r"transform\.features: by the schema feature origin is zscore, but its column origin "
            r"holds string; did you mean original\?",
        ),
        (features(x={"kind": "vocabulary", "column": "original"}), "did you mean origin"),
        (
            features(
                a={"kind": "vocabulary", "column": "month"},
                b={"kind": "zscore", "column": "month"},
            ),
            "column month is text for feature a and a number for feature b",
        ),
        (
            {"evaluate": {"slices": [["origin"], ["original"]]}},
            r"evaluate\.slices: original holds float64 by the schema; did you mean origin\?",
        ),
        (
            gate("origin=JKF", ["origin"]),
            r"policy\.gates\.0\.slice: by the schema origin is never JKF; did you mean JFK\?",
        ),
        (
            {
                "evaluate": {"slices": [["origin"]]},
                "policy": {
                    "gates": [{"metric": "auc", "operator": ">=", "threshold": 0.6}],
                    "champion_gates": [{"slice": "origin=JKF"}],
                },
            },
            r"policy\.champion_gates\.0\.slice: by the schema origin is never JKF",
        ),
        (gate("origin=LGA,night=2", ["origin", "night"]), "night is never 2"),
        (gate("distance=9001", ["distance"]), "distance is never 9001"),
        (gate("month=01", ["month"]), "month is never 01"),
    ],
)
def test_what_the_schema_rules_out_is_refused_by_key(
    values: Values, changed: Values, words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        check(values, changed)


@pytest.mark.parametrize(
    "changed",
    [
        features(
            distance={"kind": "zscore"},
            month={"kind": "vocabulary"},
            original={"kind": "bucketize", "buckets": 4},
            both={"kind": "cross", "columns": ["origin", "dest"], "buckets": 8},
        ),
        features(open={"kind": "zscore"}),
        features(old={"kind": "zscore"}),
        gate("origin=JFK,distance=9000", ["origin", "distance"]),
        gate("dest=ATL", ["dest"]),
        gate("origin=*", ["origin"]),
        gate("origin=JFK,month=*", ["origin", "month"]),
        gate("pair=b", ["pair"]),
        gate("month=-3", ["month"]),
        gate("open=x", ["open"]),
        gate("origin=ATL", ["origin"]) | {"checks": {"new_values": 0.1}},
        features(origin={"kind": "zscore"})
        | {"checks": {"severities": {"UNEXPECTED_DATA_TYPE": "warning"}}},
        features(origin={"kind": "zscore"}) | {"waivers": ["signed.json"]},
    ],
)
def test_what_an_example_may_hold_is_left_to_the_stages(values: Values, changed: Values) -> None:
    check(values, changed)


def test_neither_a_plan_nor_a_run_of_what_the_schema_rules_out_begins(
    values: Values,
    write_settings: Callable[[Values], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    values |= features(origin={"kind": "zscore"})
    path = write_settings(values)
    (tmp_path / "shop.pbtxt").write_text(SCHEMA + 'feature { name: "year" type: INT }\n')
    home = tmp_path / "home"
    assert load_settings(path).schema  # by their names the columns are right

    for command in ("plan", "run"):
        assert main([command, str(path), "--home", str(home)]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert "feature origin is zscore, but its column origin holds string" in said.err
    assert not home.exists()
