"""Numbers that a float64 would silently change: found by their digits, and refused.

Rule: a fraction becomes the nearest float64, as everywhere; a number written in plain digits whose
whole part is beyond 2**53 must be a float64 exactly, and an integer beyond int64 is none. A number
with an exponent was a float where it was written, but one that is infinite as a float64 was none.
What the settings make a float64 is rounded.
An integer beyond int64 is told before any other: it is what makes float64 of whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

# From here on the neighbour of a whole number may be no float64.
EXACT = 2.0**53
_PLAIN = r"^\s*(?P<sign>[+-]?)0*(?P<whole>[1-9]\d{15,})(?P<fraction>\.\d*)?\s*$"
_EXPONENT = r"^\s*[+-]?(?P<number>(?:\d+\.?\d*|\.\d+)[eE]\+?\d+)\s*$"
_DIGITS = 75  # one less than what decimal256 holds: a float64 next to the number still fits
_LARGEST = str(2**63 - 1)
_SMALLEST = str(2**63)
BEYOND_INT64 = "an integer beyond int64"
BEYOND_FLOAT64 = "a number beyond float64"
BEYOND_EXACT = "a number beyond 2**53 that is no float64"


@dataclass(frozen=True)
class Lost:
    """The place of a number that would be changed, and what it is, for a message."""

    place: int
    what: str


def reaches_inexact(column: pa.Array | pa.ChunkedArray) -> bool:
    """Say whether a column of floats has a number that others may have been rounded to."""
    if not pa.types.is_floating(column.type):
        return False
    least, most = pc.min_max(column).values()
    return any(abs(value.as_py() or 0.0) >= EXACT for value in (least, most))


def first_lost_of(texts: Iterable[pa.Array]) -> Lost | None:
    """Return what `first_lost` says of the texts of a column, given in pieces."""
    found, before = None, 0
    for text in texts:
        lost = first_lost(text)
        if lost and (found is None or lost.what == BEYOND_INT64):
            found = Lost(before + lost.place, lost.what)
        if found and found.what == BEYOND_INT64:
            break
        before += len(text)
    return found


def first_lost(text: pa.Array) -> Lost | None:
    """Return the first of the texts that is an integer beyond int64.

    Where there is none, the first that is beyond float64, or else that float64 does not hold.
    """
    parts = pc.extract_regex(text, _PLAIN)
    sign, whole, fraction = (pc.struct_field(parts, name) for name in ("sign", "whole", "fraction"))
    largest = pc.if_else(pc.equal(sign, "-"), _SMALLEST, _LARGEST)
    integer_beyond = pc.and_(_beyond(whole, largest), pc.equal(fraction, ""))
    uneven = pc.and_(
        _beyond(whole, str(int(EXACT) - 1)), pc.match_substring_regex(fraction, "[1-9]")
    )
    inexact = pc.or_(uneven, pc.invert(_is_float64(whole)))
    masks = {
        BEYOND_INT64: integer_beyond,
        BEYOND_FLOAT64: _is_infinite(text),
        BEYOND_EXACT: inexact,
    }
    for what, mask in masks.items():
        place = pc.index(mask, True).as_py()
        if place >= 0:
            return Lost(place, what)
    return None


def _beyond(whole: pa.Array, largest: pa.Array | str) -> pa.Array:
    """Return which digits are those of a larger number, compared digit by digit."""
    length, most = pc.utf8_length(whole), pc.utf8_length(largest)
    same = pc.and_(pc.equal(length, most), pc.greater(whole, largest))
    return pc.or_(pc.greater(length, most), same)


def _is_infinite(text: pa.Array) -> pa.Array:
    """Return which numbers with an exponent are infinite as a float64."""
    number = pc.struct_field(pc.extract_regex(text, _EXPONENT), "number")
    return pc.is_inf(pc.fill_null(number, "0").cast(pa.float64()))


def _is_float64(whole: pa.Array) -> pa.Array:
    """Return which digits are those of a float64; of more than 75 none is taken to be."""
    kind = pa.decimal256(_DIGITS + 1, 0)
    long = pc.greater(pc.utf8_length(whole), _DIGITS)
    digits = pc.if_else(long, "1", whole)
    return pc.and_not(pc.equal(digits.cast(pa.float64()).cast(kind), digits.cast(kind)), long)
