"""Which rows belong to which slice: the whole, one slice a value of a column, and crosses.

Rules: a slice's key is what components/core/slice_keys.py says; a row with no value in a column is
in none of its slices (as in TFMA); a slice smaller than the minimum is left out and counted.
Columns hold texts or whole numbers; others have no slices.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.core.errors import SettingsError
from components.core.slice_keys import slice_key

Rows = npt.NDArray[np.intp]
Value = str | int
NO_SLICE = -1


@dataclass(frozen=True)
class Partition:
    """The slices by one or more columns: `codes` gives each row's slice, or NO_SLICE.

    `values` holds the column values of each slice; the whole is the one slice of no columns.
    """

    columns: tuple[str, ...]
    values: tuple[tuple[Value, ...], ...]
    codes: Rows
    left_out: int = 0

    def keys(self) -> tuple[str, ...]:
        """Return the slices' keys in the order of their codes."""
        return tuple(slice_key(zip(self.columns, values, strict=True)) for values in self.values)

    def tfma_keys(self) -> tuple[tuple[tuple[str, Value], ...], ...]:
        """Return the slices' keys as TFMA has them: columns and values in the order of columns."""
        return tuple(
            tuple(sorted(zip(self.columns, values, strict=True))) for values in self.values
        )

    def rows(self) -> Iterator[Rows]:
        """Yield the rows of each slice, in the order of codes."""
        order = np.argsort(self.codes, kind="stable")
        bounds = np.searchsorted(self.codes[order], np.arange(len(self.values) + 1))
        for first, last in pairwise(bounds):
            yield order[first:last]


def partitions(
    table: pa.Table,
    specs: Sequence[Sequence[str]],
    minimum_rows: int,
    setting: str = "evaluate.slices",
) -> tuple[Partition, ...]:
    """Return the whole first, then a partition for each specification of the setting.

    Raises SettingsError for a column that is missing or cannot be sliced by.
    """
    whole = Partition((), ((),), np.zeros(table.num_rows, dtype=np.intp))
    wanted = dict.fromkeys(tuple(spec) for spec in specs if spec)
    return (whole, *(_partition(table, spec, minimum_rows, setting) for spec in wanted))


def _partition(
    table: pa.Table, columns: tuple[str, ...], minimum_rows: int, setting: str
) -> Partition:
    combined = np.zeros(table.num_rows, dtype=np.intp)
    present = np.ones(table.num_rows, dtype=bool)
    vocabularies: list[list[Value]] = []
    for name in columns:
        codes, vocabulary = _codes(table, name, setting)
        present &= codes >= 0
        combined = combined * len(vocabulary) + np.maximum(codes, 0)
        vocabularies.append(vocabulary)
    found, inverse, counts = np.unique(combined[present], return_inverse=True, return_counts=True)
    kept = counts >= minimum_rows
    numbers = np.where(kept, np.cumsum(kept) - 1, NO_SLICE)
    rows = np.full(table.num_rows, NO_SLICE, dtype=np.intp)
    rows[present] = numbers[inverse]
    values = tuple(_values(int(code), vocabularies) for code in found[kept])
    return Partition(columns, values, rows, int((~kept).sum()))


def _values(code: int, vocabularies: Sequence[Sequence[Value]]) -> tuple[Value, ...]:
    values: list[Value] = []
    for vocabulary in reversed(vocabularies):
        code, position = divmod(code, len(vocabulary))
        values.append(vocabulary[position])
    return tuple(reversed(values))


def require_column(name: str, columns: Collection[str], setting: str) -> None:
    """Raise SettingsError for a column that a setting names and the examples do not have."""
    if name not in columns:
        raise SettingsError(
            f"{setting} names {name}, which the examples do not have",
            remedy=f"use one of: {', '.join(columns)}",
        )


def _codes(table: pa.Table, name: str, setting: str) -> tuple[Rows, list[Value]]:
    """Return each row's position in the sorted distinct values, -1 for none, and those values."""
    require_column(name, table.column_names, setting)
    column = table[name]
    if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type)):
        raise SettingsError(
            f"{setting} names {name}, which holds {column.type}",
            remedy="slice by columns of texts or whole numbers",
        )
    encoded = column.combine_chunks().dictionary_encode()
    codes = encoded.indices.fill_null(NO_SLICE).to_numpy(zero_copy_only=False)
    values: list[Value] = encoded.dictionary.to_pylist()
    order = sorted(range(len(values)), key=lambda position: values[position])
    rank = np.empty(len(values) + 1, dtype=np.intp)
    rank[np.asarray(order, dtype=np.intp)] = np.arange(len(values))
    rank[NO_SLICE] = NO_SLICE
    return rank[codes], [values[position] for position in order] or [""]
