"""Numbers written with a zero before their digits, such as 00123: codes, kept as they are written.

Why: read as numbers they lose their zeros in training, and are not what the model is asked later.

Rule: a column in which one text begins with a zero and another digit, or with 0x, is no column of
numbers, wherever in its table that text is and whatever the other rows are. Times are not asked.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_WRITTEN = r"^\s*[+-]?0[\dxX]"
_SPACE, _QUOTE, _PLUS, _MINUS, _ZERO, _X = b' "+-0x'
Bytes: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint8]]


def has_leading_zero(text: pa.Array) -> bool:
    """Say whether one of the texts, all of them numbers, is written with a leading zero."""
    return bool(pc.any(pc.match_substring_regex(text, _WRITTEN)).as_py())


def begins_with_zero(codes: Bytes, delimiter: int) -> bool:
    """Say whether any four bytes in a row hold a value's beginning, a zero, and a digit or an x.

    A value begins after what is no text, or after a sign or another space behind that.
    """
    second, zero, digit = (codes[n : len(codes) - 3 + n] for n in (1, 2, 3))
    written = (zero == _ZERO) & ((digit - _ZERO < 10) | (digit | _SPACE == _X))
    if not written.any():
        return False
    outside = (codes <= _QUOTE) | (codes == delimiter)
    between = (second == _SPACE) | (second == _PLUS) | (second == _MINUS)
    edge = outside[1 : len(codes) - 2] & ((second != _SPACE) | (delimiter == _SPACE))
    return bool((written & (edge | (between & outside[: len(codes) - 3]))).any())
