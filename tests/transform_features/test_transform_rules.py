"""What the transform refuses before it looks at a row, and the order of declared features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.core.data_settings import Source, Transform
from components.core.errors import GateError, IntegrityError, SettingsError
from components.core.examples import ExamplesManifest, SourceRows
from components.transform_features.declared import DeclaredFeatures, declare

SOURCE = Source.model_validate(
    {
        "table": {"location": "x"},
        "target": {"name": "late", "column": "delay", "above": 15},
        "leakage": ["gone"],
    }
)
COLUMNS: dict[str, Any] = {
    "dense": "int64",
    "late": "int64",
    "number": "int64",
    "share": "float64",
    "text": "string",
}
EVERY = {
    "b": {"kind": "cyclic", "period": 7},
    "a": {"kind": "zscore"},
    "e": {"kind": "vocabulary"},
    "c": {"kind": "log_zscore"},
    "d": {"kind": "cyclic", "period": 12},
}


def manifest(columns: dict[str, Any]) -> ExamplesManifest:
    return ExamplesManifest(
        columns=columns,
        label="late",
        splits={"train": ("2013-01",), "eval": ("2013-02",)},
        shards=(),
        source=SourceRows(files=(), rows=0),
        dropped=(),
        rows=0,
        card_sha256="0" * 64,
    )


def declared(features: dict[str, Any], columns: dict[str, Any] = COLUMNS) -> DeclaredFeatures:
    return declare(Transform.model_validate({"features": features}), SOURCE, manifest(columns))


@settings(deadline=None)
@given(st.permutations(list(EVERY)))
def test_the_order_of_features_is_that_of_their_names(names: list[str]) -> None:
    columns = dict.fromkeys("abcd", "int64") | {"e": "string"}
    found = declared({name: EVERY[name] for name in names}, columns)

    assert found.dense == ("a", "b_sin", "b_cos", "c", "d_sin", "d_cos")
    assert list(found.inputs) == ["a", "b", "c", "d", "e"]
    assert found.inputs["e"] == "string" and found.inputs["a"] == "float32"


@pytest.mark.parametrize(
    ("name", "feature", "cause"),
    [
        ("absent", {"kind": "zscore"}, "is not a column"),
        ("late", {"kind": "zscore"}, "known only after"),
        ("delay", {"kind": "zscore"}, "known only after"),
        ("gone", {"kind": "zscore"}, "known only after"),
        ("dense", {"kind": "zscore"}, "name of an output"),
        ("text", {"kind": "zscore"}, "holds string"),
        ("text", {"kind": "cyclic", "period": 7}, "holds string"),
        ("share", {"kind": "vocabulary"}, "holds float64"),
    ],
)
def test_a_feature_that_cannot_be_made_is_named(
    name: str, feature: dict[str, Any], cause: str
) -> None:
    with pytest.raises(SettingsError, match=f"feature {name} .*{cause}"):
        declared({name: feature})


def test_a_vocabulary_of_whole_numbers_takes_their_digits() -> None:
    assert declared({"number": {"kind": "vocabulary"}}).inputs == {"number": "string"}


def test_examples_whose_validation_did_not_pass_are_refused(
    transform: Callable[..., Any], examples: Path, tmp_path: Path
) -> None:
    gate = {"name": "schema", "passed": False}

    with pytest.raises(GateError, match="no validation that passed") as caught:
        transform(tmp_path / "run", examples, passed=False, gates=[gate])

    assert caught.value.gates == (gate,)


@pytest.mark.parametrize("passed", [None, "true", 1])
def test_only_true_counts_as_passed(
    transform: Callable[..., Any], examples: Path, tmp_path: Path, passed: Any
) -> None:
    with pytest.raises(GateError):
        transform(tmp_path / "run", examples, passed=passed)


def test_a_validation_of_other_examples_is_refused(
    transform: Callable[..., Any], examples: Path, tmp_path: Path
) -> None:
    with pytest.raises(IntegrityError, match="another examples"):
        transform(tmp_path / "run", examples, examples_sha256="0" * 64)


def test_a_validation_against_another_schema_is_refused(
    transform: Callable[..., Any], examples: Path, tmp_path: Path
) -> None:
    with pytest.raises(IntegrityError, match="another schema"):
        transform(tmp_path / "run", examples, schema="changed since")
