"""The processes that take one training's steps together, without a framework.

Rules: every process runs the same loop over the same batches and takes its own part of each; what
they must agree on, the loss and a wish to stop, is a sum over all of them. The first (rank 0)
writes what is kept. A part is contiguous; parts differ by one row at most. A batch with fewer rows
than processes leaves some without: they take one of its rows, which then weighs nothing, because
every process has to take every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]


class Group(Protocol):
    """What a process knows of the group that it belongs to."""

    @property
    def rank(self) -> int:
        """The process's number, from 0."""
        ...

    @property
    def count(self) -> int:
        """The number of processes."""
        ...

    def total(self, values: Sequence[float]) -> list[float]:
        """Return the sums over all processes; each of them calls it with as many values."""
        ...


@dataclass(frozen=True)
class Alone:
    """The group of a process that trains by itself."""

    rank: int = 0
    count: int = 1

    def total(self, values: Sequence[float]) -> list[float]:
        """Return the values."""
        return [*values]


ALONE = Alone()


def part_of(order: Array, weights: Array | None, rank: int, count: int) -> tuple[Array, float]:
    """Return the rows of a batch that are one of `count` parts, and what they weigh of it, 0 to 1.

    `weights` are the rows' own weights in the loss, in the order of `order`; None: all alike.
    """
    if count == 1:
        return order, 1.0
    bounds = np.linspace(0, len(order), count + 1).astype(np.int64)
    start, end = bounds[rank], bounds[rank + 1]
    if start == end:
        return order[:1], 0.0
    if weights is None:
        return order[start:end], (end - start) / len(order)
    total = weights.sum(dtype=np.float64)
    return order[start:end], float(weights[start:end].sum(dtype=np.float64) / total)
