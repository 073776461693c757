"""Raw rows of the examples in batches of one size, however long their shards are.

Why: days of a few hundred rows and years of millions must both be handed to TensorFlow in large
batches, and no more than one batch may be in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components.core.batches import BATCH_ROWS, evenly
from components.core.errors import DataError
from components.core.examples import ExamplesManifest, InputType, iter_shard
from components.core.raw_inputs import raw_inputs

SOME_SHARDS, ROWS_OF_A_SHARD = 16, 512


@dataclass(frozen=True)
class RawRows:
    """Some rows' raw inputs {name: [rows]}, their label and their weight [rows] float32, if any."""

    raw: Mapping[str, np.ndarray[Any, Any]]
    label: np.ndarray[Any, Any]
    weight: np.ndarray[Any, Any] | None = None


def iter_rows(
    examples: Path,
    manifest: ExamplesManifest,
    split: str,
    inputs: Mapping[str, InputType],
    at_once: int = BATCH_ROWS,
    weight: str | None = None,
) -> Iterator[RawRows]:
    """Yield a split's rows in order, `at_once` rows each; the last batch may be smaller.

    `weight` names their column of weights. Raises DataError where one is none.
    """
    columns = [*dict.fromkeys([*inputs, manifest.label, *([weight] if weight else [])])]
    first = 0
    for batch in evenly(_batches(examples, manifest, split, columns), at_once):
        table = pa.Table.from_batches([batch])
        label = np.asarray(table[manifest.label].to_numpy(), dtype=np.float32)
        weights = None if weight is None else _weights(table[weight], weight, split, first)
        first += table.num_rows
        yield RawRows(raw_inputs(table, inputs), label, weights)


def _weights(column: pa.ChunkedArray, name: str, split: str, first: int) -> np.ndarray[Any, Any]:
    """Return weights as float32; DataError for the first row that has none above 0."""
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise DataError(
            f"transform.sample_weight: column {name} has no numbers",
            remedy="name a column of numbers, or give it the type in source.types",
            expected="int64 or float64",
            actual=str(column.type),
        )
    values = np.asarray(column.to_numpy(), dtype=np.float32)
    wrong = ~(np.isfinite(values) & (values > 0))
    if wrong.any():
        raise DataError(
            f"transform.sample_weight: row {first + int(np.argmax(wrong))} (from 0) of the "
            f"{split} examples has no weight in {name}",
            remedy="give every row a number above 0",
            expected="a finite number above 0",
        )
    return values


def some_rows(
    examples: Path, manifest: ExamplesManifest, split: str, inputs: Mapping[str, InputType]
) -> Mapping[str, np.ndarray[Any, Any]] | None:
    """Return rows of some shards, spread over them as these are over all; None: there is no row.

    Of a shard the first row group is read.
    """
    shards = manifest.shards_of(split)
    chosen = [shards[n * len(shards) // SOME_SHARDS] for n in range(SOME_SHARDS)] if shards else []
    heads = [
        table.take(np.unique(np.linspace(0, table.num_rows - 1, ROWS_OF_A_SHARD).astype(np.int64)))
        for shard in dict.fromkeys(chosen)
        for table in islice(iter_shard(examples, manifest, shard, list(inputs)), 1)
        if table.num_rows
    ]
    return raw_inputs(pa.concat_tables(heads), inputs) if heads else None


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
