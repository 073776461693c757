"""Features: what both trainers read, as fixed columns that are mapped into memory as they lie.

Why: both frameworks must see the same numbers in the same batches, and reading them must cost
nothing, so that a difference between two models is a difference between frameworks.

Rules:
1. a split is one Arrow IPC file with one record batch: `dense` FixedSizeList<float32>[D], `ids`
   FixedSizeList<int32>[K], `label` float32 and, where the spec names one, `weight` float32, none
   of them with nulls;
2. an id feature of size n has the ids 0 ... n - 1 for its vocabulary, quantiles or hashes and the
   `further` ids after them for everything else (one of a plain vocabulary, none of a hash), so an
   embedding table needs n + further rows (`IdFeature.buckets`);
3. the arrays are read-only views of the file; copy a batch, never the whole;
4. the order of rows in an epoch depends on the seed and the epoch only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from components.core.artifacts import read_json, write_json
from components.core.errors import DataError
from components.core.settings import Digest, Positive, Section
from components.core.task import Task

SPEC_NAME = "features.json"
BLOCKS_OF_A_WINDOW = 64


class IdFeature(Section):
    """One id feature; `size` counts the ids of its values, `further` those of everything else."""

    name: str
    size: int
    further: int = 1

    @property
    def buckets(self) -> int:
        """Return the number of ids."""
        return self.size + self.further


class LabelScale(Section):
    """Mean and standard deviation of a regression's label in the training split."""

    mean: float = 0.0
    deviation: Positive = 1.0


class FeatureSpec(Section):
    """Names and order of the columns of `dense` and `ids`, the label, and rows by split.

    `weight` names the column that says what a row counts in the loss; None: all count alike.
    `preprocessing_sha256` is the digest of the fitted values that made them. `classes` are the
    names of a multi_class label's classes, by number, and `scale` is that of a regression's label;
    of a binary one nothing is written beside its name.
    """

    version: Literal[1] = 1
    dense: tuple[str, ...]
    ids: tuple[IdFeature, ...]
    label: str
    task: Task = "binary"
    classes: tuple[str, ...] = ()
    scale: LabelScale | None = None
    rows: dict[Literal["train", "eval"], int]
    weight: str | None = None
    preprocessing_sha256: Digest | None = None

    @classmethod
    def read(cls, folder: Path) -> FeatureSpec:
        """Return the spec of a features artifact; DataError for anything else."""
        try:
            return cls.model_validate(read_json(folder / SPEC_NAME))
        except ValidationError as error:
            raise DataError(
                f"{SPEC_NAME} is not one of ours: {error.errors()[0]['msg']}",
                remedy="run transform_features again",
            ) from error

    def write(self, folder: Path) -> None:
        """Write the spec into a features artifact."""
        left_out = {"task", "classes"} if self.task == "binary" else set()
        content = self.model_dump(mode="json", exclude_none=True, exclude=left_out)
        write_json(folder / SPEC_NAME, content)

    @property
    def outputs(self) -> int:
        """Return how many numbers a model gives for a row: a logit, one for each class, a value."""
        return len(self.classes) if self.task == "multi_class" else 1


