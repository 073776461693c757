"""Words of 64 bits as values of an ONNX graph.

Rules: a word is int64, whose sums and products wrap at 2^64 as those without sign do; only what
moves bits to the right is of uint64, so that zeros come in.
"""

from __future__ import annotations

import numpy as np

from components.graphs.onnx_parts import GraphParts, Value


class OnnxWords:
    """What farmhash.py and utf8_onnx.py compute with, beside + and *."""

    def __init__(self, parts: GraphParts) -> None:
        self._parts = parts

    def constant(self, value: int) -> Value:
        """Return a word."""
        return self._parts.constant(np.array(value, np.uint64).astype(np.int64), "int64")

    def xor(self, left: Value, right: Value) -> Value:
        """Return the bits that differ."""
        return self._parts.node("BitwiseXor", [left, right], "int64")

    def right(self, value: Value, places: int) -> Value:
        """Return a word moved to the right, zeros coming in."""
        by = self._parts.constant(places, "uint64")
        bits = [value.cast("uint64"), by]
        return self._parts.node("BitShift", bits, "uint64", direction="RIGHT").cast("int64")

    def low(self, value: Value, bits: int) -> Value:
        """Return the lowest bits."""
        return self._parts.node("BitwiseAnd", [value, self.constant((1 << bits) - 1)], "int64")
