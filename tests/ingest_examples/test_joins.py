"""Joins: every row stays in its place, exactly once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.core.data_settings import Join
from components.core.errors import DataError, SettingsError
from components.ingest_examples.joins import index_table


def join(**parts: Any) -> Join:
    return Join.model_validate({"location": "x", "on": ["key"], "columns": ["value"], **parts})


def join_table(rows: pa.Table, further: pa.Table, settings: Join, name: str) -> pa.Table:
    return index_table(rows.schema, further, settings, name).join(rows)[0]


LEFT = pa.table({"key": ["a", "b", None, "z"], "n": [1, 2, 3, 4]})
RIGHT = pa.table({"key": ["b", "a"], "value": [20, 10]})


def test_a_row_without_a_partner_gets_null() -> None:
    joined = join_table(LEFT, RIGHT, join(prefix="plane_"), "planes")

    assert joined["n"].to_pylist() == [1, 2, 3, 4]
    assert joined["plane_value"].to_pylist() == [10, 20, None, None]


keys = st.one_of(st.none(), st.integers(0, 6))


@settings(deadline=None)
@given(
    left=st.lists(st.tuples(keys, keys), max_size=40),
    right=st.dictionaries(st.tuples(keys, keys), st.integers(), max_size=20),
)
def test_a_join_is_a_look_up_of_each_row_in_turn(
    left: list[tuple[Any, Any]], right: dict[tuple[Any, Any], int]
) -> None:
    right = {key: value % 1000 for key, value in right.items()}
    rows = pa.table(
        {
            "k": pa.array([k for k, _ in left], pa.int64()),
            "l": pa.array([k for _, k in left], pa.int64()),
        }
    )
    further = pa.table(
        {
            "k": pa.array([k for k, _ in right], pa.int64()),
            "l": pa.array([k for _, k in right], pa.int64()),
            "value": pa.array(list(right.values()), pa.int64()),
        }
    )

    joined = join_table(rows, further, join(on=["k", "l"]), "further")

    expected = [None if None in key else right.get(key) for key in left]
    assert joined["value"].to_pylist() == expected
    assert joined.select(["k", "l"]).equals(rows)


def test_a_shifted_key_crosses_days_and_years() -> None:
    def times(*values: datetime) -> pa.Array:
        return pa.array(values, pa.timestamp("s", "UTC"))

    rows = pa.table({"key": times(datetime(2014, 1, 1, 0, tzinfo=UTC))})
    further = pa.table(
        {
            "key": times(
                datetime(2013, 12, 31, 23, tzinfo=UTC), datetime(2014, 1, 1, 0, tzinfo=UTC)
            ),
            "value": [1, 2],
        }
    )

    joined = join_table(rows, further, join(shift_hours={"key": 1}), "weather")

    assert joined["value"].to_pylist() == [1]


def test_a_key_that_is_not_unique_is_refused_and_counted() -> None:
    doubled = pa.table({"key": ["a", "a", "b"], "value": [1, 2, 3]})

    with pytest.raises(DataError, match="1 rows of table planes repeat a key"):
        join_table(LEFT, doubled, join(), "planes")


def test_a_row_of_the_further_table_without_a_key_is_no_partner_and_repeats_none() -> None:
    right = pa.table({"key": [None, None, "a"], "value": [1, 2, 3]})

    assert join_table(LEFT, right, join(), "planes")["value"].to_pylist() == [3, None, None, None]


def test_a_further_table_is_indexed_once_and_looked_up_in_any_batches() -> None:
    lookup = index_table(LEFT.schema, RIGHT, join(), "planes")

    batches = [lookup.join(LEFT.slice(start, 1))[0] for start in range(LEFT.num_rows)]

    assert pa.concat_tables(batches).equals(lookup.join(LEFT)[0])
    assert lookup.join(LEFT.slice(0, 0))[0].num_rows == 0


def test_a_further_table_without_rows_joins_nothing_but_nulls() -> None:
    joined = join_table(LEFT, RIGHT.slice(0, 0), join(), "planes")

    assert joined["value"].to_pylist() == [None] * 4


def test_nan_is_no_key() -> None:
    nan = float("nan")
    rows, further = (
        pa.table({"key": [1.5, nan, None]}),
        {"key": [nan, nan, 1.5], "value": [1, 2, 3]},
    )

    assert join_table(rows, pa.table(further), join(), "x")["value"].to_pylist() == [3, None, None]


TIMES = {zone: pa.table({"key": pa.array([0], pa.timestamp("s", zone))}) for zone in (None, "UTC")}
NUMBERS = pa.table({"key": [0], "value": [1]})


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (TIMES[None], TIMES["UTC"]),
        (TIMES["UTC"], TIMES[None]),
        (TIMES[None], NUMBERS),
        (NUMBERS, TIMES[None]),
    ],
)
def test_times_with_a_zone_or_without_and_numbers_are_no_keys_of_each_other(
    left: pa.Table, right: pa.Table
) -> None:
    right = pa.table({"key": right["key"], "value": [1]})
    with pytest.raises(DataError, match=r"key key is .* in table planes") as caught:
        join_table(left.select(["key"]), right, join(), "planes")
    assert "times have a zone in both or in none" in caught.value.remedy


@pytest.mark.parametrize(
    ("left", "right", "cause"),
    [
        (LEFT.drop_columns(["key"]), RIGHT, "column key is missing in the main table"),
        (
            pa.table({"key": [1, 2]}),
            RIGHT,
            "key key is string in table planes, and int64 in the main table",
        ),
    ],
)
def test_a_key_that_does_not_fit_is_named(left: pa.Table, right: pa.Table, cause: str) -> None:
    with pytest.raises(DataError, match=cause):
        join_table(left, right, join(), "planes")


def test_a_joined_column_never_replaces_another() -> None:
    with pytest.raises(SettingsError, match="column n twice"):
        join_table(LEFT, RIGHT.rename_columns(["key", "n"]), join(columns=["n"]), "planes")


@pytest.mark.parametrize("shift", [{"key": 1}, {"value": 1}])
def test_only_a_time_among_the_keys_can_be_shifted(shift: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match="shift"):
        join_table(LEFT, RIGHT, join(shift_hours=shift), "planes")
