"""How far apart two groups may be, looked for over every ordered pair of groups.

Rules: the value is that of the groups which are highest and lowest by point. A small group may lie
further off than either without its point showing it, so the bound on the far side (the upper one of
the difference, the lower one of the ratio) is the furthest of all pairs: the two groups that truly
lie furthest apart are one of them, so it covers their distance at least as often as a pair's own
interval does. The bound on the near side is that of highest and lowest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from components.evaluate_models.bootstrap import METHOD
from components.evaluate_models.intervals import Floats, Measured

Bounds = tuple[Floats, Floats]
Against = Callable[[int], Bounds]


@dataclass(frozen=True)
class Pairs:
    """Lower and upper bounds of one group minus, and by, each other; NaN where not defined."""

    method: str
    ratio_method: str
    minus: Against
    by: Against


def difference(values: Floats, pairs: Pairs, high: int, low: int) -> Measured | None:
    """Return highest minus lowest, its upper bound the largest of all pairs."""
    lower, _ = pairs.minus(high)
    upper = np.fmax.reduce([_others(pairs.minus(i)[1], i) for i in range(len(values))], axis=None)
    return _measured(values[high] - values[low], lower[low], upper, pairs.method)


def ratio(values: Floats, pairs: Pairs, high: int, low: int) -> Measured | None:
    """Return lowest by highest, its lower bound the smallest of all pairs; None by zero."""
    if not values[high]:
        return None
    _, upper = pairs.by(low)
    lower = np.fmin.reduce([_others(pairs.by(i)[0], i) for i in range(len(values))], axis=None)
    return _measured(values[low] / values[high], lower, upper[high], pairs.ratio_method)


def _others(bounds: Floats, number: int) -> Floats:
    return np.delete(bounds, number)


def _measured(value: float, lower: float, upper: float, method: str) -> Measured | None:
    found = np.isfinite([value, lower, upper]).all()
    return Measured(float(value), float(lower), float(upper), method) if found else None


def resampled(values: Floats, samples: Floats, z: float) -> Pairs:
    """Return the value ± z standard errors over the resamples that define it, two at least.

    samples are [resamples, groups]; a ratio is cut at 0.
    """

    def minus(number: int) -> Bounds:
        half = z * _errors(samples[:, [number]] - samples)
        value = values[number] - values
        return value - half, value + half

    def by(number: int) -> Bounds:
        with np.errstate(divide="ignore", invalid="ignore"):
            half = z * _errors(samples[:, [number]] / samples)
            value = values[number] / values
            return np.maximum(0.0, value - half), value + half

    return Pairs(METHOD, METHOD, minus, by)


def _errors(samples: Floats) -> Floats:
    """Return each column's standard deviation over its finite samples; NaN of fewer than two."""
    finite = np.isfinite(samples)
    number = finite.sum(axis=0)
    mean = np.where(finite, samples, 0.0).sum(axis=0) / np.maximum(number, 1)
    squares = np.where(finite, samples - mean, 0.0) ** 2
    variance = squares.sum(axis=0) / np.maximum(number - 1, 1)
    return np.where(number >= 2, np.sqrt(variance), np.nan)
