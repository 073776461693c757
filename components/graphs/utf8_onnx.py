"""The UTF-8 bytes of texts in ONNX, which has no operator that looks into a text.

Why: what TensorFlow computes of a text's bytes can then be computed in ONNX too.

Rules: ONNX Runtime, in every build of it, splits a text into characters (Tokenizer) and gives the
MurmurHash3 of a text. Of up to four bytes that hash loses nothing: every step of it can be taken
back, and gives the bytes of the character. That it has four shows by two seeds, which then give the
same bytes; how many fewer, by their values. A test goes through all characters of Unicode.

Source: MurmurHash3_x86_32 (A. Appleby, public domain); RFC 3629 for the first bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import numpy_helper

from components.graphs.onnx_parts import GraphParts, Value, characters_of
from components.graphs.onnx_sets import MICROSOFT
from components.graphs.onnx_words import OnnxWords

BLOCK, WORD = 64, 8
_MOST = 4  # bytes of a character
_SEEDS = (0, 1)
_BITS = 32
_FIRST, _SECOND, _FIFTH, _ADDED = 0xCC9E2D51, 0x1B873593, 5, 0xE6546B64
_END_FIRST, _END_SECOND = 0x85EBCA6B, 0xC2B2AE35


@dataclass(frozen=True)
class Bytes:
    """Texts as bytes: int64 [texts, width + 8], 0 after a text's end, and int64 [texts], how many.

    `width`, int64 [1], is a whole number of blocks and more than a block beyond the longest text.
    """

    values: Value
    length: Value
    width: Value


def bytes_of(parts: GraphParts, texts: Value) -> Bytes:
    """Return the bytes of texts [texts], of which one at least has a character."""
    word, size = _characters(parts, texts)
    length = size.along("ReduceSum", [1], keepdims=0)
    width = (length.apply("ReduceMax", keepdims=0).along("Reshape", [1]) // BLOCK + 3) * BLOCK
    count = length.apply("Shape", "int64")
    row = counted(parts, count).along("Unsqueeze", [1]) * (width + WORD)
    axis = parts.constant(1, "int64")
    begin = row + parts.node("CumSum", [size, axis], "int64", exclusive=1)
    flat = _scattered(parts, word, size, begin, count * (width + WORD))
    shape = parts.concat([count, width + WORD], axis=0)
    return Bytes(parts.node("Reshape", [flat, shape], "int64"), length, width)


def counted(parts: GraphParts, count: Value) -> Value:
    """Return 0, 1, ... below a number, int64 [1]."""
    none, one = (parts.constant(value, "int64") for value in (0, 1))
    return parts.node("Range", [none, count.along("Reshape", []), one], "int64")


def _characters(parts: GraphParts, texts: Value) -> tuple[Value, Value]:
    """Return the bytes of each character as a little-endian word, and how many; 0 of no character.

    Both are int64 [texts, longest].
    """
    flat, table = characters_of(texts)
    hashes = [
        flat.apply("MurmurHash3", "uint32", domain=MICROSOFT, seed=seed, positive=1).cast("int64")
        for seed in _SEEDS
    ]
    shape = table.apply("Shape", "int64")
    word, size = (
        parts.node("Reshape", [value, shape], "int64") for value in _taken_back(parts, hashes)
    )
    return word, size


def _taken_back(parts: GraphParts, hashes: list[Value]) -> tuple[Value, Value]:
    """Return the bytes that were hashed as a word, and how many; the hash of none is 0."""
    of = OnnxWords(parts)
    ends = [_before_the_end(of, value) for value in hashes]
    four, again = (
        _word(of, _before_a_block(of, of.xor(end, of.constant(_MOST))), seed)
        for end, seed in zip(ends, _SEEDS, strict=True)
    )
    one, two, three = (_word(of, of.xor(ends[0], of.constant(n)), _SEEDS[0]) for n in (1, 2, 3))
    begins_two = of.right(of.low(two, 8), 5).equal(0b110)
    is_two = parts.node("And", [two.less(1 << 16), begins_two], "bool")
    cases = ((is_two, two, 2), (one.less(1 << 7), one, 1), (four.equal(again), four, _MOST))
    word, size = three, three * 0 + 3
    for holds, bytes_, count in (*cases, (hashes[0].equal(0), 0, 0)):
        word, size = holds.where(bytes_, word), holds.where(count, size)
    return word, size


def _inverse(factor: int) -> int:
    return pow(factor, -1, 1 << _BITS)


def _rotated(of: OnnxWords, value: Value, places: int) -> Value:
    """Return 32 bits rotated to the right."""
    return of.right(value, places) + of.low(value * of.constant(1 << (_BITS - places)), _BITS)


def _before_the_end(of: OnnxWords, value: Value) -> Value:
    """Return what a hash was before its last mixing."""
    value = of.xor(value, of.right(value, 16))
    value = of.low(value * of.constant(_inverse(_END_SECOND)), _BITS)
    value = of.xor(of.xor(value, of.right(value, 13)), of.right(value, 26))
    value = of.low(value * of.constant(_inverse(_END_FIRST)), _BITS)
    return of.xor(value, of.right(value, 16))


def _before_a_block(of: OnnxWords, value: Value) -> Value:
    """Return what a hash was before the step that only a whole word of four bytes takes."""
    less = value + of.constant((1 << _BITS) - _ADDED)
    return _rotated(of, of.low(less * of.constant(_inverse(_FIFTH)), _BITS), 13)


def _word(of: OnnxWords, value: Value, seed: int) -> Value:
    """Return the bytes that were mixed into a seed."""
    mixed = of.xor(value, of.constant(seed)) * of.constant(_inverse(_SECOND))
    turned = _rotated(of, of.low(mixed, _BITS), 15)
    return of.low(turned * of.constant(_inverse(_FIRST)), _BITS)


def _scattered(parts: GraphParts, word: Value, size: Value, begin: Value, total: Value) -> Value:
    """Return the bytes in their places, int64 [total]; what no character has goes behind them."""
    of = OnnxWords(parts)
    places = [size.at_least(n + 1).where(begin + n, total) for n in range(_MOST)]
    values = [of.low(of.right(word, 8 * n), 8) for n in range(_MOST)]
    where, what = (
        parts.concat([item.along("Reshape", [-1]) for item in items], axis=0)
        for items in (places, values)
    )
    zero = numpy_helper.from_array(np.zeros(1, np.int64))
    empty = (total + 1).apply("ConstantOfShape", "int64", value=zero)
    filled = parts.node("ScatterElements", [empty, where, what], "int64", axis=0)
    return parts.node("Slice", [filled, parts.constant(np.array([0]), "int64"), total], "int64")
