"""The fingerprint of text that TensorFlow hashes into buckets by: FarmHash's, of 64 bits.

Why: TFT gives a text outside a vocabulary one of `num_oov_buckets` ids by it, and an id that
differs between TensorFlow and ONNX is another feature.

Rules: the formulas are those of the source, on words of many texts at once, modulo 2^64. A text is
its UTF-8 bytes; `fetch(p)` is the little-endian word at byte p of each. Each formula is of texts of
its lengths; of others it may be anything that can be computed.

Source: farmhash 1.1, namespace farmhashna (Hash64, which is Fingerprint64), as TensorFlow's
StringToHashBucketFast uses it: the fingerprint modulo the number of buckets, both without sign.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from components.graphs.onnx_parts import Value
from components.graphs.onnx_words import OnnxWords

K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
SEED = 81


Fetch = Callable[[int | Value], Value]
"""Gives the word at a place: one for all texts, or one for each."""
Within = Callable[[int], Value]
"""Gives the word at a place in a block of 64 bytes."""


class State(NamedTuple):
    """What a text of more than 64 bytes has come to after its first blocks."""

    x: Value
    y: Value
    z: Value
    v: Value
    v2: Value
    w: Value
    w2: Value


class Fingerprint:
    """The formulas in one graph."""

    def __init__(self, words: OnnxWords) -> None:
        self._of = words

    def to_16(self, length: Value, fetch: Fetch) -> tuple[Value, Value, Value]:
        """Return the fingerprints of texts of 8 to 16 bytes, of 4 to 7, and of 1 to 3."""
        of, k2 = self._of, self._of.constant(K2)
        mul = k2 + length * of.constant(2)
        first, last = fetch(0) + k2, fetch(length - of.constant(8))
        c = self._rotate(last, 37) * mul + first
        d = (self._rotate(first, 25) + last) * mul
        low, high = of.low(fetch(0), 32), of.low(fetch(length - of.constant(4)), 32)
        middle, end = of.right(length, 1), length - of.constant(1)
        letters = [of.low(fetch(place), 8) for place in (0, middle, end)]
        y = letters[0] + letters[1] * of.constant(1 << 8)
        z = length + letters[2] * of.constant(1 << 2)
        small = self._mixed(of.xor(y * k2, z * of.constant(K0))) * k2
        return (
            self._of_two(c, d, mul),
            self._of_two(length + low * of.constant(1 << 3), high, mul),
            small,
        )

    def to_32(self, length: Value, fetch: Fetch) -> Value:
        """Return the fingerprint of a text of 17 to 32 bytes."""
        of, k2 = self._of, self._of.constant(K2)
        mul = k2 + length * of.constant(2)
        a, b = fetch(0) * of.constant(K1), fetch(8)
        c, d = fetch(length - of.constant(8)) * mul, fetch(length - of.constant(16)) * k2
        y = self._rotate(a + b, 43) + self._rotate(c, 30) + d
        return self._of_two(y, a + self._rotate(b + k2, 18) + c, mul)

    def to_64(self, length: Value, fetch: Fetch) -> Value:
        """Return the fingerprint of a text of 33 to 64 bytes."""
        of, k2 = self._of, self._of.constant(K2)
        mul = k2 + length * of.constant(2)
        a, b = fetch(0) * k2, fetch(8)
        c, d = fetch(length - of.constant(8)) * mul, fetch(length - of.constant(16)) * k2
        y = self._rotate(a + b, 43) + self._rotate(c, 30) + d
        z = self._of_two(y, a + self._rotate(b + k2, 18) + c, mul)
        e, f = fetch(16) * mul, fetch(24)
        g = (y + fetch(length - of.constant(32))) * mul
        h = (z + fetch(length - of.constant(24))) * mul
        last = self._rotate(e + f, 43) + self._rotate(g, 30) + h
        return self._of_two(last, e + self._rotate(f + a, 18) + g, mul)

    def start(self, first_word: Value) -> State:
        """Return the state of a text of more than 64 bytes before its blocks."""
        of, k2 = self._of, self._of.constant(K2)
        y = (SEED * K1 + 113) % 2**64
        z = self._mixed(of.constant(y) * k2 + of.constant(113)) * k2
        nothing = first_word * of.constant(0)
        x = nothing + of.constant(SEED) * k2 + first_word
        return State(x, nothing + of.constant(y), nothing + z, *[nothing] * 4)

    def block(self, state: State, words: Within) -> State:
        """Return the state after a block of 64 bytes, whose eight words are at 0, 8, ... 56."""
        return self._round(state, words, self._of.constant(K1), 1)

    def end(self, state: State, length: Value, words: Within) -> Value:
        """Return the fingerprint, of the state after all whole blocks and of the last 64 bytes."""
        of = self._of
        mul = of.constant(K1) + of.low(state.z, 8) * of.constant(2)
        w = state.w + of.low(length - of.constant(1), 6)
        v = state.v + w
        last = self._round(state._replace(w=w + v, v=v), words, mul, 9)
        left = self._of_two(last.v, last.w, mul) + self._mixed(last.y) * of.constant(K0) + last.z
        return self._of_two(left, self._of_two(last.v2, last.w2, mul) + last.x, mul)

    def _round(self, state: State, words: Within, mul: Value, times: int) -> State:
        """Return the state after 64 bytes; `times` is what w2 and v count for."""
        of, (x, y, z, v, v2, w, w2) = self._of, state
        x = self._rotate(x + y + v + words(8), 37) * mul
        y = self._rotate(y + v2 + words(48), 42) * mul
        x = of.xor(x, w2 * of.constant(times))
        y = y + v * of.constant(times) + words(40)
        z = self._rotate(z + w, 33) * mul
        v, v2 = self._weak([words(8 * n) for n in range(4)], v2 * mul, x + w)
        w, w2 = self._weak([words(32 + 8 * n) for n in range(4)], z + w2, y + words(16))
        return State(z, y, x, v, v2, w, w2)

    def _weak(self, words: list[Value], a: Value, b: Value) -> tuple[Value, Value]:
        a = a + words[0]
        b = self._rotate(b + a + words[3], 21)
        c = a
        a = a + words[1] + words[2]
        return a + words[3], b + self._rotate(a, 44) + c

    def _of_two(self, u: Value, v: Value, mul: Value) -> Value:
        a = self._mixed(self._of.xor(u, v) * mul)
        return self._mixed(self._of.xor(v, a) * mul) * mul

    def _mixed(self, value: Value) -> Value:
        return self._of.xor(value, self._of.right(value, 47))

    def _rotate(self, value: Value, places: int) -> Value:
        moved = value * self._of.constant(1 << (64 - places))
        return self._of.right(value, places) + moved
