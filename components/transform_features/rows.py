"""Raw rows of the examples in batches of one size, however long their shards are.

Why: days of a few hundred rows and years of millions must both be handed to TensorFlow in large
batches, and no more than one batch may be in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components.core.batches import BATCH_ROWS, evenly
from components.core.errors import DataError
from components.core.examples import ExamplesManifest, InputType, iter_shard, raw_inputs


@dataclass(frozen=True)
class RawRows:
    """Some rows' raw inputs {name: [rows]} and their label [rows] float32."""

    raw: Mapping[str, np.ndarray[Any, Any]]
    label: np.ndarray[Any, Any]


def iter_rows(
    examples: Path,
    manifest: ExamplesManifest,
    split: str,
    inputs: Mapping[str, InputType],
    at_once: int = BATCH_ROWS,
) -> Iterator[RawRows]:
    """Yield a split's rows in order, `at_once` rows each; the last batch may be smaller."""
    columns = [*inputs, manifest.label]
    for batch in evenly(_batches(examples, manifest, split, columns), at_once):
        table = pa.Table.from_batches([batch])
        label = np.asarray(table[manifest.label].to_numpy(), dtype=np.float32)
        yield RawRows(raw_inputs(table, inputs), label)


def _row_groups(
    examples: Path, manifest: ExamplesManifest, split: str, columns: list[str]
) -> Iterator[pa.Table]:
    for shard in manifest.shards_of(split):
        yield from iter_shard(examples, manifest, shard, columns)


def _batches(
    examples: Path, manifest: ExamplesManifest, split: str, columns: list[str]
) -> Iterator[pa.RecordBatch]:
    for table in _row_groups(examples, manifest, split, columns):
        yield from table.to_batches()


def require_values(
    examples: Path, manifest: ExamplesManifest, inputs: Mapping[str, InputType]
) -> None:
    """Raise DataError for a column without a single value to fit on in the training split.

    Reading ends as soon as every column has shown one.
    """
    missing = dict(inputs)
    for table in _row_groups(examples, manifest, "train", list(inputs)):
        for name, values in raw_inputs(table, missing).items():
            if (values != "" if missing[name] == "string" else np.isfinite(values)).any():
                del missing[name]
        if not missing:
            return
    for name in missing:
        raise DataError(
            f"feature {name} has no value in the training split",
            remedy="remove it from transform.features, or choose another window",
        )
