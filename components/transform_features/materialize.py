"""Write the features of every row, and prove the ONNX form on the way.

Rules: rows in are rows out, in their order; one batch of rows is in memory at a time; a row's
features do not depend on the rows beside it; the ONNX form gives TFT's features on hand-made edge
rows, then on every row of the evaluation split, batch by batch, each before it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from components.core.errors import IntegrityError
from components.core.examples import SPLITS, ExamplesManifest, Split
from components.core.feature_writer import SplitWriter
from components.core.features import FeatureArrays
from components.transform_features import independence, onnx_form, parity
from components.transform_features.application import Raw, SavedTransform, Transformed
from components.transform_features.recipe import Fitted
from components.transform_features.rows import RawRows, iter_rows, some_rows


class Maker(Protocol):
    """What gives features: the saved transform in this process, or what an engine has written."""

    def make(self, split: Split, rows: RawRows) -> Transformed:
        """Return the features of the next rows of a split, which it is asked for in order."""


@dataclass(frozen=True)
class Agreement:
    """How many rows both forms were given, and by how much a dense value differed at most."""

    rows: int = 0
    largest: float = 0.0

    def joined(self, other: Agreement) -> Agreement:
        """Return the agreement on the rows of both."""
        return Agreement(self.rows + other.rows, max(self.largest, other.largest))


class Materializer:
    """What writes features: the examples, the fitted transform and the folder of its two forms."""

    def __init__(
        self,
        examples: Path,
        manifest: ExamplesManifest,
        fitted: Fitted,
        transform_graph: Path,
        weight: str | None = None,
    ) -> None:
        self._examples = examples
        self._manifest = manifest
        self._fitted = fitted
        self._weight = weight
        self._inputs = {column.name: column.dtype for column in fitted.inputs}
        self._onnx = parity.OnnxTransform(transform_graph / onnx_form.FILE_NAME)

    def require_independent(self, saved: SavedTransform) -> None:
        """Raise SettingsError where a training row's features depend on the rows beside it."""
        rows = some_rows(self._examples, self._manifest, "train", self._inputs)
        if rows is not None:
            independence.require_independent(saved, rows, self._fitted)

    def prove_edges(self, saved: SavedTransform) -> Agreement:
        """Return the forms' agreement on rows that the data may never hold.

        Raises IntegrityError where they differ.
        """
        edges = parity.edge_rows(self._fitted)
        return self._compare(saved.apply(edges), edges)

    def write(self, features: Path, maker: Maker) -> Agreement:
        """Write both splits; return the forms' agreement on the rows of the evaluation split.

        Raises IntegrityError where they differ.
        """
        found = {split: self._write_split(features, split, maker) for split in SPLITS}
        return found["eval"]

    def _write_split(self, features: Path, split: Split, maker: Maker) -> Agreement:
        agreement = Agreement()
        with self._writer(features, split) as writer:
            for rows in self._rows(split):
                made = maker.make(split, rows)
                _reconcile(split, len(made.dense), len(rows.label))
                if split == "eval":
                    agreement = agreement.joined(self._compare(made, rows.raw))
                ids = made.ids.astype(np.int32)
                writer.write(FeatureArrays(made.dense, ids, rows.label, rows.weight))
        return agreement

    def _rows(self, split: Split) -> Iterator[RawRows]:
        inputs, weight = self._inputs, self._weight
        return iter_rows(self._examples, self._manifest, split, inputs, weight=weight)

    def _writer(self, features: Path, split: Split) -> SplitWriter:
        return SplitWriter(
            features,
            split,
            rows=self._manifest.rows_of(split),
            dense=len(self._fitted.dense),
            ids=len(self._fitted.ids),
            weighted=self._weight is not None,
        )

    def _compare(self, made: Transformed, raw: Raw) -> Agreement:
        largest = parity.require_same(made, self._onnx.apply(raw), self._fitted)
        return Agreement(len(made.dense), largest)


def _reconcile(split: str, made: int, given: int) -> None:
    if made != given:
        raise IntegrityError(
            f"the transform made {made} rows of {given} in split {split}",
            remedy="report it with the settings",
            expected=given,
            actual=made,
        )
