"""Batches of rows as arrays of their own, gathered from the mapped file: a process's part of each.

Rules: the order of rows is `batch_indices` over the rows that train, whatever the number of
processes; only a process's own part is gathered, so memory stays flat; labels are what a model
learns (heads.py), so that of a regression is scaled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.core.features import FeatureArrays, batch_indices
from components.core.training_settings import Train
from components.training.class_weights import class_weights
from components.training.group import ALONE, Group, part_of
from components.training.heads import BINARY, Head
from components.training.stopping import Rows

Array = np.ndarray[Any, Any]
VALIDATION_ROWS = 8192  # of a batch that is only looked at


@dataclass(frozen=True)
class Part:
    """A process's part of a batch: the batch has `rows`, of which the part weighs `share`."""

    arrays: FeatureArrays
    rows: int
    share: float


@dataclass(frozen=True)
class Parts:
    """The parts of the rows that train and of those that validate."""

    arrays: FeatureArrays
    train: Train
    rows: Rows
    class_weights: Array | None
    group: Group
    head: Head = BINARY

    @classmethod
    def of(
        cls, arrays: FeatureArrays, train: Train, group: Group = ALONE, head: Head = BINARY
    ) -> Parts:
        """Return the parts that a process of the group takes, by the settings.

        Raises what Rows.split and class_weights raise.
        """
        rows = Rows.split(arrays.rows, train)
        weights = None
        if train.class_weights is not None:  # else no label is read before its batch
            labels = arrays.label[rows.numbers(np.arange(rows.count))]
            weights = class_weights(train, labels, head.classes)
        return cls(arrays, train, rows, weights, group, head)

    def of_epoch(self, epoch: int, taken: int = 0) -> Iterator[Part]:
        """Yield the parts of an epoch's batches after those that were taken."""
        train = self.train
        window, count = train.shuffle_window, self.rows.count
        orders = batch_indices(count, train.batch_size, train.seed, epoch, window)
        for number, order in enumerate(orders):
            if number >= taken:
                yield self._part(self.rows.numbers(order))

    def of_validation(self) -> Iterator[Part]:
        """Yield the parts of the rows that validate, in their order."""
        rows = self.rows.validation
        for start in range(0, self.rows.validating, VALIDATION_ROWS):
            if rows is not None:
                yield self._part(rows[start : start + VALIDATION_ROWS])

    def _part(self, order: Array) -> Part:
        weights = self._weights(order) if self.group.count > 1 else None
        rows, share = part_of(order, weights, self.group.rank, self.group.count)
        return Part(self._gather(rows), len(order), share)

    def _gather(self, rows: Array) -> FeatureArrays:
        arrays = self.arrays
        return FeatureArrays(
            dense=np.take(arrays.dense, rows, axis=0),
            ids=np.take(arrays.ids, rows, axis=0),
            label=self.head.learned(np.take(arrays.label, rows)),
            weight=self._weights(rows),
        )

    def _weights(self, rows: Array) -> Array | None:
        """Return what rows count in the loss: their own weight times that of their class."""
        own, of_class = self.arrays.weight, self.class_weights
        weights = None if own is None else np.take(own, rows)
        if of_class is None:
            return weights
        classes = of_class[np.take(self.arrays.label, rows).astype(np.int64)]
        return classes if weights is None else weights * classes
