"""Expected calibration error of every slice, with an interval by a Poisson bootstrap.

Error: rows are put into 15 bins of equal size by the rank of their prediction (equal predictions
share a bin); the error is the mean over rows of |mean prediction - share of positives| of the bin.

Interval: the resamples of `bootstrap` give the standard error, and the interval is the value ± z
standard errors, cut at 0. Bins stay as they are on the full data. Not the bootstrap's percentiles:
resampling adds noise to every bin, so they lie above the value. The value itself errs upwards on
small slices, never downwards: a gate on it is on the safe side.
One resample serves all slices and models, so it costs O(rows), not O(rows x slices), memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.evaluate_models.bootstrap import METHOD, resamples
from components.evaluate_models.intervals import Floats, Measured, normal
from components.evaluate_models.ranking import midranks
from components.evaluate_models.slices import NO_SLICE, Partition, Rows

BINS = 15


@dataclass(frozen=True)
class _Cells:
    """Each row's cell: bin of its slice; rows of no slice share one cell at the end."""

    cells: Rows
    slices: int

    def errors(self, residuals: Floats, sizes: Floats) -> Floats:
        """Return each slice's calibration error; residuals and sizes may be weighted."""
        width = self.slices * BINS + 1
        sums = np.bincount(self.cells, weights=residuals, minlength=width)[:-1]
        gaps: Floats = np.abs(sums.reshape(self.slices, BINS)).sum(axis=1)
        return gaps / np.maximum(sizes, 1.0)


def calibration_errors(
    partitions: Sequence[Partition], labels: Floats, scores: Sequence[Floats], z: float
) -> list[list[list[Measured]]]:
    """Return the error by model, by partition, by slice; each model's scores are [rows]."""
    cells = [[_cells(partition, s) for partition in partitions] for s in scores]
    residuals = [s - labels for s in scores]
    codes = [_codes(partition) for partition in partitions]
    values = _errors(codes, cells, residuals, np.ones(len(labels)))
    samples = [_errors(codes, cells, residuals, weights) for weights in resamples(len(labels))]
    return [
        [
            _measure(values[m][p], np.stack([sample[m][p] for sample in samples]), z)
            for p in range(len(partitions))
        ]
        for m in range(len(scores))
    ]


def _measure(values: Floats, samples: Floats, z: float) -> list[Measured]:
    deviations = samples.std(axis=0, ddof=1)
    return [
        normal(float(value), float(error), z, METHOD, 0.0, 1.0)
        for value, error in zip(values, deviations, strict=True)
    ]


def _errors(
    codes: Sequence[Rows],
    cells: Sequence[Sequence[_Cells]],
    residuals: Sequence[Floats],
    weights: Floats,
) -> list[list[Floats]]:
    """Return the errors by model and partition under one weight for each row."""
    sizes = [
        np.bincount(code, weights=weights, minlength=cell.slices + 1)[:-1].astype(np.float64)
        for code, cell in zip(codes, cells[0], strict=True)
    ]
    weighted = [weights * residual for residual in residuals]
    return [
        [cell.errors(residual, size) for cell, size in zip(row, sizes, strict=True)]
        for row, residual in zip(cells, weighted, strict=True)
    ]


def _codes(partition: Partition) -> Rows:
    """Return each row's slice; rows of no slice share one at the end."""
    return np.where(partition.codes == NO_SLICE, len(partition.values), partition.codes)


def _cells(partition: Partition, scores: Floats) -> _Cells:
    slices = len(partition.values)
    cells = np.full(len(scores), slices * BINS, dtype=np.intp)
    for number, rows in enumerate(partition.rows()):
        cells[rows] = number * BINS + bins(scores[rows])
    return _Cells(cells, slices)


def bins(scores: Floats) -> Rows:
    """Return each prediction's bin of BINS, by its rank; equal predictions share one."""
    shares = (midranks(scores) - 0.5) / len(scores)
    return np.minimum((shares * BINS).astype(np.intp), BINS - 1)
