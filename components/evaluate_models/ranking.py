"""How well scores order the rows: exact AUC with DeLong's interval, and average precision.

Rules: ties count half; nothing is binned; all is O(n log n) by midranks. DeLong's variance is zero
where a handful of rows are ordered without a mistake, and no estimate of a class of a few rows:
there the interval is Wilson's with the smaller class as the number of rows, because no AUC A has a
larger variance than A(1 - A) by that number. Of two models that are both so, the difference has
MOVER's interval from both, which takes them for unpaired; equal predictions differ by exactly 0.

Sources: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988); the midrank form of Sun and Xu,
IEEE Signal Processing Letters 21 (2014); Birnbaum and Klose, Annals of Mathematical Statistics 28
(1957), for the largest variance; Newcombe, Statistics in Medicine 17 (1998) 873, for MOVER; Boyd,
Eng and Page, ECML PKDD (2013).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.evaluate_models.intervals import Floats, Measured, normal, wilson

# Rows of a class below which DeLong's variance is not relied on.
FEW = 10
NOTHING = 1e-12
OVER_SMALLER = "wilson_over_smaller_class"
Flags = npt.NDArray[np.bool_]


def midranks(values: Floats) -> Floats:
    """Return each value's rank from 1; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


@dataclass(frozen=True)
class Placements:
    """For each positive the share of negatives below it, for each negative of positives above."""

    positives: Floats
    negatives: Floats

    @property
    def auc(self) -> float:
        """The probability that a positive is scored above a negative, ties half."""
        return float(self.positives.mean())

    @property
    def error(self) -> float:
        """DeLong's standard error."""
        return _error(self.positives, self.negatives)

    @property
    def smaller(self) -> int:
        """How many rows the smaller class has."""
        return min(len(self.positives), len(self.negatives))

    @property
    def degenerate(self) -> bool:
        """Say whether DeLong's error says nothing of what another sample would give."""
        return self.smaller < FEW or self.error < NOTHING


def placements(positive: Flags, scores: Floats) -> Placements | None:
    """Return DeLong's structural components; None with fewer than two rows of a class."""
    up, down = scores[positive], scores[~positive]
    if len(up) < 2 or len(down) < 2:
        return None
    ranks = midranks(scores)
    below = (ranks[positive] - midranks(up)) / len(down)
    above = 1 - (ranks[~positive] - midranks(down)) / len(up)
    return Placements(below, above)


def auc(positive: Flags, scores: Floats, z: float) -> Measured | None:
    """Return the exact AUC with its interval; None with fewer than two rows of a class."""
    found = placements(positive, scores)
    if found is None:
        return None
    if found.degenerate:
        return _over_smaller(found, z)
    return normal(found.auc, found.error, z, "delong", 0.0, 1.0)


def _over_smaller(found: Placements, z: float) -> Measured:
    return wilson(min(1.0, found.auc), found.smaller, z, OVER_SMALLER)


def auc_difference(positive: Flags, first: Floats, second: Floats, z: float) -> Measured | None:
    """Return first AUC minus second AUC on the same rows, with its interval; None as for `auc`."""
    return minus_auc(positive, second, z)(first)


def minus_auc(positive: Flags, second: Floats, z: float) -> Callable[[Floats], Measured | None]:
    """Return the difference to one model, of any other's scores; its rows are ordered once."""
    two = placements(positive, second)

    def difference(first: Floats) -> Measured | None:
        one = placements(positive, first)
        if one is None or two is None:
            return None
        if one.degenerate and two.degenerate and not np.array_equal(first, second):
            return mover(_over_smaller(one, z), _over_smaller(two, z))
        error = _error(one.positives - two.positives, one.negatives - two.negatives)
        return normal(one.auc - two.auc, error, z, "delong_paired", -1.0, 1.0)

    return difference


def mover(one: Measured, two: Measured) -> Measured:
    """Return one minus two with MOVER's interval, which takes both for unpaired."""
    value = one.value - two.value
    below = math.hypot(one.value - one.lower, two.upper - two.value)
    above = math.hypot(one.upper - one.value, two.value - two.lower)
    return Measured(value, value - below, value + above, "mover_over_smaller_class")


def _error(positives: Floats, negatives: Floats) -> float:
    variance = positives.var(ddof=1) / len(positives) + negatives.var(ddof=1) / len(negatives)
    return math.sqrt(float(variance))


def average_precision(positive: Flags, scores: Floats, z: float) -> Measured | None:
    """Return the area under the precision-recall steps; None without positives.

    The area is taken as a proportion over the positives (Boyd, Eng and Page); Wilson's interval
    in place of their logit one, because it is defined at 0 and 1.
    """
    total = int(positive.sum())
    if total == 0:
        return None
    _, inverse, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    found = np.bincount(inverse, weights=positive, minlength=len(counts))
    precision = np.cumsum(found) / np.cumsum(counts)
    area = min(1.0, float((precision * found).sum() / total))
    return wilson(area, total, z, "wilson_over_positives")
