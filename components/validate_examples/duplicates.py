"""Rows that repeat an earlier row exactly, counted in memory that does not grow with the rows.

Rules:
1. rows are equal where all columns are: a missing value equals a missing value, NaN equals NaN,
   and 0.0 equals -0.0;
2. a row is known by a hash of 64 bits, made of whole columns at once: among a billion distinct rows
   the chance that any two share one is 3 %, and that would add one row to the count;
3. hashes wait on the disk, in 256 files by their first byte; a row's repeat lies in the same file,
   and one file at a time is looked at.

This module imports pandas for its hash of texts: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from pandas.util import hash_array

_FILES = 256
_STEP, _FIRST, _SECOND = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)
_MISSING = np.uint64(0xD6E8FEB86659FD93)
Hashes = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass(frozen=True)
class Repeats:
    """How many of the rows repeat an earlier one, and the numbers of the first few that do."""

    rows: int
    count: int
    first: tuple[int, ...]

    @property
    def share(self) -> float:
        """The share of rows that repeat an earlier one; 0 of no rows."""
        return self.count / self.rows if self.rows else 0.0


def row_hashes(table: pa.Table) -> Hashes:
    """Return a hash of each row over all columns in their order, [rows] uint64 (rule 1)."""
    hashes = np.zeros(table.num_rows, dtype=np.uint64)
    for column in table.columns:
        hashes ^= _column_hashes(column.combine_chunks())
        hashes = _mixed(hashes)
    return hashes


def _mixed(values: Hashes) -> Hashes:
    """Return splitmix64 of each value (Steele, Lea and Flood 2014): one to one, and well spread."""
    mixed = values + _STEP
    mixed ^= mixed >> np.uint64(30)
    mixed *= _FIRST
    mixed ^= mixed >> np.uint64(27)
    mixed *= _SECOND
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _column_hashes(column: pa.Array | pa.ChunkedArray) -> Hashes:
    """Return 64 bits for each value: equal values have equal bits."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_string(array.type):
        return _text_hashes(array)
    known = np.asarray(array.is_valid())
    if pa.types.is_floating(array.type):
        # Adding 0.0 makes 0.0 of -0.0; every NaN gets the same bits.
        values = array.fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0
        bits = np.where(np.isnan(values), np.nan, values).view(np.uint64)
    else:
        bits = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64)
    return np.where(known, bits, _MISSING)


def _text_hashes(array: pa.Array) -> Hashes:
    """Return SipHash of each text; a text that occurs often is hashed once."""
    encoded = array.dictionary_encode(null_encoding="encode")
    words = encoded.dictionary.to_numpy(zero_copy_only=False)
    known = np.asarray(encoded.dictionary.is_valid())
    hashes = np.full(len(words), _MISSING, dtype=np.uint64)
    if known.any():
        hashes[known] = hash_array(words[known], categorize=False)
    return np.asarray(hashes[encoded.indices.to_numpy()])


class RepeatCounter:
    """Takes tables in order and says at the end which rows repeat an earlier one.

    `folder` is an empty one for its files; whoever made it removes it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._files: dict[int, BinaryIO] = {}
        self._rows = 0

    def add(self, table: pa.Table) -> None:
        """Count a table's rows in; they come after those of the tables before."""
        hashes = row_hashes(table)
        numbers = np.arange(self._rows, self._rows + len(hashes), dtype=np.uint64)
        self._rows += len(hashes)
        owners = (hashes >> np.uint64(56)).astype(np.uint8)
        order = np.argsort(owners, kind="stable")
        pairs = np.stack([hashes[order], numbers[order]], axis=1)
        ends = np.cumsum(np.bincount(owners, minlength=_FILES))
        for owner, part in enumerate(np.split(pairs, ends[:-1])):
            if len(part):
                self._file(owner).write(part.tobytes())

    def result(self, shown: int) -> Repeats:
        """Return the count, and the numbers of the first `shown` rows that repeat another."""
        self._open.close()
        count, first = 0, np.empty(0, dtype=np.uint64)
        for numbers in self._repeating():
            count += len(numbers)
            first = np.sort(np.concatenate([first, numbers]))[:shown]
        return Repeats(self._rows, count, tuple(int(number) for number in first))

    def _file(self, owner: int) -> BinaryIO:
        if owner not in self._files:
            path = self._folder / f"{owner:03d}"
            self._files[owner] = self._open.enter_context(path.open("wb"))
        return self._files[owner]

    def _repeating(self) -> Iterator[Hashes]:
        """Yield the numbers of the repeating rows of each file."""
        for path in sorted(self._folder.iterdir()):
            hashes, numbers = np.fromfile(path, dtype=np.uint64).reshape(-1, 2).T
            order = np.argsort(hashes, kind="stable")
            ordered = hashes[order]
            yield numbers[order[1:][ordered[1:] == ordered[:-1]]]
