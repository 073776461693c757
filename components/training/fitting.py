"""The loop over epochs and batches that both trainers run, whichever framework takes the step.

Rules: the order of rows is `batch_indices`; a batch is gathered from the mapped file, so memory
stays flat; the loss of every batch is looked at, and training stops at the first that is not a
finite number. It knows neither framework: a step takes arrays and returns the batch's mean loss.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.core.errors import DataError
from components.core.features import FeatureArrays, batch_indices
from components.core.settings import Train

log = logging.getLogger(__name__)
Array = np.ndarray[Any, Any]
Step = Callable[[FeatureArrays], float]


@dataclass(frozen=True)
class Fit:
    """What was done: the rows of each epoch, steps in all, and the mean loss of the last epoch."""

    epoch_rows: tuple[int, ...]
    steps: int
    final_loss: float


def fit(step: Step, arrays: FeatureArrays, train: Train) -> Fit:
    """Take every step of every epoch; raise DataError at the first loss that is not finite."""
    if arrays.rows == 0:
        raise DataError(
            "the training split has no rows", remedy="widen the window or check the source"
        )
    steps, loss, epoch_rows = 0, math.nan, []
    for epoch in range(train.epochs):
        started = time.monotonic()
        taken, rows, loss = _epoch(step, arrays, train, epoch)
        steps += taken
        epoch_rows.append(rows)
        _report(epoch, train.epochs, loss, rows / (time.monotonic() - started))
    return Fit(tuple(epoch_rows), steps, loss)


def batches(arrays: FeatureArrays, train: Train, epoch: int) -> Iterator[FeatureArrays]:
    """Yield an epoch's batches as contiguous arrays of their own."""
    for rows in batch_indices(arrays.rows, train.batch_size, train.seed, epoch):
        yield FeatureArrays(
            dense=np.take(arrays.dense, rows, axis=0),
            ids=np.take(arrays.ids, rows, axis=0),
            label=np.take(arrays.label, rows),
        )


def _epoch(step: Step, arrays: FeatureArrays, train: Train, epoch: int) -> tuple[int, int, float]:
    """Return the steps taken, the rows they took, and the mean loss of a row."""
    total, taken, rows = 0.0, 0, 0
    for batch in batches(arrays, train, epoch):
        loss = step(batch)
        taken += 1
        if not math.isfinite(loss):
            raise DataError(
                f"the loss is {loss} at batch {taken} of epoch {epoch + 1}",
                remedy="lower train.learning_rate, or look for infinite values in the features",
                expected="a finite loss",
                actual=loss,
            )
        total += loss * batch.rows
        rows += batch.rows
    return taken, rows, total / rows


def _report(epoch: int, epochs: int, loss: float, speed: float) -> None:
    log.info("epoch %d of %d: loss %.5f, %.0f samples/s", epoch + 1, epochs, loss, speed)