@dataclass(frozen=True)
class FeatureArrays:
    """A split's features: `dense` (n, D) float32, `ids` (n, K) int32, `label` (n,) float32.

    `weight` (n,) float32 is what each row counts in the loss; None: all rows count alike.
    """

    dense: np.ndarray[Any, Any]
    ids: np.ndarray[Any, Any]
    label: np.ndarray[Any, Any]
    weight: np.ndarray[Any, Any] | None = None

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return len(self.label)

    def named(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return the arrays by name; `weight` only where rows have one."""
        arrays = {"dense": self.dense, "ids": self.ids, "label": self.label}
        return arrays if self.weight is None else arrays | {"weight": self.weight}


def write_split(folder: Path, split: str, arrays: FeatureArrays) -> None:
    """Write a split as one record batch; equal arrays give equal bytes."""
    columns = {
        "dense": _fixed_lists(arrays.dense, np.dtype(np.float32)),
        "ids": _fixed_lists(arrays.ids, np.dtype(np.int32)),
        "label": pa.array(np.ascontiguousarray(arrays.label, dtype=np.float32)),
    }
    if arrays.weight is not None:
        columns["weight"] = pa.array(np.ascontiguousarray(arrays.weight, dtype=np.float32))
    batch = pa.record_batch(list(columns.values()), names=list(columns))
    with pa.ipc.new_file(str(folder / f"{split}.arrow"), batch.schema) as writer:
        writer.write_batch(batch)


def _fixed_lists(values: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> pa.Array:
    rows, width = values.shape
    flat = pa.array(np.ascontiguousarray(values, dtype=dtype).reshape(-1))
    kind = pa.list_(pa.field("item", flat.type, nullable=False), width)
    return pa.Array.from_buffers(kind, rows, [None], children=[flat])


def load_split(folder: Path, split: str) -> FeatureArrays:
    """Return a split's arrays, mapped from the file; they are read-only.

    Raises DataError where the file is missing or is not what `features.json` says.
    """
    spec = FeatureSpec.read(folder)
    path = folder / f"{split}.arrow"
    try:
        batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
        arrays = FeatureArrays(
            dense=_view(batch.column("dense"), len(spec.dense)),
            ids=_view(batch.column("ids"), len(spec.ids)),
            label=batch.column("label").to_numpy(),
            weight=None if spec.weight is None else batch.column("weight").to_numpy(),
        )
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise DataError(
            f"{path.name} of the features cannot be read: {error}",
            remedy="run transform_features again",
        ) from error
    _check_rows(path, arrays, spec.rows)
    return arrays


def _view(column: pa.Array, width: int) -> np.ndarray[Any, Any]:
    return np.asarray(column.values.to_numpy()).reshape(len(column), width)


def _check_rows(path: Path, arrays: FeatureArrays, rows: Mapping[Any, int]) -> None:
    if arrays.rows != rows.get(path.stem):
        raise DataError(
            f"{path.name} has {arrays.rows} rows, not the {rows.get(path.stem)} of {SPEC_NAME}",
            remedy="run transform_features again",
            expected=rows.get(path.stem),
            actual=arrays.rows,
        )


def batch_indices(
    rows: int, batch_size: int, seed: int, epoch: int, window: int | None = None
) -> Iterator[np.ndarray[Any, Any]]:
    """Yield row numbers, every row once, in batches; the last one may be smaller.

    The order is drawn by PCG64 seeded with (seed, epoch): the same for both frameworks. It is a
    permutation of all rows; with a `window`, of blocks that lie together in the file, and then of
    the rows of so many blocks as make about that many rows, so that reading stays near.
    """
    random = np.random.default_rng([seed, epoch])
    if window is None or window >= rows:
        order = random.permutation(rows)
        for start in range(0, rows, batch_size):
            yield order[start : start + batch_size]
        return
    left = np.empty(0, dtype=np.int64)
    for numbers in _windows(rows, window, random):
        left = np.concatenate([left, numbers])
        whole = len(left) - len(left) % batch_size
        yield from np.split(left[:whole], range(batch_size, whole, batch_size)) if whole else ()
        left = left[whole:]
    if len(left):
        yield left


def _windows(rows: int, window: int, random: np.random.Generator) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the rows of a few blocks each time, permuted."""
    block = -(-window // BLOCKS_OF_A_WINDOW)
    starts = random.permutation(np.arange(0, rows, block))
    for first in range(0, len(starts), BLOCKS_OF_A_WINDOW):
        blocks = starts[first : first + BLOCKS_OF_A_WINDOW]
        numbers = np.concatenate([np.arange(b, min(b + block, rows)) for b in blocks])
        yield random.permutation(numbers)
