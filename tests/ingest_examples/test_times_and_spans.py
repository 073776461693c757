"""Which span of time a row falls into, and dates as whole numbers."""

from __future__ import annotations

import datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.core.data_settings import Spans
from components.core.errors import DataError
from components.ingest_examples.spans import span_names, span_number, span_numbers, spans_of
from components.ingest_examples.times import days_of, times_of

instants = st.datetimes(datetime.datetime(1800, 1, 1), datetime.datetime(2200, 1, 1))


@settings(deadline=None)
@given(values=st.lists(st.one_of(st.none(), instants)), unit=st.sampled_from(["s", "ms", "us"]))
def test_a_time_is_a_day_and_the_seconds_since_midnight(
    values: list[datetime.datetime | None], unit: str
) -> None:
    values = [v and v.replace(microsecond=0) for v in values]
    times = times_of(pa.table({"t": pa.array(values, pa.timestamp(unit))}), "t")

    known = [v is not None for v in values]
    days = [(v.date() - datetime.date(1970, 1, 1)).days if v else 0 for v in values]
    seconds = [v.hour * 3600 + v.minute * 60 + v.second if v else 0 for v in values]
    assert times.known.tolist() == known
    assert times.whole("D").tolist() == days
    assert times.seconds().tolist() == seconds


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 2100), st.integers(-1, 14), st.integers(-1, 33))))
def test_only_days_that_a_calendar_has_are_days(parts: list[tuple[int, int, int]]) -> None:
    names = ("y", "m", "d")
    columns = zip(*parts, strict=True) if parts else ((), (), ())
    rows = pa.table(
        {n: pa.array(column, pa.int64()) for n, column in zip(names, columns, strict=True)}
    )

    days = days_of(rows, *names)

    def expected(year: int, month: int, day: int) -> int | None:
        try:
            return (datetime.date(year, month, day) - datetime.date(1970, 1, 1)).days
        except ValueError:
            return None

    found = zip(days.whole("D").tolist(), days.known.tolist(), strict=True)
    assert [number if known else None for number, known in found] == [expected(*p) for p in parts]


@pytest.mark.parametrize(
    ("spans", "rows", "names"),
    [
        ({"columns": ["y", "m"]}, {"y": [2013, 2012], "m": [1, 12]}, ["2013-01", "2012-12"]),
        (
            {"unit": "day", "columns": ["y", "m", "d"]},
            {"y": [2012], "m": [2], "d": [29]},
            ["2012-02-29"],
        ),
        (
            {"column": "t"},
            {"t": [datetime.datetime(1969, 12, 31, 23), datetime.datetime(1970, 1, 1)]},
            ["1969-12", "1970-01"],
        ),
        (
            {"unit": "day", "column": "t"},
            {"t": [datetime.datetime(1969, 12, 31, 23)]},
            ["1969-12-31"],
        ),
        ({"unit": "none"}, {"y": [1, 2]}, ["all", "all"]),
    ],
)
def test_a_span_comes_from_columns_or_a_date(
    spans: dict[str, Any], rows: dict[str, Any], names: list[str]
) -> None:
    of = Spans.model_validate(spans)
    numbers = span_numbers(spans_of(pa.table(rows), of, None), of).tolist()

    assert [span_names([number], of.unit)[0] for number in numbers] == names
    assert numbers == [span_number(name, of.unit) for name in names]


def test_a_span_of_a_location_is_that_of_all_its_rows() -> None:
    of = Spans(from_location=True)
    numbers = span_numbers(spans_of(pa.table({"a": [1, 2]}), of, "2013-02"), of)

    assert numbers.tolist() == [span_number("2013-02", "month")] * 2


@pytest.mark.parametrize("place", ["2013", "2013-13", "2013-1", "2013-01-01", "latest"])
def test_a_location_that_names_no_span_of_the_unit_is_refused(place: str) -> None:
    with pytest.raises(DataError, match="is not a month"):
        spans_of(pa.table({"a": [1]}), Spans(from_location=True), place)


def test_a_time_in_a_zone_is_taken_in_utc() -> None:
    late = datetime.datetime(
        2013, 1, 31, 20, tzinfo=datetime.timezone(datetime.timedelta(hours=-5))
    )
    rows = pa.table({"t": pa.array([late], pa.timestamp("us", "America/New_York"))})
    of = Spans(column="t")

    assert span_names(span_numbers(spans_of(rows, of, None), of).tolist(), "month") == ["2013-02"]


def test_text_is_no_date() -> None:
    with pytest.raises(DataError, match="column t is string, not a date") as caught:
        times_of(pa.table({"t": ["2013-01-01"]}), "t")

    assert "types: {t: timestamp}" in caught.value.remedy
