"""How one model treats the groups of a sensitive column, and how far apart they are.

| metric              | of a group                                        |
|---------------------|---------------------------------------------------|
| selection_rate      | share of rows that are said to be positive        |
| true_positive_rate  | share of positives that are said to be positive   |
| false_positive_rate | share of negatives that are said to be positive   |
| calibration         | mean prediction / share of positives              |

Rules: positive is said above 0.5. A difference is the highest group minus the lowest, a ratio the
lowest over the highest, of the groups that define the metric, two at least. Choosing them makes the
difference err upwards, the more groups the more: a gate on it is on the safe side. The upper bound
of a difference and the lower one of a ratio are those of the worst pair of all groups (pairs.py),
not of the two that are named. A difference that may be chance has an interval that includes zero. A
group smaller than the minimum is left out and counted; a row without a value is in none. Rates
have closed intervals that are honest where a group has few rows or a rate of 0 or 1; calibration is
resampled. A sensitive column need not be a feature, and says nothing of one that stands in for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from components.evaluate_models.bootstrap import resamples
from components.evaluate_models.intervals import Floats
from components.evaluate_models.intervals import ratio as ratio_of_means
from components.evaluate_models.metrics import THRESHOLD, confusion, share
from components.evaluate_models.pairs import Pairs, difference, proportions, ratio, resampled
from components.evaluate_models.slices import NO_SLICE, Partition, Rows

RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")
CALIBRATION = "calibration"
METRICS = (*RATES, CALIBRATION)
Counts = npt.NDArray[np.intp]
Apart = tuple[dict[str, Any] | None, dict[str, Any] | None]


@dataclass(frozen=True)
class _Groups:
    """Each row's group, and the rows' labels and predictions."""

    number: int
    codes: Rows
    labels: Floats
    scores: Floats

    def counts(self) -> dict[str, tuple[Counts, Counts]]:
        """Return each rate's part and whole, [groups]."""
        codes = self.codes * 4 + 2 * (self.scores > THRESHOLD) + (self.labels == 1)
        cells = np.bincount(codes, minlength=4 * (self.number + 1)).reshape(-1, 2, 2)[: self.number]
        rows, positives = cells.sum(axis=(1, 2)), cells[:, :, 1].sum(axis=1)
        said, hits = cells[:, 1].sum(axis=1), cells[:, 1, 1]
        found = (said, rows), (hits, positives), (said - hits, rows - positives)
        return dict(zip(RATES, found, strict=True))

    def calibration(self, weights: Floats) -> Floats:
        """Return the calibration of weighted rows, [groups]; NaN without positives."""
        positives, sums = (
            np.bincount(self.codes, weights=weights * of_row, minlength=self.number + 1)
            for of_row in (self.labels, self.scores)
        )
        found: Floats = np.full(self.number, np.nan)
        number = self.number
        np.divide(sums[:number], positives[:number], out=found, where=positives[:number] > 0)
        return found


def fairness(
    columns: Sequence[Partition], labels: Floats, scores: Sequence[Floats], z: float
) -> list[dict[str, Any]]:
    """Return {column: groups, differences and ratios} of each model; scores are [rows] of each."""
    groups = [[_groups(column, labels, of_model) for column in columns] for of_model in scores]
    samples: list[list[list[Floats]]] = [[[] for _ in columns] for _ in scores]
    for weights in resamples(len(labels)) if columns else ():
        for of_model, kept in zip(groups, samples, strict=True):
            for group, found in zip(of_model, kept, strict=True):
                found.append(group.calibration(weights))
    return [
        {
            column.columns[0]: _column(column, groups[m][c], np.stack(samples[m][c]), z)
            for c, column in enumerate(columns)
        }
        for m in range(len(scores))
    ]


def _groups(column: Partition, labels: Floats, scores: Floats) -> _Groups:
    number = len(column.values)
    codes = np.where(column.codes == NO_SLICE, number, column.codes)
    return _Groups(number, codes, labels, scores)


def _column(column: Partition, groups: _Groups, samples: Floats, z: float) -> dict[str, Any]:
    """Return a column's part; samples of the calibration are [resamples, groups]."""
    names = [str(value) for (value,) in column.values]
    found = {
        name: _measure(groups.labels[rows], groups.scores[rows], z)
        for name, rows in zip(names, column.rows(), strict=True)
    }
    comparisons = {
        metric: _rates(names, parts, wholes, z)
        for metric, (parts, wholes) in groups.counts().items()
    }
    values = groups.calibration(np.ones(len(groups.labels)))
    comparisons[CALIBRATION] = _calibrations(names, values, samples, z)
    return {
        "left_out": column.left_out,
        "groups": found,
        "differences": {metric: pair[0] for metric, pair in comparisons.items()},
        "ratios": {metric: pair[1] for metric, pair in comparisons.items()},
    }


def _measure(labels: Floats, scores: Floats, z: float) -> dict[str, Any]:
    """Return one group's metrics with the intervals that a slice's have."""
    positive = labels == 1
    counts = confusion(positive, scores)
    said = counts["tp"] + counts["fp"]
    calibration = ratio_of_means(scores, labels, z)
    return {
        "n": len(labels),
        "selection_rate": share(said, len(labels), z),
        "true_positive_rate": share(counts["tp"], counts["tp"] + counts["fn"], z),
        "false_positive_rate": share(counts["fp"], counts["fp"] + counts["tn"], z),
        "calibration": calibration.to_dict() if calibration else None,
    }


def _rates(names: Sequence[str], parts: Counts, wholes: Counts, z: float) -> Apart:
    defined = np.flatnonzero(wholes)
    parts, wholes = parts[defined], wholes[defined]
    return _compare(_of(names, defined), parts / wholes, proportions(parts, wholes, z))


def _calibrations(names: Sequence[str], values: Floats, samples: Floats, z: float) -> Apart:
    defined = np.flatnonzero(~np.isnan(values))
    values = values[defined]
    return _compare(_of(names, defined), values, resampled(values, samples[:, defined], z))


def _of(names: Sequence[str], numbers: Rows) -> list[str]:
    return [names[int(number)] for number in numbers]


def _compare(names: Sequence[str], values: Floats, pairs: Pairs) -> Apart:
    """Return difference and ratio of the highest and the lowest group; None for what is undefined.

    Of equal groups the first is the highest and the last the lowest, so that they are two.
    """
    if len(values) < 2:
        return None, None
    high = int(np.argmax(values))
    low = len(values) - 1 - int(np.argmin(values[::-1]))
    highest_lowest = {"highest": names[high], "lowest": names[low]}
    apart = difference(values, pairs, high, low), ratio(values, pairs, high, low)
    first, second = (part.to_dict() | highest_lowest if part else None for part in apart)
    return first, second
