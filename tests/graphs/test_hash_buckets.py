"""Texts hashed into buckets get in ONNX the ids that TensorFlow gives them, whatever they are."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from components.graphs.onnx_parts import GraphParts, Value
from components.graphs.utf8_onnx import MICROSOFT, bytes_of

pytestmark = pytest.mark.slow
CHARACTERS = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
LENGTHS = (*range(70), 127, 128, 129, 191, 192, 193, 255, 256, 257, 1000)
"""Each length in bytes that has a formula of its own, and those around a whole block."""
Hashed = Callable[[Any], dict[str, Any]]


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString())


def carried(function: Hashed, shape: Sequence[int | None]) -> onnx.ModelProto:
    """Return the ONNX of a function of texts."""
    import tensorflow as tf

    from components.graphs.graph_onnx import converted, frozen, lacking, tables_of

    specs = tf.TensorSpec(shape, tf.string, name="texts")
    traced = tf.function(function, autograph=False).get_concrete_function(specs)
    constant = frozen(traced)
    made = dict(zip(sorted(traced.structured_outputs), constant.outputs, strict=True))
    outputs = {value.name: name for name, value in made.items()}
    graph = constant.graph.as_graph_def()
    model = converted(graph, tables_of(traced, graph), {"texts:0": "texts"}, outputs)
    onnx.checker.check_model(model)
    assert lacking(model) == []
    return model


def compared(function: Hashed, texts: Any, shape: Sequence[int | None] = (None,)) -> None:
    import tensorflow as tf

    expected = function(tf.constant(texts))
    model = carried(function, shape)
    names = sorted(expected)
    found = session_of(model).run(names, {"texts": np.array(texts, object)})
    for name, ids in zip(names, found, strict=True):
        np.testing.assert_array_equal(ids, expected[name].numpy())


def in_buckets(*numbers: int) -> Hashed:
    def hashed(texts: Any) -> dict[str, Any]:
        import tensorflow as tf

        given = tf.identity(texts)
        return {f"of_{n}": tf.strings.to_hash_bucket_fast(given, n) for n in numbers}

    return hashed


def of_length(chosen: random.Random, length: int) -> str:
    """Return a text of so many bytes, of characters of one to four."""
    text = ""
    while (left := length - len(text.encode())) > 0:
        first, last = chosen.choice(
            [(0, 0x80), (0x80, 0x800), (0x800, 0xD800), (0xE000, 0x10000), (0x10000, 0x110000)]
        )
        character = chr(chosen.randrange(first, last))
        text += character if len(character.encode()) <= left else "x"
    return text


@pytest.mark.parametrize("buckets", [2, 10, 2**62 + 1])
def test_texts_of_every_length_get_the_buckets_that_tensorflow_gives(buckets: int) -> None:
    chosen = random.Random(buckets)
    texts = [of_length(chosen, length) for length in LENGTHS for _ in range(12)]
    assert {len(text.encode()) for text in texts} == set(LENGTHS)
    compared(in_buckets(buckets), texts)


def test_every_character_of_unicode_has_its_bytes() -> None:
    texts = ["".join(CHARACTERS[at : at + 500]) for at in range(0, len(CHARACTERS), 500)]
    found, lengths = session_of(graph_of_bytes()).run(None, {"texts": np.array(texts, object)})
    for text, row, length in zip(texts, found, lengths, strict=True):
        assert row[:length].astype(np.uint8).tobytes() == text.encode()
        assert not row[length:].any()


def graph_of_bytes() -> onnx.ModelProto:
    parts = GraphParts()
    found = bytes_of(parts, parts.input("texts", "string"))
    outputs: tuple[Value, ...] = (found.values, found.length)
    graph = helper.make_graph(
        parts.nodes,
        "bytes",
        [helper.make_tensor_value_info("texts", TensorProto.STRING, ["n"])],
        [helper.make_tensor_value_info(v.name, TensorProto.INT64, None) for v in outputs],
        parts.constants,
    )
    opsets = [helper.make_opsetid(*item) for item in (("", 18), (MICROSOFT, 1))]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["a"], ["a", "", "a"]])
def test_no_rows_and_empty_texts_are_hashed_too(texts: list[str]) -> None:
    import tensorflow as tf

    model = session_of(carried(in_buckets(7), (None,)))
    (found,) = model.run(None, {"texts": np.array(texts, object)})
    expected = tf.strings.to_hash_bucket_fast(tf.constant(texts, tf.string), 7)
    np.testing.assert_array_equal(found, expected.numpy())


def test_several_hashes_of_one_model_share_one_graph_of_bytes() -> None:
    model = carried(in_buckets(1, 3, 10), (None,))
    assert sum(node.op_type == "Tokenizer" for node in model.graph.node) == 1
    compared(in_buckets(1, 3, 10), ["", "JFK", "\N{SNOWMAN}" * 40])


def test_a_column_of_texts_keeps_its_shape() -> None:
    compared(in_buckets(10), [["a"], ["b"], ["\U0010ffff"]], (None, 1))


def test_a_text_outside_a_vocabulary_gets_an_id_behind_it_as_in_tensorflow() -> None:
    import tensorflow as tf

    keys = tf.lookup.KeyValueTensorInitializer(["EWR", "JFK"], [0, 1], tf.string, tf.int64)
    table = tf.lookup.StaticVocabularyTable(keys, 10)

    def looked_up(texts: Any) -> dict[str, Any]:
        return {"ids": table.lookup(tf.identity(texts))}

    compared(looked_up, ["EWR", "JFK", "", *(f"N{number:03d}" for number in range(200))])
