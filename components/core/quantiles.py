"""The interval of a quantile, from ranks alone: whatever the distribution is.

With B ~ Binomial(n, q), the r-th smallest of n independent values lies above the q-quantile with
probability P(B < r), so ranks whose tails are each (1 - confidence) / 2 at most bound the quantile
(David and Nagaraja, Order Statistics, 2003, section 7.1). With few values a high quantile has no
upper bound: the largest may lie below it. Standard library only.
"""

from __future__ import annotations

import math
from itertools import accumulate


def ranks(count: int, quantile: float, confidence: float) -> tuple[int | None, int | None]:
    """Return the ranks, from 1, of the values that bound a quantile; None where none does.

    `quantile` and `confidence` lie strictly between 0 and 1.
    """
    tail = (1 - confidence) / 2
    below = list(accumulate(_probabilities(count, quantile)))  # P(B <= k)
    lower = sum(probability <= tail for probability in below)
    upper = 1 + sum(probability < 1 - tail for probability in below)
    return lower or None, upper if upper <= count else None


def least_count(quantile: float, confidence: float) -> int:
    """Return how many values a quantile above a half needs for both of its bounds."""
    tail = (1 - confidence) / 2
    return math.ceil(math.log(tail) / math.log(quantile))


def _probabilities(count: int, quantile: float) -> list[float]:
    """Return P(B = k) for k of 0 to count."""
    yes, no = math.log(quantile), math.log1p(-quantile)
    whole = math.lgamma(count + 1)
    return [
        math.exp(
            whole - math.lgamma(k + 1) - math.lgamma(count - k + 1) + k * yes + (count - k) * no
        )
        for k in range(count + 1)
    ]
