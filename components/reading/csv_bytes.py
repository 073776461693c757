"""What the bytes of a CSV file show before its values are looked at, in one pass over them.

Why: to look at the bytes takes a tenth of what parsing takes, and most files have neither a number
with a leading zero nor a quote that is out of place; only those that may are read once more.

Rule: nothing of it is missed, though it may be seen where it is not; in an encoding that does not
write ASCII as ASCII, such as UTF-16, any file may have all of it.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from components.reading.leading_zeros import Bytes, begins_with_zero

_ASCII = '0123456789xX+-" \t\r\n'
_QUOTE, _LINE_ENDS = ord('"'), b"\r\n"
PIECE_BYTES = 2**17  # what stays in a processor's own memory is looked through twice as fast


@dataclass(frozen=True)
class Signs:
    """Whether a number may begin with a zero, and a quote be left open or followed by more."""

    leading_zero: bool
    odd_quote: bool


def signs_of(stream: pa.NativeFile, delimiter: str, encoding: str) -> Signs:
    """Look through a CSV file."""
    written = _ASCII + delimiter
    encoded = written.encode(encoding, "replace").removeprefix(codecs.BOM_UTF8)
    if encoded != written.encode("ascii", "ignore"):
        return Signs(True, True)
    before, tail, quotes, zero, odd = b"\n\n", b"\n", 0, False, False
    for piece in _pieces(stream):
        codes = np.frombuffer(before + piece, np.uint8)
        zero = zero or begins_with_zero(codes, ord(delimiter))
        before = (before + piece)[-3:]
        if not odd and b'"' in tail + piece:
            window = np.frombuffer(tail + piece, np.uint8)
            odd = _is_odd(window, ord(delimiter), quotes)
            quotes += int(np.count_nonzero(window[1:-1] == _QUOTE))
        tail = (tail + piece)[-2:]
    return Signs(zero, odd or quotes % 2 == 1)


def _pieces(stream: pa.NativeFile) -> Iterator[bytes]:
    """Yield the file without a mark at its beginning, and with a line end after its end."""
    piece = stream.read(PIECE_BYTES).removeprefix(codecs.BOM_UTF8)
    while piece:
        yield piece
        piece = stream.read(PIECE_BYTES)
    yield b"\n"


def _is_odd(codes: Bytes, delimiter: int, before: int) -> bool:
    """Say whether a quote neither begins or ends a value nor stands beside another.

    Neither the first nor the last byte is asked. `before` is how many quotes come before them: the
    second, fourth and so on ends a value, or is the first of two within it.
    """
    places = np.flatnonzero(codes[1:-1] == _QUOTE) + 1
    ends = (np.arange(len(places)) + before) % 2 == 1
    beside = codes[places + np.where(ends, 1, -1)]
    edges = np.array([_QUOTE, delimiter, *_LINE_ENDS], np.uint8)
    return not np.all(np.isin(beside, edges))
