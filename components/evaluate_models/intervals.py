"""A measured value with its confidence interval, and the closed forms that several metrics share.

Rules: an interval always holds its value, and names its method; values are rounded to nine
decimals, below which the order of a sum shows, and to more where their unit is small
(regression.py); a value that is not defined is None, never NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
DIGITS = 9


@dataclass(frozen=True)
class Measured:
    """A value, its interval at the evaluation's confidence, and how the interval was made."""

    value: float
    lower: float
    upper: float
    method: str
    digits: int = DIGITS

    def to_dict(self) -> dict[str, Any]:
        """Return the value as it stands in evaluation.json."""
        numbers = {"value": self.value, "lower": self.lower, "upper": self.upper}
        rounded = {name: round(float(number), self.digits) for name, number in numbers.items()}
        return {**rounded, "method": self.method}


def z_quantile(confidence: float) -> float:
    """Return the two-sided standard normal quantile, 1.96 for 0.95."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def normal(
    value: float,
    error: float,
    z: float,
    method: str,
    low: float = -math.inf,
    high: float = math.inf,
) -> Measured:
    """Return value ± z standard errors, cut to what the metric can be."""
    return Measured(value, max(low, value - z * error), min(high, value + z * error), method)


def mean(losses: Floats, z: float, low: float = -math.inf) -> Measured | None:
    """Return the mean of independent per-row values with its normal approximation.

    None of fewer than two rows, which say nothing of how far a third may be off.
    """
    if len(losses) < 2:
        return None
    error = float(losses.std(ddof=1)) / math.sqrt(len(losses))
    return normal(float(losses.mean()), error, z, "normal", low)


def wilson(value: float, n: int, z: float, method: str = "wilson") -> Measured:
    """Return Wilson's score interval of a proportion over n (Wilson 1927); defined at 0 and 1."""
    centre = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Measured(value, min(value, centre - half), max(value, centre + half), method)


def ratio(numerator: Floats, denominator: Floats, z: float, low: float = 0.0) -> Measured | None:
    """Return the ratio of two paired means; the error by linearisation (delta method).

    None of fewer than two rows, and of a denominator whose mean is 0.
    """
    base = float(denominator.mean()) if len(denominator) else 0.0
    if len(numerator) < 2 or base == 0:
        return None
    value = float(numerator.mean()) / base
    residuals = numerator - value * denominator
    error = float(residuals.std(ddof=1)) / math.sqrt(len(residuals)) / abs(base)
    return normal(value, error, z, "delta", low)


def paired(first: Floats, second: Floats, z: float) -> Measured | None:
    """Return the mean of first minus second, both of the same rows; None as for `mean`."""
    found = mean(first - second, z)
    return replace(found, method="normal_paired") if found else None


def to_dicts(found: Mapping[str, Measured | None]) -> dict[str, Any]:
    """Return metrics as they stand in evaluation.json."""
    return {name: value.to_dict() if value else None for name, value in found.items()}
