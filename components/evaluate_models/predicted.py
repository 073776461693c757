"""Predictions of rows, batch by batch, merged in any order into what every metric is made from.

Why: metrics need the rows, since exact areas and the bins of calibration are made of ranks; but
only label, predictions and the columns to slice by. These are what batches, in one process or in
many, give to be merged; the metrics are then computed by the same code, in the same order of rows.

Rules: merging is associative and does not depend on order; a batch is named by the position of its
first row, so that what comes twice, or not at all, is an IntegrityError.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from components.core.errors import IntegrityError
from components.evaluate_models.candidates import Measurable
from components.evaluate_models.intervals import Floats
from components.evaluate_models.target import Target

# No column that settings name has a space in its name.
PREDICTION = "prediction of "


@dataclass(frozen=True)
class Predicted:
    """Batches by the position of their first row; nothing is copied before `table`."""

    batches: tuple[tuple[int, pa.Table], ...] = ()

    @classmethod
    def merged(cls, parts: Iterable[Predicted]) -> Predicted:
        """Return all batches of several parts."""
        return cls(tuple(batch for part in parts for batch in part.batches))

    def table(self, rows: int) -> pa.Table:
        """Return the rows in their order; IntegrityError where they are not these, each once."""
        ordered = sorted((b for b in self.batches if b[1].num_rows), key=lambda batch: batch[0])
        ends = np.cumsum([0, *(table.num_rows for _, table in ordered)])
        if not ordered or [*(first for first, _ in ordered), rows] != ends.tolist():
            raise IntegrityError(
                "the batches of predictions are not the rows of the eval split, each once",
                remedy="look for a worker that reads other examples, or an engine that repeats",
                expected=rows,
                actual=int(ends[-1]),
            )
        return pa.concat_tables([table for _, table in ordered])


def predict(
    models: Sequence[Measurable],
    table: pa.Table,
    columns: Sequence[str],
    target: Target,
    first: int = 0,
) -> Predicted:
    """Return a batch's predictions by every model, with the columns that metrics need."""
    found = table.select(list(dict.fromkeys(columns)))
    for model in models:
        predictions = column_of(model.predictions(table, target))
        found = found.append_column(PREDICTION + model.name, predictions)
    return Predicted(((first, found),))


def column_of(predictions: Floats) -> pa.Array:
    """Return predictions as a column; several of a row are a list of fixed size."""
    if predictions.ndim == 1:
        return pa.array(predictions)
    flat = pa.array(predictions.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, predictions.shape[1])


def scores(table: pa.Table) -> Mapping[str, Floats]:
    """Return the predictions in a merged table: {model: [rows] or [rows, classes]}."""
    return {
        name.removeprefix(PREDICTION): _values(table[name])
        for name in table.column_names
        if name.startswith(PREDICTION)
    }


def _values(column: pa.ChunkedArray) -> Floats:
    if not pa.types.is_fixed_size_list(column.type):
        return np.asarray(column.to_numpy())
    flat = column.combine_chunks().flatten().to_numpy()
    return np.asarray(flat).reshape(-1, column.type.list_size)
