"""The calendar against Python's own, and the hash against its definition, without a framework."""

from __future__ import annotations

import datetime
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.core.data_settings import DatePart
from components.transform_features.civil_dates import PERIODS, date_part
from components.transform_features.text_hash import (
    BASE,
    BEYOND,
    LENGTH,
    MODULUS,
    WEIGHTS,
    hash_text,
    join,
    mix,
)

EPOCH = datetime.date(1970, 1, 1).toordinal()
FIRST = datetime.date(1600, 1, 1).toordinal()
LAST = datetime.date(2400, 12, 31).toordinal()


@pytest.fixture(scope="module")
def dates() -> list[datetime.date]:
    return [datetime.date.fromordinal(day) for day in range(FIRST, LAST + 1)]


@pytest.mark.parametrize("part", ["weekday", "month_day", "month", "year_day"])
def test_every_day_of_eight_centuries_is_that_of_pythons_calendar(
    dates: list[datetime.date], part: DatePart
) -> None:
    expected = {
        "weekday": [date.weekday() for date in dates],
        "month_day": [date.day - 1 for date in dates],
        "month": [date.month - 1 for date in dates],
        "year_day": [date.timetuple().tm_yday - 1 for date in dates],
    }
    days = np.arange(FIRST - EPOCH, LAST - EPOCH + 1, dtype=np.float64)

    found = date_part(part, days, np.floor)

    assert days[0] < 0 < days[-1]
    np.testing.assert_array_equal(found, expected[part])
    assert found.max() < PERIODS[part]


def test_an_hour_is_that_of_its_seconds() -> None:
    seconds = np.arange(86_400, dtype=np.float64)

    np.testing.assert_array_equal(date_part("hour", seconds, np.floor), seconds // 3600)


@given(st.integers(-(2**24), 2**24), st.sampled_from(list(PERIODS)))
def test_a_part_is_a_whole_number_within_its_period(count: int, part: DatePart) -> None:
    found = float(date_part(part, np.float64(count), np.floor))

    assert found == int(found) and 0 <= found < PERIODS[part]
    if part in ("month_day", "month", "year_day"):  # the calendar repeats every 400 years
        later = date_part(part, np.float64(count + 146_097), np.floor)
        assert found == later


def test_the_hash_of_a_text_is_what_its_definition_says() -> None:
    total = (ord("a") + 1) * BASE + (ord("\u00e9") + 1) * BASE**2

    assert hash_text("a\u00e9") == total**5 % MODULUS
    assert hash_text("") == 0
    assert hash_text("\N{GRINNING FACE}") == (BEYOND * BASE) ** 5 % MODULUS
    joined = hash_text("a") * BASE + hash_text("b") * BASE**2
    assert join([hash_text("a"), hash_text("b")]) == joined**5 % MODULUS


def test_a_hash_tells_places_lengths_and_columns_apart() -> None:
    texts = ["", "\0", "\0\0", "ab", "ba", "a", "b", " a", "a ", "A", "e\u0301", "\u00e9"]

    assert len({hash_text(text) for text in texts}) == len(texts)
    hashes = [hash_text(text) for text in ("ab", "c", "a", "bc")]
    assert join(hashes[:2]) != join(hashes[2:]) != join([hashes[3], hashes[2]])


def test_what_lies_beyond_the_length_does_not_count() -> None:
    whole = "ab" * (LENGTH // 2)

    assert hash_text(whole) == hash_text(whole + "c") != hash_text(whole[:-1] + "c")


def test_mixing_is_a_permutation_and_never_overflows_64_bits() -> None:
    """A fifth power is one to one where 5 has no factor in common with the order of the field."""
    largest = np.int64(MODULUS - 1)
    with np.errstate(over="raise"):
        assert mix(largest) == pow(MODULUS - 1, 5, MODULUS)
        assert join([largest] * LENGTH) < MODULUS

    assert np.gcd(5, MODULUS - 1) == 1
    assert BEYOND * sum(WEIGHTS) < 2**63


@pytest.mark.parametrize("buckets", [2, 10, 64, 1000])
def test_hashes_of_numbered_texts_spread_evenly(buckets: int) -> None:
    counts = Counter(hash_text(f"N{number:05d}") % buckets for number in range(50_000))

    mean = 50_000 / buckets
    chi_square = sum((counts[bucket] - mean) ** 2 for bucket in range(buckets)) / mean
    # Six deviations of a chi-square distribution around its mean.
    assert abs(chi_square - (buckets - 1)) < 6 * np.sqrt(2 * (buckets - 1)) + 3
