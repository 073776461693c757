"""The mean over classes of each one's exact AUC against the rest, with DeLong's interval.

Rules: an area is that of `ranking`; the mean is defined where each class has two rows and the rest
two. The interval takes how often classes come for given, as DeLong does with two: a row adds to the
mean what its placement says in the area of its own class and in those of all others, and the
variance is that of these parts within each class. With two classes it is DeLong's. Where a class
has fewer than FEW rows the interval is Wilson's over the smallest class: a mean of areas has no
larger variance than one of them may have with the fewest rows.

Weights by rows are those of the slice, taken for given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from components.evaluate_models.intervals import Floats, Measured, normal, wilson
from components.evaluate_models.ranking import FEW, NOTHING, OVER_SMALLER, mover, placements
from components.evaluate_models.slices import Rows

METHOD, PAIRED = "delong_one_versus_rest", "delong_one_versus_rest_paired"


@dataclass(frozen=True)
class _Areas:
    """Each class's area, and what each row adds to each: [classes] and [rows, classes]."""

    areas: Floats
    parts: Floats
    labels: Rows

    @property
    def sizes(self) -> Rows:
        """How many rows each class has."""
        return np.bincount(self.labels, minlength=len(self.areas))

    @property
    def equal(self) -> Floats:
        """The weights of a plain mean."""
        return np.full(len(self.areas), 1 / len(self.areas))

    @property
    def smallest(self) -> int:
        """How many rows the smallest class has."""
        return int(self.sizes.min())

    def error(self, parts: Floats) -> float:
        """Return the standard error of a sum of parts, [rows], class by class."""
        variance = sum(
            size * float(parts[self.labels == number].var(ddof=1))
            for number, size in enumerate(self.sizes)
        )
        return math.sqrt(variance)


def macro_auc(labels: Rows, scores: Floats, z: float) -> Measured | None:
    """Return the mean of the areas, each class as much as another."""
    found = _areas(labels, scores)
    return _mean(found, found.equal, z) if found else None


def weighted_auc(labels: Rows, scores: Floats, z: float) -> Measured | None:
    """Return the mean of the areas, each class by its rows."""
    found = _areas(labels, scores)
    return _mean(found, found.sizes / len(labels), z) if found else None


def auc_difference(labels: Rows, first: Floats, second: Floats, z: float) -> Measured | None:
    """Return first minus second of the macro AUC of two models on the same rows."""
    one, two = _areas(labels, first), _areas(labels, second)
    if one is None or two is None:
        return None
    each = (_mean(one, one.equal, z), _mean(two, two.equal, z))
    if all(found.method == OVER_SMALLER for found in each) and not np.array_equal(first, second):
        return mover(*each)
    error = one.error((one.parts - two.parts).mean(axis=1))
    return normal(float((one.areas - two.areas).mean()), error, z, PAIRED, -1.0, 1.0)


def _mean(found: _Areas, weights: Floats, z: float) -> Measured:
    value, error = float(found.areas @ weights), found.error(found.parts @ weights)
    if found.smallest < FEW or error < NOTHING:
        return wilson(min(1.0, value), found.smallest, z, OVER_SMALLER)
    return normal(value, error, z, METHOD, 0.0, 1.0)


def _areas(labels: Rows, scores: Floats) -> _Areas | None:
    areas, parts = np.empty(scores.shape[1]), np.empty(scores.shape)
    for number in range(scores.shape[1]):
        positive = labels == number
        found = placements(positive, scores[:, number])
        if found is None:
            return None
        areas[number] = found.auc
        parts[positive, number] = found.positives / len(found.positives)
        parts[~positive, number] = found.negatives / len(found.negatives)
    return _Areas(areas, parts, labels)
