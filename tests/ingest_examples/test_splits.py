"""Splits: by a hash that never changes, by a column, and what cannot decide one."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.core.data_settings import Splits
from components.core.errors import DataError
from components.ingest_examples.splits import HASH_KEY, divide, fractions

NOWHERE = np.zeros(0, dtype=bool)
WORD = 2**64 - 1


def siphash24(key: bytes, text: bytes) -> int:
    """SipHash-2-4 as its paper has it (Aumasson and Bernstein 2012), one row at a time."""
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D]
    v += [k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def turn(value: int, bits: int) -> int:
        return (value << bits | value >> 64 - bits) & WORD

    def rounds(count: int) -> None:
        for _ in range(count):
            v[0] = v[0] + v[1] & WORD
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = v[2] + v[3] & WORD
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = v[0] + v[3] & WORD
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = v[2] + v[1] & WORD
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)

    padded = text + b"\0" * (-(len(text) + 1) % 8) + bytes([len(text) % 256])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def splitmix64(value: int) -> int:
    """The last steps of SplitMix64 (Steele, Lea and Flood 2014)."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & WORD
    value = (value ^ value >> 27) * 0x94D049BB133111EB & WORD
    return value ^ value >> 31


def test_the_reference_gives_the_vector_of_the_paper() -> None:
    assert siphash24(bytes(range(16)), bytes(range(15))) == 0xA129CA6149BE45E5


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_a_hash_is_siphash_of_the_text_whatever_stands_beside_it(texts: list[str]) -> None:
    found = fractions(pa.chunked_array([pa.array(texts, pa.string())]))

    key = HASH_KEY.encode()
    expected = [(splitmix64(siphash24(key, text.encode())) >> 11) * 2.0**-53 for text in texts]
    assert found.tolist() == expected


def test_the_split_of_a_key_is_the_same_for_ever() -> None:
    rows = pa.table({"key": np.arange(20)})
    evaluated = divide(rows, Splits(by="hash", column="key", eval_share=0.25), NOWHERE).evaluated

    assert np.flatnonzero(evaluated).tolist() == [9, 13, 14, 15, 17]


def in_halves(keys: list[Any]) -> list[bool]:
    splits = Splits(by="hash", column="key", eval_share=0.5)
    return divide(pa.table({"key": keys}), splits, NOWHERE).evaluated.tolist()


def test_hashes_fall_evenly() -> None:
    rows = pa.table({"key": np.arange(100_000)})
    evaluated = divide(rows, Splits(by="hash", column="key", eval_share=0.2), NOWHERE).evaluated

    assert abs(evaluated.mean() - 0.2) < 0.005  # four standard deviations


def test_a_whole_number_is_hashed_as_its_digits() -> None:
    splits = Splits(by="hash", column="key", eval_share=0.5)
    numbers = pa.table({"key": np.arange(500)})
    texts = pa.table({"key": [str(n) for n in range(500)]})

    np.testing.assert_array_equal(
        divide(numbers, splits, NOWHERE).evaluated, divide(texts, splits, NOWHERE).evaluated
    )


@pytest.mark.parametrize("written", [" {}", "{} ", "  {}", "\t{}\t"])
def test_a_whole_number_with_blanks_around_it_is_in_the_split_of_its_digits(written: str) -> None:
    numbers = range(-250, 250)
    texts = ["A1", *(written.format(n) for n in numbers)]

    assert in_halves(texts)[1:] == in_halves([*numbers])


def test_zero_is_in_one_split_with_and_without_a_sign() -> None:
    zeros = ["0", "-0", " -0", "0 "]

    for share in np.linspace(0.05, 0.95, 19):
        splits = Splits(by="hash", column="key", eval_share=share)
        assert len(set(divide(pa.table({"key": zeros}), splits, NOWHERE).evaluated.tolist())) == 1


def require_hashed_as(text: str, keys: pa.Table) -> None:
    """Raise unless the one key has the hash of the text: evaluated on from the next share up."""
    share = float(fractions(pa.chunked_array([[text]]))[0])
    for eval_share, evaluated in ((share, False), (float(np.nextafter(share, 1)), True)):
        splits = Splits(by="hash", column="key", eval_share=eval_share)
        assert divide(keys, splits, NOWHERE).evaluated.tolist() == [evaluated]


@pytest.mark.parametrize(
    "text",
    ["", " ", "-", "00123", " 00123", "-01", "+5", "17.0", "1 7", " A1", "A1 ", "17\n", "\u0661"],
)
def test_a_text_that_is_no_whole_number_is_hashed_as_it_is(text: str) -> None:
    require_hashed_as(text, pa.table({"key": [text]}))


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), st.text(" \t", max_size=3), st.text(" \t", max_size=3))
def test_what_csv_reads_as_a_whole_number_is_hashed_as_its_digits(
    number: int, before: str, after: str
) -> None:
    text = f"{before}{number}{after}"
    read = csv.read_csv(io.BytesIO(f'key,other\n"{text}",1\n'.encode()))

    assert read["key"].to_pylist() == [number]
    require_hashed_as(str(number), read.select(["key"]))
    require_hashed_as(str(number), pa.table({"key": [text]}))


def test_a_value_to_evaluate_on_is_found_with_blanks_around_it() -> None:
    by = Splits(by="column", column="fold", eval_values=("4", " 5", "x", "06"))
    texts = pa.table({"fold": [" 4", "5", "4 ", " x", "x", "6", "06", "A"]})

    found = divide(texts, by, NOWHERE).evaluated.tolist()
    assert found == [True, True, True, False, True, False, True, False]


def test_rows_without_a_key_are_counted() -> None:
    rows = pa.table({"key": ["a", None, "b", None]})

    assert divide(rows, Splits(by="hash", column="key"), NOWHERE).without_key == 2


def test_a_column_names_its_values_that_are_evaluated_on() -> None:
    by = Splits(by="column", column="fold", eval_values=("4", "5"))
    numbers = pa.table({"fold": [1, 4, None, 5]})
    texts = pa.table({"fold": ["x", "4", None, "44"]})

    assert divide(numbers, by, NOWHERE).evaluated.tolist() == [False, True, False, True]
    assert divide(texts, by, NOWHERE).evaluated.tolist() == [False, True, False, False]


@pytest.mark.parametrize("by", ["hash", "column"])
def test_a_key_without_a_lasting_text_is_refused(by: str) -> None:
    splits = Splits.model_validate(
        {"by": by, "column": "key", "eval_values": ["1"] if by == "column" else []}
    )

    with pytest.raises(DataError, match="column key is double"):
        divide(pa.table({"key": [1.5]}), splits, NOWHERE)
