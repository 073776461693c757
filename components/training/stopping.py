"""Which rows validate, and when training stops because they no longer get better.

Rules: validation rows are taken from the training split, by the seed alone; no step sees them. The
evaluation split, which decides the release, has no part in it. The first epoch is always better
than none; a later one is better where its loss is lower than the best by more than `min_delta`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from components.core.errors import DataError
from components.core.settings import Section
from components.core.training_settings import Train

Array = np.ndarray[Any, Any]
_HOLD_OUT = 1  # a third word beside the seed, so that the draw is not an epoch's order of rows


@dataclass(frozen=True)
class Rows:
    """The row numbers that train and those that validate, ascending; `train` None: all of them."""

    count: int
    train: Array | None = None
    validation: Array | None = None

    @classmethod
    def split(cls, rows: int, train: Train) -> Rows:
        """Hold out `validation_share` of the rows, at least one and not all of them."""
        if rows == 0:
            raise DataError(
                "the training split has no rows", remedy="widen the window or check the source"
            )
        if not train.validation_share:
            return cls(rows)
        held = max(1, round(rows * train.validation_share))
        if held >= rows:
            raise DataError(
                f"a validation share of {train.validation_share} leaves none of {rows} rows",
                remedy="lower train.validation_share or widen the window",
            )
        order = np.random.default_rng([train.seed, 0, _HOLD_OUT]).permutation(rows)
        return cls(rows - held, np.sort(order[held:]), np.sort(order[:held]))

    @property
    def validating(self) -> int:
        """Return the number of rows that validate."""
        return 0 if self.validation is None else len(self.validation)

    def numbers(self, order: Array) -> Array:
        """Return the split's row numbers of positions among the rows that train."""
        return order if self.train is None else self.train[order]


class Watch(Section):
    """The validation loss of each epoch, and the best epoch, counted from 1; 0: there is none."""

    losses: tuple[float, ...] = ()
    best_epoch: int = 0

    def after(self, loss: float, min_delta: float) -> Watch:
        """Return what holds after one more epoch with that loss."""
        losses = (*self.losses, loss)
        if self.best_epoch and not loss < self.losses[self.best_epoch - 1] - min_delta:
            return Watch(losses=losses, best_epoch=self.best_epoch)
        return Watch(losses=losses, best_epoch=len(losses))

    def is_over(self, patience: int | None) -> bool:
        """Say whether that many epochs in a row, up to the last, were not better."""
        return patience is not None and len(self.losses) - self.best_epoch >= patience
