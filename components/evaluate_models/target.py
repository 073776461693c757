"""What the models predict, and which labels and predictions of it can be measured.

Rules: of a class of two or several every label names one, and two classes at least occur twice, so
that a model can be right or wrong about which; of a number every label is one, and not all are the
same; a model gives what the task asks for, for every row (`components.core.task`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from components.core.errors import DataError
from components.core.examples import ExamplesManifest
from components.core.task import Task
from components.evaluate_models.intervals import Floats

GIVES = {
    "binary": "one probability a row",
    "multi_class": "a probability for each class a row, of sum 1",
    "regression": "one finite number a row",
}
# Float32 probabilities of a hundred classes add up to 1 within this.
SUM_TOLERANCE = 1e-4
WORD = {"binary": "probabilities", "multi_class": "probabilities", "regression": "numbers"}


@dataclass(frozen=True)
class Target:
    """The label's column, the task, and the names of a multi-class label's classes by number."""

    label: str
    task: Task = "binary"
    classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, manifest: ExamplesManifest) -> Target:
        """Return what the examples are labelled with."""
        return cls(manifest.label, manifest.task, manifest.classes)

    def said(self) -> dict[str, Any]:
        """Return what evaluation.json says of the target; of a class of two the label alone."""
        if self.task == "binary":
            return {"label": self.label}
        classes = {"classes": list(self.classes)} if self.classes else {}
        return {"label": self.label, "task": self.task, **classes}

    def labels(self, table: pa.Table) -> Floats:
        """Return the labels as numbers, [rows]; DataError for what cannot be measured."""
        column = table[self.label].combine_chunks().cast(pa.float64())
        values = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
        return self._numbers(values) if self.task == "regression" else self._classes(values)

    def _classes(self, values: Floats) -> Floats:
        number = 2 if self.task == "binary" else self.width
        found, counts = np.unique(np.nan_to_num(values, nan=-1), return_counts=True)
        known = set(found.tolist()) <= set(range(number))
        if not known or (counts >= 2).sum() < 2 or (number == 2 and counts.min() < 2):
            what = "0 and 1, each" if number == 2 else f"0 to {number - 1}, two of them at least"
            raise DataError(
                f"label {self.label} of the eval split must hold {what} twice, and nothing else",
                remedy="evaluate on a span with both outcomes"
                if number == 2
                else "evaluate on a span with several classes, each one of the target's",
                expected=[float(n) for n in range(number)],
                actual=found.tolist()[:5],
            )
        return values

    def _numbers(self, values: Floats) -> Floats:
        finite = values[np.isfinite(values)]
        if len(finite) < len(values) or len(np.unique(finite)) < 2:
            raise DataError(
                f"label {self.label} of the eval split must be a number in every row, and not the "
                "same one in all",
                remedy="evaluate on a span with labels that differ",
                expected=len(values),
                actual=len(finite),
            )
        return values

    @property
    def width(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    def checked(self, model: str, predictions: Any, rows: int) -> Floats:
        """Return a model's predictions in double precision; DataError for others than GIVES."""
        found = np.asarray(predictions, dtype=np.float64)
        shape = (rows, self.width) if self.task == "multi_class" else (rows,)
        if found.shape != shape:
            raise DataError(
                f"{model} gives predictions of shape {found.shape} for {rows} rows",
                remedy=f"export a model that gives {GIVES[self.task]}",
                expected=list(shape),
                actual=list(found.shape),
            )
        wrong = int((~self.right(found)).sum())
        if wrong:
            raise DataError(
                f"{model} gives {wrong} of {rows} predictions that are no {WORD[self.task]}",
                remedy="look for missing or infinite values in its inputs, and at its last layer",
            )
        return found

    def right(self, found: Floats) -> Any:
        """Say of each row whether its prediction is what the task asks for."""
        if self.task == "regression":
            return np.isfinite(found)
        within = (found >= 0) & (found <= 1)
        if self.task == "binary":
            return within
        return within.all(axis=1) & (np.abs(found.sum(axis=1) - 1) <= SUM_TOLERANCE)
