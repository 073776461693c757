"""A hash of text that TensorFlow, ONNX Runtime and plain Python compute alike.

Why: TensorFlow hashes text with FarmHash, which no ONNX operator computes; a model that takes raw
rows must give a text the same id in both. See docs/adr/0009.

Rules:
1. a character is its code point + 1; all characters beyond U+FFFF count as one;
2. only the first LENGTH characters count;
3. the hash is mix(sum of character * BASE ** (place + 1)) modulo MODULUS, places from 0, where
   mix(x) is x ** 5: MODULUS - 1 has no factor 5, so mix is a permutation, and it is not linear;
4. the hash of several texts is mix(sum of hash * BASE ** (place + 1)) over their hashes;
5. an id is the hash modulo the number of buckets.
Every product stays below 2 ** 63. This is a Rabin fingerprint in a prime field (Karp and Rabin
1987): it spreads texts evenly and is no protection against someone who looks for collisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

NAME: Final = "polynomial_mod_2_31_minus_1"
MODULUS = 2**31 - 1
BASE = 1_103_515_245
LENGTH = 128
LAST_PLANE = 0xFFFF
BEYOND = LAST_PLANE + 2  # the code of every character beyond U+FFFF
WEIGHTS = tuple(pow(BASE, place + 1, MODULUS) for place in range(LENGTH))


def mix(total: Any) -> Any:
    """Return total ** 5 modulo MODULUS, of a whole number or of a tensor of int64."""
    first = total % MODULUS
    square = (first * first) % MODULUS
    return (((square * square) % MODULUS) * first) % MODULUS


def join(hashes: Sequence[Any]) -> Any:
    """Return the hash of several texts, of their hashes."""
    total = hashes[0] * WEIGHTS[0]
    for place, value in enumerate(hashes[1:], start=1):
        total = (total + value * WEIGHTS[place]) % MODULUS
    return mix(total)


def hash_text(text: str) -> int:
    """Return the hash of one text, as the definition reads."""
    codes = (min(ord(character) + 1, BEYOND) for character in text[:LENGTH])
    return int(mix(sum(code * weight for code, weight in zip(codes, WEIGHTS, strict=False))))
