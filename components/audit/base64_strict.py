"""Base 64 with exactly one spelling for each byte string (RFC 4648, section 4).

Python's decoder accepts stray bits in the last character, so two texts could stand for the same
signature or hash; here such a text is refused. By pybase64, since every record comes in this form:
it takes a seventh of the standard library's time.
"""

from __future__ import annotations

import binascii

import pybase64


def encode(data: bytes) -> str:
    """Return the standard form, padded."""
    return pybase64.b64encode_as_string(data)


def signature(text: str | None) -> bytes:
    """Return a signature's bytes: none, which verify nothing, of what `encode` has not written."""
    try:
        return decode(text or "")
    except ValueError:
        return b""


def decode(text: str) -> bytes:
    """Return the bytes; raise ValueError for anything that `encode` would not have written."""
    try:
        data = pybase64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base 64: {error}") from error
    if encode(data) != text:
        raise ValueError("not the canonical base 64 of any bytes")
    return data
