"""Rows as every served form takes them: what is missing, what is refused, nothing lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.core.errors import DataError
from components.core.raw_inputs import batches, raw_inputs


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.text())), st.lists(st.one_of(st.none(), st.integers(0, 9))))
def test_a_missing_text_is_an_empty_text(
    texts: list[str | None], numbers: list[int | None]
) -> None:
    table = pa.table({"a": pa.array(texts, pa.string())})
    raw = raw_inputs(table, {"a": "string"})["a"]
    digits = raw_inputs(pa.table({"a": pa.array(numbers, pa.int64())}), {"a": "string"})["a"]

    assert raw.dtype == object and raw.shape == (len(texts),)
    assert raw.tolist() == ["" if text is None else text for text in texts]
    assert digits.tolist() == ["" if n is None else str(n) for n in numbers]


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(width=32))))
def test_a_missing_number_is_not_a_number(values: list[float | None]) -> None:
    table = pa.table({"a": pa.array(values, pa.float64())})
    raw = raw_inputs(table, {"a": "float32"})["a"]

    expected = np.array([np.nan if value is None else value for value in values], np.float32)
    assert raw.dtype == np.float32
    np.testing.assert_array_equal(raw, expected)


def test_whole_numbers_of_any_size_become_floats() -> None:
    table = pa.table({"a": pa.array([2**62, None, -1])})

    raw = raw_inputs(table, {"a": "float32"})["a"]

    np.testing.assert_array_equal(raw, np.array([2.0**62, np.nan, -1], np.float32))


@pytest.mark.parametrize(("kind", "values"), [("float32", ["1.5"]), ("string", [1.5])])
def test_a_column_of_another_kind_is_not_a_raw_input(kind: str, values: list[Any]) -> None:
    with pytest.raises(DataError, match="column a holds"):
        raw_inputs(pa.table({"a": values}), {"a": kind})


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 12))
def test_batches_hold_every_row_once_in_order(total: int, size: int) -> None:
    parts = [part["a"] for part in batches({"a": np.arange(total)}, size)]

    assert [row for part in parts for row in part] == list(range(total))
    assert all(len(part) <= size for part in parts)
