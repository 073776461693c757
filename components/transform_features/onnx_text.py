"""Ids of texts in ONNX: lookups, and the hash of text_hash.py.

Why: ONNX itself has no operator that looks into a text. ONNX Runtime brings one, Tokenizer of the
domain com.microsoft, in every build of it; with it a text becomes its characters, a LabelEncoder
makes them numbers, and the rest is arithmetic.

Rules: the texts of all hashed columns go through one Tokenizer and one table of the characters up
to U+FFFF; a text is cut to LENGTH characters before it is split, so that one long text cannot make
the tensor of characters large. A batch is one row longer while it is in here, with the text "x": so
there is always a character, and ONNX Runtime gives the shapes it promises for no rows too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from components.graphs.onnx_parts import GraphParts, Value, characters_of
from components.graphs.onnx_sets import MICROSOFT, ML_DOMAIN
from components.transform_features import text_hash

_SURROGATES = range(0xD800, 0xE000)


def look_up(texts: Value, vocabulary: Sequence[str]) -> Value:
    """Return the place of each text in the vocabulary; what is not there gets its size."""
    return texts.apply(
        "LabelEncoder",
        "int64",
        domain=ML_DOMAIN,
        keys_strings=list(vocabulary),
        values_int64s=list(range(len(vocabulary))),
        default_int64=len(vocabulary),
    )


def hashes_of(
    parts: GraphParts, raw: Mapping[str, Value], columns: Sequence[str]
) -> dict[str, Value]:
    """Return the hash of each column's texts, int64 [batch]."""
    if not columns:
        return {}
    texts = parts.concat([*(raw[column] for column in columns), parts.text("x")], axis=0)
    hashes = text_hash.mix(_sum(parts, _codes(parts, texts)))
    start, end = (parts.constant(np.array([place]), "int64") for place in (0, -1))
    without = parts.node("Slice", [hashes, start, end], "int64")
    table = without.along("Reshape", [len(columns), -1])
    places = (parts.constant(place, "int64") for place in range(len(columns)))
    rows = [parts.node("Gather", [table, place], "int64", axis=0) for place in places]
    return dict(zip(columns, rows, strict=True))


def _codes(parts: GraphParts, texts: Value) -> Value:
    """Return the code of each character, int64 [batch, longest], 0 after a text's end."""
    cut = texts.apply(
        "Tokenizer",
        domain=MICROSOFT,
        mark=0,
        pad_value="",
        mincharnum=1,
        tokenexp=f"^(?s:.{{1,{text_hash.LENGTH}}})",
    ).along("Reshape", [-1])
    characters, table = characters_of(cut)
    known = [code for code in range(text_hash.LAST_PLANE + 1) if code not in _SURROGATES]
    codes = characters.apply(
        "LabelEncoder",
        "int64",
        domain=ML_DOMAIN,
        keys_strings=["", *map(chr, known)],
        values_int64s=[0, *(code + 1 for code in known)],
        default_int64=text_hash.BEYOND,
    )
    return parts.node("Reshape", [codes, table.apply("Shape", "int64")], "int64")


def _sum(parts: GraphParts, codes: Value) -> Value:
    """Return the sum of character * weight of each text."""
    longest = codes.apply("Shape", "int64", start=1, end=2)
    weights = parts.constant(np.array(text_hash.WEIGHTS), "int64")
    start = parts.constant(np.array([0]), "int64")
    used = parts.node("Slice", [weights, start, longest], "int64")
    return (codes * used).along("ReduceSum", [1], keepdims=0)
