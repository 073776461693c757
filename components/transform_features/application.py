"""Apply the saved transform to rows in large batches, without Beam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.core.batches import BATCH_ROWS
from components.core.raw_inputs import batches
from components.transform_features.rows import RawRows

Raw = Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Transformed:
    """`dense` [n, D] float32 and `ids` [n, K] int64; either may have no columns."""

    dense: np.ndarray[Any, Any]
    ids: np.ndarray[Any, Any]


class SavedTransform:
    """TFT's saved transform layer, loaded once."""

    def __init__(self, transform_graph: Path) -> None:
        import tensorflow_transform as tft

        self._layer = tft.TFTransformOutput(str(transform_graph)).transform_features_layer()

    def apply(self, raw: Raw) -> Transformed:
        """Return the features of the rows, in their order."""
        parts = [self._apply_batch(batch) for batch in batches(raw, BATCH_ROWS)]
        parts = parts or [self._apply_batch(raw)]
        return Transformed(
            np.concatenate([part.dense for part in parts]),
            np.concatenate([part.ids for part in parts]),
        )

    def make(self, _: str, rows: RawRows) -> Transformed:
        """Return the features of a batch of rows."""
        return self.apply(rows.raw)

    def _apply_batch(self, raw: Raw) -> Transformed:
        import tensorflow as tf

        outputs = self._layer({name: tf.constant(values) for name, values in raw.items()})
        rows = len(next(iter(raw.values())))
        nothing = {"dense": np.empty((rows, 0), np.float32), "ids": np.empty((rows, 0), np.int64)}
        found = nothing | {name: value.numpy() for name, value in outputs.items()}
        return Transformed(found["dense"], found["ids"])
