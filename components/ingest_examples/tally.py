"""Counts of the examples by shard and label, and what a split must have to be learned from.

Rules: every row has a label; each split has rows, and their labels differ; every class of a target
of several has a row to train on. Values never leave this module: messages hold counts, and classes
as the settings name them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import pyarrow as pa

from components.core.data_settings import Target, Window
from components.core.errors import DataError
from components.core.examples import SPLITS

Array = np.ndarray[Any, Any]
CHANGE = "change source.target, source.splits, or the window"


def tally_of(target: Target, window: Window) -> Tally:
    """Return what counts the labels of a target's kind."""
    return Numbers(target, window) if target.task == "regression" else Classes(target, window)


class Tally(ABC):
    """Counts examples by shard, to be compared with what was written."""

    def __init__(self, target: Target, window: Window) -> None:
        self._target = target
        self._spans = window.spans()
        self.rows = np.zeros(len(SPLITS) * len(self._spans), dtype=np.int64)
        self.without_key = 0
        self._without_label = 0

    @property
    def total(self) -> int:
        """Return the number of examples."""
        return int(self.rows.sum())

    def add(self, shards: Array, labels: pa.ChunkedArray) -> None:
        """Count rows by the number of their shard and by their label."""
        self.rows += np.bincount(shards, minlength=len(self.rows))
        if labels.null_count:
            self._without_label += labels.null_count
            known = labels.is_valid()
            shards, labels = shards[known.to_numpy()], labels.filter(known)
        self._count(shards, labels.to_numpy())

    @abstractmethod
    def _count(self, shards: Array, labels: Array) -> None:
        """Count labels, none of them missing."""

    def by_shard(self) -> dict[tuple[str, str], int]:
        """Return the rows of each shard, by split and span, where there are any."""
        counted = self.rows.reshape(-1, len(SPLITS)).tolist()
        return {
            (split, span): rows
            for span, of_splits in zip(self._spans, counted, strict=True)
            for split, rows in zip(SPLITS, of_splits, strict=True)
            if rows
        }

    def require_labels(self) -> None:
        """Raise DataError for rows without a label, and a split that nothing is learned from."""
        if self._without_label:
            raise self._unlabelled(self._without_label)
        for number, split in enumerate(SPLITS):
            rows = int(self.rows[number :: len(SPLITS)].sum())
            if not rows:
                raise DataError(
                    f"split {split} has no rows", remedy="change source.splits, or the window"
                )
            self._require_difference(number, split, rows)

    @abstractmethod
    def _unlabelled(self, rows: int) -> DataError:
        """Return the error for rows whose value is no answer to the target's question."""

    @abstractmethod
    def _require_difference(self, number: int, split: str, rows: int) -> None:
        """Raise DataError where all labels of a split are one, or a class is lacking."""


class Classes(Tally):
    """The tally of a label that is one of two classes or of several."""

    def __init__(self, target: Target, window: Window) -> None:
        super().__init__(target, window)
        self._names = target.classes or ("0", "1")
        self._counts = np.zeros((len(self.rows), len(self._names)), dtype=np.int64)

    def _count(self, shards: Array, labels: Array) -> None:
        width = len(self._names)
        places = shards * width + labels
        counts = np.bincount(places, minlength=self._counts.size)
        self._counts += counts.reshape(-1, width)

    def _unlabelled(self, rows: int) -> DataError:
        return DataError(
            f"{rows} of {self.total} rows have a {self._target.column} that is none of "
            "source.target.classes",
            remedy="name every value in source.target.classes, or leave such rows out of the "
            "source (a query can)",
            expected=list(self._names),
            actual=rows,
        )

    def _require_difference(self, number: int, split: str, rows: int) -> None:
        counts = self._counts[number :: len(SPLITS)].sum(axis=0)
        if self._target.classes is None and 0 in counts:
            raise DataError(
                f"the target has one class only in split {split}: {counts[1]} of {rows} rows are 1",
                remedy=CHANGE,
                expected="both classes",
                actual=int(counts[1]),
            )
        lacking = [name for name, count in zip(self._names, counts, strict=True) if not count]
        if lacking and (split == "train" or len(lacking) > len(self._names) - 2):
            raise DataError(
                f"split {split} has no row of class {', '.join(lacking)}",
                remedy=CHANGE,
                expected=list(self._names) if split == "train" else "two classes or more",
                actual=dict(zip(self._names, counts.tolist(), strict=True)),
            )


class Numbers(Tally):
    """The tally of a label that is a number."""

    def __init__(self, target: Target, window: Window) -> None:
        super().__init__(target, window)
        self._least = np.full(len(SPLITS), np.inf)
        self._most = np.full(len(SPLITS), -np.inf)

    def _count(self, shards: Array, labels: Array) -> None:
        np.minimum.at(self._least, shards % len(SPLITS), labels)
        np.maximum.at(self._most, shards % len(SPLITS), labels)

    def _unlabelled(self, rows: int) -> DataError:
        return DataError(
            f"{rows} of {self.total} rows have a {self._target.column} that is no finite number",
            remedy="leave such rows out of the source (a query can), or give them a number",
            expected="numbers that a float32 can hold",
            actual=rows,
        )

    def _require_difference(self, number: int, split: str, rows: int) -> None:
        if self._least[number] == self._most[number]:
            raise DataError(
                f"the target is one and the same number in all {rows} rows of split {split}",
                remedy=CHANGE,
                expected="numbers that differ",
                actual=1,
            )
