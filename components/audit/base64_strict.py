"""Base 64 with exactly one spelling for each byte string (RFC 4648, section 4).

Python's decoder accepts stray bits in the last character, so two texts could stand for the same
signature or hash; here such a text is refused.
"""

from __future__ import annotations

import base64
import binascii


def encode(data: bytes) -> str:
    """Return the standard form, padded."""
    return base64.b64encode(data).decode("ascii")


def signature(text: str | None) -> bytes:
    """Return a signature's bytes: none, which verify nothing, of what `encode` has not written."""
    try:
        return decode(text or "")
    except ValueError:
        return b""


def decode(text: str) -> bytes:
    """Return the bytes; raise ValueError for anything that `encode` would not have written."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base 64: {error}") from error
    if encode(data) != text:
        raise ValueError("not the canonical base 64 of any bytes")
    return data
