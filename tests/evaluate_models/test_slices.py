"""Which rows are in which slice."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.core.errors import SettingsError
from components.evaluate_models.slices import partitions

TABLE = pa.table(
    {
        "origin": ["JFK", "EWR", None, "JFK", "JFK", "LGA"],
        "month": pa.array([12, 2, 12, 12, 2, None], pa.int64()),
        "distance": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    }
)


def _found(table, specs, minimum=1):
    return {
        key: rows.tolist()
        for partition in partitions(table, specs, minimum)
        for key, rows in zip(partition.keys(), partition.rows(), strict=True)
    }


def test_a_column_gives_one_slice_a_value_and_missing_values_none():
    assert _found(TABLE, [["origin"]]) == {
        "overall": [0, 1, 2, 3, 4, 5],
        "origin=EWR": [1],
        "origin=JFK": [0, 3, 4],
        "origin=LGA": [5],
    }


def test_numbers_are_in_the_order_of_numbers():
    assert list(_found(TABLE, [["month"]])) == ["overall", "month=2", "month=12"]


def test_a_cross_keeps_the_order_of_the_settings():
    assert _found(TABLE, [["month", "origin"]]) == {
        "overall": [0, 1, 2, 3, 4, 5],
        "month=2,origin=EWR": [1],
        "month=2,origin=JFK": [4],
        "month=12,origin=JFK": [0, 3],
    }


def test_slices_below_the_minimum_are_left_out_and_counted():
    found = partitions(TABLE, [["origin"], ["month", "origin"]], 2)
    assert [p.keys() for p in found] == [("overall",), ("origin=JFK",), ("month=12,origin=JFK",)]
    assert [p.left_out for p in found] == [0, 2, 2]


def test_the_same_slices_asked_for_twice_come_once():
    assert len(partitions(TABLE, [["origin"], ["origin"], []], 1)) == 2


def test_a_column_without_any_value_has_no_slices():
    empty = pa.table({"origin": pa.array([None, None], pa.string())})
    assert list(_found(empty, [["origin"]])) == ["overall"]


@pytest.mark.parametrize(("column", "reason"), [("carrier", "do not have"), ("distance", "double")])
def test_a_column_that_cannot_be_sliced_by_is_named(column, reason):
    with pytest.raises(SettingsError, match=rf"{column}.*{reason}"):
        partitions(TABLE, [[column]], 1)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([1, 2, 3, None])),
        min_size=1,
        max_size=40,
    )
)
def test_a_cross_puts_each_row_where_its_values_say(pairs):
    table = pa.table(
        {
            "text": pa.array([text for text, _ in pairs], pa.string()),
            "number": pa.array([number for _, number in pairs], pa.int64()),
        }
    )
    found = _found(table, [["text", "number"]])
    expected: dict[str, list[int]] = {}
    for row, (text, number) in enumerate(pairs):
        if text is not None and number is not None:
            expected.setdefault(f"text={text},number={number}", []).append(row)
    assert {key: rows for key, rows in found.items() if key != "overall"} == expected
