"""Canonical JSON and digests."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.core.canonical import canonical_json, parse_json, sha256_bytes, sha256_value

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.floats(-(2.0**53) + 1, 2.0**53 - 1)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(values)
def test_canonical_json_reads_back_as_the_same_value(value):
    assert parse_json(canonical_json(value)) == json.loads(json.dumps(value))


@given(st.dictionaries(st.text(alphabet="abcxyz", max_size=4), st.integers(-5, 5), max_size=6))
def test_the_order_of_keys_does_not_change_the_digest(value):
    backwards = dict(reversed(value.items()))
    assert sha256_value(value) == sha256_value(backwards)


def test_the_example_of_rfc_8785_has_its_published_form():
    value = {"numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 1e-27]}
    assert canonical_json(value) == b'{"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}'


def test_sha256_of_the_empty_string_is_the_published_value():
    assert sha256_bytes(b"").startswith("e3b0c44298fc1c149afbf4c8996fb924")


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', "NaN", "[Infinity]", '{"a":-Infinity}'])
def test_what_has_no_single_meaning_is_refused(text):
    with pytest.raises(ValueError, match=r"duplicate key|not JSON"):
        parse_json(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53])
def test_what_json_cannot_hold_has_no_canonical_form(value):
    with pytest.raises(ValueError, match=r"."):
        canonical_json(value)
