"""Canonical JSON and SHA-256: the only place where either is defined.

Rules: canonical JSON is RFC 8785; a digest is the lower-case hexadecimal SHA-256 of bytes; the
digest of a value is the digest of its canonical JSON. NaN, infinities, duplicate keys and
non-string keys have no canonical form and are refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import orjson
import rfc8785

_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
)
_SAFE_DIGITS = 15
"""Fewer than 2**53 has; one more or less would be told apart by the library."""
_SMALL = ("0.00000", "-0.00000")
"""How numbers begin that orjson writes with an exponent where the RFC has none."""
_FOUR_BYTES = re.compile(rb"[\xf0-\xff]")
"""What begins a character beyond the basic plane, where orjson sorts keys otherwise."""


def canonical_json(value: Any) -> bytes:
    """Return the RFC 8785 form of a JSON value.

    Raises ValueError for what JSON or I-JSON cannot hold (NaN, integers of 2**53 and more).
    """
    quick = _quick_form(value)
    return rfc8785.dumps(value) if quick is None else quick


class _OtherForm(Exception):
    """A number that the library writes otherwise than the standard library, or may refuse."""


def _quick_form(value: Any) -> bytes | None:
    """Return the form by the standard library's encoder where that is the same; None elsewhere.

    It is the same for plain values whose texts keep to the basic plane, where UTF-16 sorts as
    Unicode does, and whose numbers are small integers or decimals without an exponent. What is
    read back from it must be the value: no tuple, no key that is no string.
    """
    try:
        text = _ENCODER.encode(value)
        same = _PLAIN.decode(text) == value
        return text.encode() if same and (text.isascii() or max(text) < "\U00010000") else None
    except (_OtherForm, TypeError, ValueError, RecursionError):
        return None


def _plain_float(text: str) -> float:
    if "e" in text or text.endswith(".0") or text.startswith(_SMALL):
        raise _OtherForm
    return float(text)


def _spelled_float(text: str) -> orjson.Fragment:
    """Return a number's own spelling, if that is the RFC's: orjson takes it over."""
    form = text.encode()
    if rfc8785.dumps(float(text)) != form:
        raise _OtherForm
    return orjson.Fragment(form)


def _small_int(text: str) -> int:
    if len(text) > _SAFE_DIGITS:
        raise _OtherForm
    return int(text)


_PLAIN = json.JSONDecoder(parse_float=_plain_float, parse_int=_small_int)
_PLAIN_FLOATS = msgspec.json.Decoder(float_hook=_plain_float)
_SPELLED_FLOATS = msgspec.json.Decoder(float_hook=_spelled_float)
_ANY_FLOATS = msgspec.json.Decoder()
_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


class Parsed(NamedTuple):
    """A value that was parsed from its canonical bytes, and what digests parts of it.

    Where orjson writes the whole value as those bytes, it writes every part as the RFC does, in a
    twentieth of the time.
    """

    value: Any
    digest: Callable[[Any], str]


def parse_canonical(data: bytes) -> Any:
    """Return the value of `parsed`."""
    return parsed(data).value


def parsed(data: bytes) -> Parsed:
    """Return the value of bytes that are its canonical form; ValueError for any other bytes.

    A key that stands twice, NaN and every other spelling show in the bytes: the value, written
    again, has others.
    """
    quick = _quickly_parsed(data)
    if quick is not None:
        return quick
    value = parse_json(data)
    if canonical_json(value) != data:
        raise ValueError("it is not in its canonical form")
    return Parsed(value, sha256_value)


def _quickly_parsed(data: bytes) -> Parsed | None:
    """Return the value where two quick libraries can tell that the bytes are its form.

    msgspec reads in half of the standard library's time and tells how floats are spelled; orjson
    writes in a tenth, and texts of the basic plane, plain floats and integers below 2**53 as the
    RFC does. Other floats are held against the RFC's form one by one.
    """
    if not data.isascii() and _FOUR_BYTES.search(data):
        return None
    try:
        return _plainly_parsed(data)
    except _OtherForm:
        return _spelled_parsed(data)
    except (msgspec.DecodeError, TypeError):
        return None


def _plainly_parsed(data: bytes) -> Parsed | None:
    value = _PLAIN_FLOATS.decode(data)
    is_same_form = orjson.dumps(value, option=_SORTED) == data
    return Parsed(value, _quick_digest) if is_same_form else None


def _spelled_parsed(data: bytes) -> Parsed | None:
    """Return the same of bytes with floats that orjson would write otherwise."""
    try:
        is_same_form = orjson.dumps(_SPELLED_FLOATS.decode(data), option=_SORTED) == data
    except (_OtherForm, ValueError, TypeError):
        return None
    return Parsed(_ANY_FLOATS.decode(data), _spelled_digest) if is_same_form else None


def _quick_digest(value: Any) -> str:
    return sha256_bytes(orjson.dumps(value, option=_SORTED))


def _spelled_digest(value: Any) -> str:
    return _quick_digest(_spelled(value))


def _spelled(value: Any) -> Any:
    """Return a value whose floats are spelled as the RFC does, where orjson may do otherwise."""
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled(item) for item in value]
    if isinstance(value, float) and "e" in repr(value):
        return orjson.Fragment(rfc8785.dumps(value))
    return value


def is_same(one: Any, other: Any) -> bool:
    """Say whether two values that were parsed are the same JSON: 1 is not true, as in Python."""
    return orjson.dumps(one, option=_SORTED) == orjson.dumps(other, option=_SORTED)


def parse_json(data: bytes | str) -> Any:
    """Parse JSON strictly: raise ValueError for duplicate keys, NaN and infinities."""
    return json.loads(data, object_pairs_hook=_unique_keys, parse_constant=_no_constant)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError(f"duplicate key in JSON object: {sorted(k for k, _ in pairs)}")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def sha256_bytes(data: bytes) -> str:
    """Return the digest of bytes."""
    return hashlib.sha256(data).hexdigest()


def sha256_chunks(chunks: Iterable[bytes]) -> str:
    """Return the digest of bytes that come in parts."""
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()


def sha256_value(value: Any) -> str:
    """Return the digest of a JSON value's canonical form."""
    return sha256_bytes(canonical_json(value))


def sha256_file(path: Path) -> str:
    """Return the digest of a file's bytes, read in constant memory."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
