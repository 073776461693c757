"""What the sections of the data stages refuse, and what they say."""

import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from components.core.data_settings import (
    Feature,
    Source,
    Spans,
    Splits,
    Table,
    Target,
    Transform,
    Window,
)

TABLE = {"location": "rows.csv"}
TARGET = {"name": "late", "column": "delay", "above": 15}


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (Table, {}, "either a location or a query"),
        (Table, {"location": "a.csv", "query": "select 1", "database": "x"}, "either a location"),
        (Table, {"query": "select 1"}, "belong together"),
        (Table, {"location": "a.csv", "database": "x"}, "belong together"),
        (Table, {"location": "a.csv", "delimiter": ";;"}, "should match pattern"),
        (Target, {"name": "a", "column": "b"}, "asks one question: above or number"),
        (Target, {"name": "a", "column": "b", "above": 1, "equals": "x"}, "asks one question"),
        (Spans, {"unit": "month"}, "spans come from columns, column or from_location"),
        (Spans, {"unit": "none", "column": "date"}, "unit none has none"),
        (Spans, {"unit": "day", "columns": ["year", "month"]}, "year, month and day"),
        (Splits, {"by": "hash"}, "hash and column need a column"),
        (Splits, {"by": "span", "column": "key"}, "span has none"),
        (Splits, {"by": "column", "column": "part"}, "eval_values belong to column"),
        (Source, {"table": {"location": "a/{span}.csv"}, "target": TARGET}, "belong together"),
        (Window, {"first": "2013-01", "last": "2013-01-31"}, "of one unit"),
        (Window, {"first": "all", "last": "2013-01"}, "of one unit"),
        (Feature, {"kind": "cyclic"}, "period belongs to cyclic"),
        (Feature, {"kind": "zscore", "buckets": 3}, "buckets belongs to bucketize and cross"),
        (Feature, {"kind": "bucketize", "buckets": 1}, "greater than or equal to 2"),
        (Feature, {"kind": "date"}, "parts belongs to date"),
        (Feature, {"kind": "cross", "columns": ["a"], "buckets": 9}, "two or more columns"),
        (Feature, {"kind": "vocabulary", "missing_indicator": True}, "numeric kinds"),
        (Transform, {}, "either features or a preprocessing_fn"),
    ],
)
def test_a_contradiction_is_refused_in_words(
    section: Any, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        section.model_validate(values)


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "min_max", "column": "distance", "missing_indicator": True},
        {"kind": "date", "column": "departure", "parts": ["hour", "weekday"]},
        {"kind": "cross", "columns": ["origin", "dest"], "buckets": 100},
        {"kind": "vocabulary", "top_k": 10, "minimum_count": 5, "oov_buckets": 3},
    ],
)
def test_every_kind_of_feature_can_be_written_down(values: dict[str, Any]) -> None:
    assert Feature.model_validate(values).kind == values["kind"]


def test_a_feature_is_made_of_the_columns_that_it_names_or_of_its_own() -> None:
    features = {
        "amount": {"kind": "zscore"},
        "money": {"kind": "zscore", "column": "amount"},
        "pair": {"kind": "cross", "columns": ["a", "b"], "buckets": 8},
        "sold": {"kind": "date", "parts": ["weekday", "hour"]},
        "day_of": {"kind": "date", "column": "sold", "parts": ["weekday", "month"]},
        "hour_of": {"kind": "date", "column": "sold", "parts": ["hour"]},
    }
    assert Transform.model_validate({"features": features}).inputs() == {
        "amount": ("amount",),
        "money": ("amount",),
        "pair": ("a", "b"),
        "sold": ("sold_day", "sold_second"),
        "day_of": ("sold_day",),
        "hour_of": ("sold_second",),
    }


def test_what_is_known_later_holds_the_parts_of_dates_that_are_kept_and_no_others() -> None:
    values = {"table": TABLE, "target": TARGET, "leakage": ["seen", "paid"], "dates": ["paid"]}
    later = Source.model_validate(values).known_later
    assert later == {"seen", "paid", "paid_day", "paid_second", "delay"}


@settings(deadline=None)
@given(st.dates(), st.integers(min_value=0, max_value=800))
def test_a_window_of_days_holds_every_day_once_and_in_order(first: Any, more: int) -> None:

    if first.toordinal() + more > datetime.date.max.toordinal():
        return
    last = first + datetime.timedelta(more)
    spans = Window(first=first.isoformat(), last=last.isoformat()).spans()
    assert len(spans) == more + 1
    assert list(spans) == sorted(set(spans))
    assert (spans[0], spans[-1]) == (first.isoformat(), last.isoformat())
