"""Which columns each kind takes, what its columns are called, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinds_run import COLUMNS, EVERY_KIND, SOURCE
from tried_examples import tries

from components.core.data_settings import Source, Transform
from components.core.errors import SettingsError
from components.core.examples import ExamplesManifest, SourceRows
from components.core.features import IdFeature
from components.transform_features.declared import DeclaredFeatures, declare
from components.transform_features.feature_kinds import (
    Vocabulary,
)


def declared(features: dict[str, Any], source: Source = SOURCE) -> DeclaredFeatures:
    manifest = ExamplesManifest(
        columns=COLUMNS,
        label="late",
        splits={"train": ("2013-01",), "eval": ("2013-02",)},
        shards=(),
        source=SourceRows(files=(), rows=0),
        dropped=(),
        rows=0,
        card_sha256="0" * 64,
    )
    return declare(Transform.model_validate({"features": features}), source, manifest)


@tries(20)
@given(st.permutations(list(EVERY_KIND)))
def test_the_order_in_the_settings_changes_nothing(names: list[str]) -> None:
    found = declared({name: EVERY_KIND[name] for name in names})

    assert found == declared(EVERY_KIND)
    assert sorted(found.dense_order) == list(range(len(found.dense)))


def test_a_column_may_have_several_features_each_with_a_name() -> None:
    found = declared(
        {
            "b": {"kind": "zscore", "column": "amount", "missing_indicator": True},
            "amount": {"kind": "min_max"},
            "c": {"kind": "bucketize", "buckets": 3, "column": "amount"},
            "a": {"kind": "cyclic", "column": "amount", "period": 5, "missing_indicator": True},
        }
    )

    assert found.inputs == {"amount": "float32"}
    assert found.dense == ("a_sin", "a_cos", "a_missing", "amount", "b", "b_missing")
    assert found.ids == ("c",)


def test_a_date_takes_only_the_whole_numbers_that_its_parts_need() -> None:
    assert declared({"d": {"kind": "date", "column": "when", "parts": ["hour"]}}).inputs == {
        "when_second": "float32"
    }
    both = declared({"when": {"kind": "date", "parts": ["month", "hour"]}})
    assert list(both.inputs) == ["when_day", "when_second"]
    names = ("when_hour_sin", "when_hour_cos", "when_month_sin", "when_month_cos")
    assert both.dense == names


def test_texts_of_whole_numbers_are_hashed_as_their_digits() -> None:
    found = declared({"pair": {"kind": "cross", "columns": ["code", "word"], "buckets": 9}})

    assert found.inputs == {"code": "string", "word": "string"}
    assert found.hashed_columns == ("code", "word") and found.vocabularies == ()


def test_only_further_buckets_make_a_vocabulary_hash() -> None:
    plain = declared({"word": {"kind": "vocabulary", "minimum_count": 2}})
    hashed = declared({"word": {"kind": "vocabulary", "oov_buckets": 2}})

    assert plain.vocabularies == (Vocabulary("word", "word", 1000, 2, 1),)
    assert plain.hashed_columns == () and hashed.hashed_columns == ("word",)


@pytest.mark.parametrize(
    ("feature", "cause"),
    [
        ({"kind": "min_max", "column": "word"}, "holds string"),
        ({"kind": "log", "column": "word"}, "holds string"),
        ({"kind": "bucketize", "buckets": 4, "column": "word"}, "holds string"),
        ({"kind": "hashing", "buckets": 4, "column": "amount"}, "holds float64"),
        ({"kind": "cross", "buckets": 4, "columns": ["word", "amount"]}, "holds float64"),
        ({"kind": "cross", "buckets": 4, "columns": ["word", "absent"]}, "absent, which is not a"),
        ({"kind": "cross", "buckets": 4, "columns": ["word", "late"]}, "known only after"),
        ({"kind": "zscore", "column": "absent"}, "made of absent, which is not a column"),
        ({"kind": "zscore", "column": "late"}, "known only after"),
        ({"kind": "date", "parts": ["hour"], "column": "amount"}, "source.dates does not keep"),
    ],
)
def test_a_feature_of_a_wrong_column_is_refused_by_its_own_name(
    feature: dict[str, Any], cause: str
) -> None:
    with pytest.raises(SettingsError, match=f"feature mine .*{cause}"):
        declared({"mine": feature})


@pytest.mark.parametrize(
    "feature",
    [
        {"kind": "date", "parts": ["month"], "column": "when"},
        {"kind": "zscore", "column": "when_day"},
        {"kind": "hashing", "buckets": 3, "column": "when_second"},
    ],
)
def test_no_part_of_a_date_that_is_known_later_is_a_feature(feature: dict[str, Any]) -> None:
    later = SOURCE.model_copy(update={"leakage": ("when",)})

    with pytest.raises(SettingsError, match="feature mine is known only after"):
        declared({"mine": feature}, later)
    assert declared({"mine": feature}).inputs


def test_a_column_is_not_both_text_and_number() -> None:
    with pytest.raises(SettingsError, match="code is text for feature a and a number for"):
        declared(
            {"a": {"kind": "vocabulary", "column": "code"}, "b": {"kind": "log", "column": "code"}}
        )


@pytest.mark.parametrize(
    ("features", "name"),
    [
        (
            {
                "a": {"kind": "cyclic", "period": 3, "column": "amount"},
                "a_sin": {"kind": "zscore", "column": "amount"},
            },
            "a_sin",
        ),
        (
            {
                "when": {"kind": "date", "parts": ["hour"]},
                "when_hour": {"kind": "cyclic", "period": 3, "column": "amount"},
            },
            "when_hour_sin",
        ),
        (
            {
                "a": {"kind": "log", "column": "amount", "missing_indicator": True},
                "a_missing": {"kind": "vocabulary", "column": "word"},
            },
            "a_missing",
        ),
    ],
)
def test_two_features_with_one_name_are_refused(features: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingsError, match=f"2 features are called {name} "):
        declared(features)


def test_a_model_needs_one_row_for_each_id() -> None:
    assert IdFeature(name="vocabulary", size=16).buckets == 17
    assert IdFeature(name="vocabulary", size=16, further=4).buckets == 20
    assert IdFeature(name="hashing", size=16, further=0).buckets == 16
