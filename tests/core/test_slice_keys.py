"""Keys of slices: read in one way only, whatever the values are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.core.slice_keys import asks_for, key_columns, key_parts, named_values, slice_key

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,6}", fullmatch=True)
VALUES = st.text(alphabet=st.sampled_from("ab,=\\*\n é"), max_size=8)
PARTS = st.lists(st.tuples(NAMES, VALUES), max_size=3)


@settings(deadline=None)
@given(PARTS)
def test_a_key_gives_back_what_it_was_made_of(parts):
    key = slice_key(parts)
    assert key_parts(key) == parts
    assert key_columns(key) == [name for name, _ in parts]
    assert asks_for(key, key)


@settings(deadline=None)
@given(PARTS, PARTS)
def test_two_slices_never_have_one_key(first, second):
    assert (slice_key(first) == slice_key(second)) is (first == second)
    assert asks_for(slice_key(first), slice_key(second)) is (first == second)


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("overall", []),
        ("origin=JFK", [("origin", "JFK")]),
        ("origin=JFK,seats=2", [("origin", "JFK"), ("seats", 2)]),
        (r"maker=Smith\, John,seats=2", [("maker", "Smith, John"), ("seats", 2)]),
        (r"maker=a\,seats=1,seats=2", [("maker", "a,seats=1"), ("seats", 2)]),
        (r"sign=\*", [("sign", "*")]),
        (r"path=C:\\", [("path", "C:\\")]),
        ("maker=", [("maker", "")]),
    ],
)
def test_a_key_is_written_like_this(key, parts):
    assert slice_key(parts) == key


def test_the_values_that_a_gate_names_are_not_its_stars():
    asked = r"sign=\*,origin=*,maker=Smith\, John"
    assert named_values(asked) == [("sign", "*"), ("maker", "Smith, John")]


@pytest.mark.parametrize(
    ("asked", "key", "yes"),
    [
        ("origin=*", "origin=JFK", True),
        ("origin=*", "origin=JFK,carrier=UA", False),
        ("origin=*,carrier=UA", "origin=JFK,carrier=UA", True),
        ("origin=*,carrier=UA", "origin=JFK,carrier=AA", False),
        ("origin=*", r"origin=a\,carrier=UA", True),
        (r"sign=\*", "sign=plus", False),
        (r"sign=\*", r"sign=\*", True),
        ("origin=*", "overall", False),
        ("overall", "overall", True),
    ],
)
def test_what_a_gate_asks_for(asked, key, yes):
    assert asks_for(asked, key) is yes
