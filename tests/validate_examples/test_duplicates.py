"""Repeated rows against a naive count, whatever the types, the order and the batches."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.validate_examples.duplicates import RepeatCounter, row_hashes

TYPES = {"n": pa.int64(), "x": pa.float64(), "s": pa.string()}
# Few different values, so that rows do repeat, and those that are easily confused.
VALUES = {
    "n": st.sampled_from([None, 0, 1, -1, 2**62, 2**62 + 1]),
    "x": st.sampled_from([None, 0.0, -0.0, math.nan, 1.0, math.inf, -math.inf, 5e-324]),
    "s": st.sampled_from([None, "", "a", "a\x00", "a\x00b", "\x00", "ä", "None"]),
}
ROWS = st.lists(st.fixed_dictionaries(VALUES), max_size=60)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.table({name: pa.array([r[name] for r in rows], kind) for name, kind in TYPES.items()})


def plain(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return what makes rows equal: NaN is NaN, -0.0 is 0.0, missing is missing."""
    x = row["x"]
    return row["n"], "nan" if x is not None and math.isnan(x) else x, row["s"]


def naive(rows: list[dict[str, Any]]) -> list[int]:
    seen: set[tuple[Any, ...]] = set()
    found = []
    for number, row in enumerate(rows):
        if plain(row) in seen:
            found.append(number)
        seen.add(plain(row))
    return found


def count(tables: list[pa.Table]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        counter = RepeatCounter(Path(folder))
        for part in tables:
            counter.add(part)
        return counter.result(5)


@given(rows=ROWS, cut=st.integers(0, 60))
def test_repeats_are_those_of_a_naive_count_however_the_rows_are_cut(
    rows: list[dict[str, Any]], cut: int
) -> None:
    whole = table(rows)
    expected = naive(rows)

    repeats = count([whole.slice(0, cut), whole.slice(cut)])

    assert (repeats.rows, repeats.count) == (len(rows), len(expected))
    assert repeats.first == tuple(expected[:5])
    assert repeats.share == (len(expected) / len(rows) if rows else 0.0)


def test_a_value_in_another_column_is_another_row() -> None:
    rows = pa.table({"a": [1, 2, 0], "b": [2, 1, 3]})
    assert len(set(row_hashes(rows).tolist())) == 3


def test_a_million_distinct_rows_have_no_repeat_and_their_copies_all_are() -> None:
    numbers = np.arange(1_000_000)
    rows = pa.table({"a": numbers % 1000, "b": numbers // 1000})

    assert count([rows]).count == 0
    repeats = count([rows, rows.slice(7, 1000)])
    assert (repeats.count, repeats.first[0]) == (1000, 1_000_000)


@pytest.mark.parametrize("name", TYPES)
def test_every_column_counts(name: str) -> None:
    same = {"n": 1, "x": 1.0, "s": "a"}
    other = same | {name: {"n": 2, "x": 2.0, "s": "b"}[name]}
    assert count([table([same, other])]).count == 0
    assert count([table([same, same])]).count == 1
