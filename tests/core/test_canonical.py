"""Canonical JSON and digests."""

import json

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from components.core.canonical import (
    canonical_json,
    is_same,
    parse_canonical,
    parse_json,
    parsed,
    sha256_bytes,
    sha256_value,
)

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


@given(values)
@example({"rate": 1e300, "least": [5e-324, 1e-7, -0.5], "text": ":1e5,", "\U00010000": 1, "é": 2})
@example(1e-7)
@example([{"small": [0.000001234, -0.00000999, 5e-6]}, 1e21, 1e-7])
@example({"\ue000": 0.000001234, "é": 0.5, "\uffff": "ü"})
@example("a:1.0,")
def test_the_digest_of_a_part_of_what_was_parsed_is_that_of_the_part(value):
    data = canonical_json({"part": value, "rest": [value]})
    whole, digest = parsed(data)
    assert digest(whole["part"]) == sha256_value(whole["part"])
    assert digest({"b": whole["part"], "a": 1}) == sha256_value({"a": 1, "b": whole["part"]})


def test_the_same_json_is_of_the_same_kinds_too():
    assert is_same({"a": 1, "b": [None]}, {"b": [None], "a": 1})
    for other in (True, "1", 1.5, None, [1]):
        assert not is_same({"a": 1}, {"a": other})


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


ODD = [
    0.1,
    1.0,
    -0.0,
    1e-5,
    1e-7,
    1e16,
    1e21,
    123456789.125,
    2**52,
    2**53 - 1,
    2**53,
    -(2**53),
    10**15,
]
ODD += [
    "\ue000",
    "\U00010000",
    "\x7f\u2028\x00\x1f",
    "\ud800",
    float("nan"),
    (1, 2),
    {1: 2},
    {None: 1},
]
KEYS = st.text(max_size=3) | st.sampled_from(["\ue000", "\U00010000", "\uffff"])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(ODD),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def refused(data):
    try:
        parse_canonical(data)
    except ValueError:
        return True
    return False


def same(one, other):
    """Say whether two values are of one kind too: 1 and 1.0 and True are equal in Python."""
    return json.dumps(one) == json.dumps(other)


def form_or_error(value, form):
    try:
        return form(value)
    except (ValueError, TypeError, AttributeError) as error:
        return isinstance(error, ValueError)


@given(value=ANY)
def test_the_quick_form_is_the_librarys_or_is_not_taken(value):
    assert form_or_error(value, canonical_json) == form_or_error(value, rfc8785.dumps)


@given(value=ANY)
def test_only_the_canonical_bytes_of_a_value_are_canonical(value):
    texts = {
        json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        if form_or_error(value, rfc8785.dumps) not in (True, False)
        else "1.0"
    }
    form = form_or_error(value, canonical_json)
    texts |= {form.decode()} if isinstance(form, bytes) else set()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        try:
            read = parse_json(data)
        except ValueError:
            continue
        if form_or_error(read, rfc8785.dumps) == data:
            assert same(parse_canonical(data), read)
        else:
            assert refused(data)


SPELLED = st.from_regex(
    r"-?([0-9]|[1-9][0-9]{1,24})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
WRITTEN = st.floats(allow_nan=False, allow_infinity=False).map(rfc8785.dumps).map(bytes.decode)
ODD_NUMBERS = [
    "-0",
    "-0.0",
    "1.0",
    "1e5",
    "1E+5",
    "1e21",
    "1e+21",
    "1e-6",
    "1e-7",
    "0.000001",
    "0.00001",
]
ODD_NUMBERS += [
    "9007199254740991",
    "9007199254740992",
    "9007199254740991.5",
    "1e309",
    "NaN",
    "+1",
    "01",
]
ODD_NUMBERS += [
    "100000000000000000000",
    "1000000000000000000000",
    "5e-324",
    "0e0",
    ".5",
    "true",
    "null",
]
PIECES = ["a", "B", "\\u0041", "\\u001f", "\\u001F", "\\n", "\\u000a", "\\/", "/", "\x7f", "\\b"]
PIECES += [
    "\xe9",
    "\\u00e9",
    "\U0001f600",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\ud83d",
    "\ue000",
    '\\"',
    "\x01",
]
QUOTED = st.lists(st.sampled_from(PIECES), max_size=3).map(lambda parts: f'"{"".join(parts)}"')
HOSTILE = st.recursive(
    SPELLED | WRITTEN | st.sampled_from(ODD_NUMBERS) | QUOTED,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(QUOTED, inner), max_size=3).map(
            lambda pairs: "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"
        )
        | inner.map(lambda text: "[" * 300 + text + "]" * 300)
        | inner.map(lambda text: f" {text}")
    ),
    max_leaves=6,
)


@given(text=HOSTILE)
@example("9007199254740992")
@example("1e16")
@example('{"\ue000":1,"\U00010000":2}')
def test_bytes_are_canonical_where_their_strict_reading_is_written_so(text):
    data = text.encode("utf-8", "surrogatepass")
    try:
        read = parse_json(data)
        is_canonical = rfc8785.dumps(read) == data
    except ValueError:
        is_canonical = False
    assert refused(data) != is_canonical
    if is_canonical:
        found = parsed(data)
        assert same(found.value, read)
        assert found.digest(found.value) == sha256_bytes(data)


@pytest.mark.parametrize(
    "text",
    [
        "1.0",
        "[1e5]",
        "1e+16",
        '{"b":1,"a":2}',
        "[ 1]",
        "-0.0",
        "[0.0]",
        "12345678901234567",
        '"\\u0061"',
        '{"\ue000":2,"\U00010000":1}',
        "1E5",
        "[1,2.50]",
        '{"a":1,"a":1}',
        '{"a":1,"a":2}',
        "NaN",
        "[Infinity]",
        "-Infinity",
        "9007199254740992",
        "",
        "[1",
    ],
)
def test_what_is_spelled_otherwise_is_not_canonical(text):
    assert refused(text.encode())


@pytest.mark.parametrize(
    "text", ['"12e4"', '[":1e5",0.25]', '{"\U00010000":1,"\ue000":2}', "1e-7", "-7"]
)
def test_what_only_looks_odd_is_canonical(text):
    assert parse_canonical(text.encode()) == json.loads(text)


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_what_the_two_encoders_write_otherwise_has_the_form_of_the_rfc(value):
    for whole in (value, [value, "a"], {"a": value, "\U00010000": 1, "\ue000": 2}):
        assert form_or_error(whole, canonical_json) == form_or_error(whole, rfc8785.dumps)
