"""Two sets of named numbers held against each other: what differs, by how much, and where.

Rules: what only one side has is a difference; two NaN are equal; a difference of numbers is taken
relative to the larger of both, or to 1 where both are smaller; texts are equal or not. Nothing is
left out and nothing is judged: a tolerance only says which differences are counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Value = float | int | str
Column = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Compared:
    """How many values were compared, which differ beyond the tolerance, and the largest difference.

    `largest` is infinite where one side lacks a value or texts differ; `where` names the place.
    """

    what: str
    values: int
    tolerance: float
    differing: tuple[str, ...]
    largest: float
    where: str

    @property
    def same(self) -> bool:
        """Return whether nothing differs beyond the tolerance."""
        return not self.differing


def compare(
    what: str, ours: Mapping[str, Value], stock: Mapping[str, Value], tolerance: float = 0.0
) -> Compared:
    """Compare values by name."""
    names = sorted({*ours, *stock})
    found = {name: difference(ours.get(name), stock.get(name)) for name in names}
    where = max(names, key=lambda name: found[name], default="")
    return Compared(
        what=what,
        values=len(names),
        tolerance=tolerance,
        differing=tuple(name for name in names if found[name] > tolerance),
        largest=found.get(where, 0.0),
        where=where if found.get(where) else "",
    )


def difference(one: Value | None, two: Value | None) -> float:
    """Return how far two values are apart; None is one that is not there."""
    if one is None or two is None or isinstance(one, str) or isinstance(two, str):
        return 0.0 if one == two else math.inf
    if math.isnan(one) and math.isnan(two):
        return 0.0
    if one == two:
        return 0.0
    apart = abs(one - two) / max(1.0, abs(one), abs(two))
    return math.inf if math.isnan(apart) else apart


def compare_columns(
    ours: Mapping[str, Column], stock: Mapping[str, Column], tolerance: float = 0.0
) -> list[Compared]:
    """Compare columns of the same rows in the same order, one result a column."""
    return [
        _compare_column(name, ours.get(name), stock.get(name), tolerance)
        for name in sorted({*ours, *stock})
    ]


def _compare_column(
    name: str, ours: Column | None, stock: Column | None, tolerance: float
) -> Compared:
    if ours is None or stock is None or ours.shape != stock.shape:
        rows = 0 if ours is None else len(ours)
        return Compared(name, rows, tolerance, (f"no such {name}",), math.inf, name)
    one, two = ours.astype(np.float64), stock.astype(np.float64)
    scale = np.maximum(1.0, np.maximum(np.abs(one), np.abs(two)))
    apart = np.where((one == two) | (np.isnan(one) & np.isnan(two)), 0.0, np.abs(one - two) / scale)
    apart = np.where(np.isnan(apart), np.inf, apart)
    rows = np.flatnonzero(apart > tolerance)
    largest = float(apart.max(initial=0.0))
    where = f"row {int(apart.argmax())}" if largest else ""
    return Compared(name, len(one), tolerance, tuple(f"row {row}" for row in rows), largest, where)
