"""How far apart two groups may be, looked for over every ordered pair of groups.

Rules: the value is that of the groups which are highest and lowest by point. A small group may lie
further off than either without its point showing it, so the bound on the far side (the upper one of
the difference, the lower one of the ratio) is the furthest of all pairs: the two groups that truly
lie furthest apart are one of them, so it covers their distance at least as often as a pair's own
interval does. The bound on the near side is that of highest and lowest.

Rates: the variances of both groups are recovered from their Wilson intervals (MOVER), which have a
width where no row, or every one, was said to be positive and resampling would vary nothing.

Sources: Newcombe, Statistics in Medicine 17 (1998) 873, method 10; Donner and Zou, Statistical
Methods in Medical Research 21 (2012) 347, for ratios.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.evaluate_models.bootstrap import METHOD as RESAMPLED
from components.evaluate_models.intervals import Floats, Measured, wilson

Integers = npt.NDArray[np.intp]
Bounds = tuple[Floats, Floats]
Against = Callable[[int], Bounds]
MOVER, MOVER_RATIO = "mover_wilson", "mover_ratio_wilson"


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


def proportions(parts: Integers, wholes: Integers, z: float) -> Pairs:
    """Return MOVER's intervals of independent proportions, each of one row at least."""
    rates = parts / wholes
    each = [wilson(p, int(n), z) for p, n in zip(rates, wholes, strict=True)]
    low = np.array([max(0.0, one.lower) for one in each])
    high = np.array([min(1.0, one.upper) for one in each])

    def minus(number: int) -> Bounds:
        p, value = rates[number], rates[number] - rates
        below = np.hypot(p - low[number], high - rates)
        above = np.hypot(high[number] - p, rates - low)
        return value - below, value + above

    def by(number: int) -> Bounds:
        p = rates[number]
        below, above = low[number] * (2 * p - low[number]), low * (2 * rates - low)
        lower_root = _root(p, rates, p - low[number], high - rates)
        upper_root = _root(p, rates, high[number] - p, rates - low)
        # The paper's lower bound, multiplied out so that it holds where high is twice the rate.
        lower = _divided(np.full_like(rates, below), p * rates + lower_root, 0.0)
        return lower, _divided(p * rates + upper_root, above, np.inf)

    return Pairs(MOVER, MOVER_RATIO, minus, by)


def _root(p: float, q: Floats, a: float, b: Floats) -> Floats:
    """Return the root of (p q)^2 - (p^2 - a^2)(q^2 - b^2)."""
    return np.sqrt(np.maximum(0.0, (p * b) ** 2 + (a * q) ** 2 - (a * b) ** 2))


def _divided(parts: Floats, wholes: Floats, otherwise: float) -> Floats:
    return np.divide(parts, wholes, out=np.full_like(wholes, otherwise), where=wholes > 0)


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

    return Pairs(RESAMPLED, RESAMPLED, minus, by)


def _errors(samples: Floats) -> Floats:
    """Return each column's standard deviation over its finite samples; NaN of fewer than two."""
    finite = np.isfinite(samples)
    number = finite.sum(axis=0)
    mean = np.where(finite, samples, 0.0).sum(axis=0) / np.maximum(number, 1)
    squares = np.where(finite, samples - mean, 0.0) ** 2
    variance = squares.sum(axis=0) / np.maximum(number - 1, 1)
    return np.where(number >= 2, np.sqrt(variance), np.nan)
