"""The frame of a record in a TFRecord file: its length and itself, each with a masked CRC-32C.

As in core/lib/io/record_writer.h of TensorFlow's sources, and without TensorFlow.
"""

from __future__ import annotations

import struct

import google_crc32c

HEADER, FOOTER = struct.Struct("<QI"), struct.Struct("<I")
_MASK_DELTA = 0xA282EAD8


def masked(data: bytes) -> int:
    """Return the checksum of bytes as it stands beside them."""
    checksum = int(google_crc32c.value(data))
    return (((checksum >> 15) | (checksum << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def framed(record: bytes) -> bytes:
    """Return a record as it stands in a file; a file is one after another."""
    length = len(record).to_bytes(8, "little")
    return HEADER.pack(len(record), masked(length)) + record + FOOTER.pack(masked(record))
