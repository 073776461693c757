"""The parts of a batch that processes take: together they are the batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.training.group import part_of

WEIGHTS = st.floats(0.125, 128, width=32)


@settings(deadline=None)
@given(st.lists(WEIGHTS, min_size=1, max_size=40), st.integers(1, 9), st.booleans())
def test_parts_are_the_batch_and_their_shares_make_one(
    weights: list[float], count: int, weighted: bool
) -> None:
    order, given = np.arange(len(weights))[::-1], np.array(weights, np.float32)
    parts = [part_of(order, given if weighted else None, rank, count) for rank in range(count)]
    assert all(len(rows) for rows, _ in parts)
    taken = [rows for rows, share in parts if share]
    assert np.concatenate(taken).tolist() == order.tolist()
    assert max(map(len, taken)) - min(map(len, taken)) <= 1
    assert sum(share for _, share in parts) == pytest.approx(1)


@settings(deadline=None)
@given(st.lists(st.tuples(WEIGHTS, WEIGHTS), min_size=1, max_size=40), st.integers(1, 9))
def test_the_shares_of_the_parts_means_make_the_mean_of_the_batch(
    rows: list[tuple[float, float]], count: int
) -> None:
    losses, weights = np.array(rows, np.float64).T
    total = 0.0
    for rank in range(count):
        part, share = part_of(np.arange(len(rows)), weights, rank, count)
        total += share * np.average(losses[part], weights=weights[part])
    assert total == pytest.approx(np.average(losses, weights=weights))
