"""Which rows are evaluated on: by the last span, by the hash of a key, or by a column's value.

The hash, exactly: SipHash-2-4 of the UTF-8 text of the key, under the 16 bytes of HASH_KEY, mixed
by SplitMix64's last steps (pandas.util.hash_array; a test has both written out); its first 53 bits
as a fraction of one. A row is evaluated on where that is less than `eval_share`. A whole number is
taken as its decimal digits, and so is a text that CSV would read as one, with blanks or tabs around
it or as -0: whether a column of such texts is numbers depends on its other rows. Any other text is
taken as it is, `00123` and ` A1` too; other types have no text that stays the same. So a row's
split depends on its own key alone: not on other rows, their order, the machine or the version of a
library. Changing anything of this moves rows between the splits of running use cases.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.core.data_settings import Source, Splits
from components.core.errors import DataError
from components.reading.patterns import SPLIT
from components.reading.split_column import SPLIT_COLUMN

HASH_KEY = "tandem.splits.v1"
_LOW_BITS = 11  # of 64; a float64 holds the other 53 exactly
_WHOLE_NUMBER = r"^[ \t]*(?:-?(0)|(-?[1-9][0-9]*))[ \t]*$"


@dataclass(frozen=True)
class Parting:
    """Which rows are evaluated on, and how many rows have no key to decide it by."""

    evaluated: np.ndarray[Any, Any]
    without_key: int = 0


def divide(rows: pa.Table, splits: Splits, in_last_span: np.ndarray[Any, Any]) -> Parting:
    """Return the split of each row.

    Raises DataError for a column that is neither text nor whole numbers. By a column, a row
    without a value is trained on.
    """
    if splits.column is None:
        return Parting(in_last_span)
    texts = _texts(rows, splits.column)
    if splits.by == "column":
        values = _with_plain_numbers(pa.array(splits.eval_values, pa.string()))
        return Parting(np.asarray(pc.is_in(texts, value_set=values).to_numpy()))
    evaluated = fractions(texts.fill_null("")) < splits.eval_share
    return Parting(evaluated, texts.null_count)


def require_splits(source: Source, found: Collection[str]) -> None:
    """Raise DataError where rows are to be evaluated on of a split that no file's place names.

    `found` are those that files' places name, where the location of the table has {split}.
    """
    location, splits = source.table.location or "", source.splits
    if splits.column != SPLIT_COLUMN or SPLIT not in location:
        return
    for value in splits.eval_values:
        if value not in found:
            raise DataError(
                f"there is no file {location.replace(SPLIT, value)}; "
                f"there are: {', '.join(sorted(found))}",
                remedy="correct source.splits.eval_values, or fetch the split",
            )


def fractions(texts: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Return the hash of each text as a number from 0 to 1, without 1."""
    from pandas.util import hash_array

    encoded = texts.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    words = np.asarray(encoded.dictionary.to_pylist(), dtype=object)
    hashes = hash_array(words, encoding="utf8", hash_key=HASH_KEY, categorize=False)
    shares = (hashes >> np.uint64(_LOW_BITS)).astype(np.float64) * 2.0 ** (_LOW_BITS - 64)
    return np.asarray(shares[encoded.indices.to_numpy()])


def require_keys(rows: int, splits: Splits) -> None:
    """Raise DataError where rows have no key."""
    if rows:
        raise DataError(
            f"{rows} rows have no {splits.column}, the key that decides their split",
            remedy="drop them with source.drop_where_null, or name a key that every row has",
            expected=0,
            actual=rows,
        )


def _texts(rows: pa.Table, name: str) -> pa.ChunkedArray:
    column = rows[name]
    if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type)):
        raise DataError(
            f"column {name} is {column.type}; a split needs text or whole numbers",
            remedy=f"say `types: {{{name}: string}}` for its table, or name another column",
        )
    if pa.types.is_integer(column.type):
        return column.cast(pa.string())
    return _with_plain_numbers(column)


def _with_plain_numbers(texts: Any) -> Any:
    """Return the texts, each that is a whole number as its digits (the module's rules)."""
    return pc.replace_substring_regex(texts, _WHOLE_NUMBER, r"\1\2")
