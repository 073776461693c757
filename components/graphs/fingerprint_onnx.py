"""FarmHash's fingerprint of texts in ONNX, by the formulas of farmhash.py.

Rules: equal texts are hashed once; all formulas are computed of all texts, and each text takes that
of its length.
"""

from __future__ import annotations

import operator
from functools import reduce

import numpy as np
from onnx import GraphProto, helper

from components.graphs.farmhash import K2, Fingerprint, State
from components.graphs.onnx_parts import TYPES, GraphParts, Value
from components.graphs.onnx_words import OnnxWords
from components.graphs.utf8_onnx import BLOCK, WORD, Bytes, bytes_of, counted


def fingerprints(parts: GraphParts, texts: Value) -> Value:
    """Return the fingerprint of each text, int64 [texts] whose bits are those without sign."""
    # With one more text there is always a character, and no shape that is empty.
    more = parts.concat([texts, parts.text("x")], axis=0)
    kinds = ("string", "int64", "int64", "int64")
    unique, _, place, _ = parts.several("Unique", [more], kinds, sorted=0)
    found = parts.node("Gather", [_of_unique(parts, unique), place], "int64", axis=0)
    start, end = (parts.constant(np.array([n]), "int64") for n in (0, -1))
    return parts.node("Slice", [found, start, end], "int64")


def _of_unique(parts: GraphParts, texts: Value) -> Value:
    """Return the fingerprints, each by the formula of its length."""
    found = bytes_of(parts, texts)
    words, length = _words(parts, found), found.length
    formulas = Fingerprint(OnnxWords(parts))

    def fetch(place: Value | int) -> Value:
        if isinstance(place, int):
            at = parts.constant(place, "int64")
            return parts.node("Gather", [words, at], "int64", axis=1)
        inside = place.maximum(0).along("Unsqueeze", [1])
        taken = parts.node("GatherElements", [words, inside], "int64", axis=1)
        return taken.along("Reshape", [-1])

    over_7, over_3, over_0 = formulas.to_16(length, fetch)
    begun = formulas.start(fetch(0))
    state = _after_blocks(parts, begun, words, length)
    last = formulas.end(state, length, lambda at: fetch(length + (at - BLOCK)))
    fitting = (
        (1, over_0),
        (4, over_3),
        (8, over_7),
        (17, formulas.to_32(length, fetch)),
        (33, formulas.to_64(length, fetch)),
        (65, last),
    )
    nothing = length * 0 + OnnxWords(parts).constant(K2)
    return reduce(lambda no, item: length.at_least(item[0]).where(item[1], no), fitting, nothing)


def _words(parts: GraphParts, found: Bytes) -> Value:
    """Return the little-endian word at each place of each text, int64 [texts, width]."""
    axis = parts.constant(np.array([1]), "int64")

    def moved(place: int) -> Value:
        start = parts.constant(np.array([place]), "int64")
        part = parts.node("Slice", [found.values, start, found.width + place, axis], "int64")
        return part * OnnxWords(parts).constant(1 << 8 * place)

    return reduce(operator.add, map(moved, range(WORD)))


def _after_blocks(parts: GraphParts, begun: State, words: Value, length: Value) -> State:
    """Return the state after all blocks but the last bytes: ((length - 1) // 64) of each text."""
    every = [parts.constant(np.array([n]), "int64") for n in (0, 2**62, 1, WORD)]
    spaced = parts.node("Slice", [words, *every], "int64")
    blocks = spaced.along("Reshape", [0, -1, WORD]).apply("Transpose", perm=[1, 2, 0])
    numbers = counted(parts, blocks.apply("Shape", "int64", start=0, end=1))
    within = numbers.along("Unsqueeze", [1]).less((length + -1) // BLOCK)
    body = _block(len(begun))
    given = [*begun, blocks, within]
    made = parts.several("Scan", given, ["int64"] * len(begun), body=body, num_scan_inputs=2)
    return State(*made)


def _block(states: int) -> GraphProto:
    """Return the graph of one block: a text that it is none of keeps its state."""
    parts = GraphParts("block")
    before = State(*(parts.input(f"block.before_{n}", "int64") for n in range(states)))
    words, within = parts.input("block.words", "int64"), parts.input("block.within", "bool")

    def fetch(place: int) -> Value:
        at = parts.constant(place // WORD, "int64")
        return parts.node("Gather", [words, at], "int64", axis=0)

    after = Fingerprint(OnnxWords(parts)).block(before, fetch)
    made = [
        parts.node("Where", [within, new, old], "int64")
        for new, old in zip(after, before, strict=True)
    ]
    shapes = [*(["texts"] for _ in before), [BLOCK // WORD, "texts"], ["texts"]]
    inputs = [
        helper.make_tensor_value_info(value.name, TYPES[value.kind], shape)
        for value, shape in zip((*before, words, within), shapes, strict=True)
    ]
    outputs = [helper.make_tensor_value_info(v.name, TYPES[v.kind], ["texts"]) for v in made]
    return helper.make_graph(parts.nodes, "block", inputs, outputs, parts.constants)
