"""Canonical JSON and SHA-256: the only place where either is defined.

Rules: canonical JSON is RFC 8785; a digest is the lower-case hexadecimal SHA-256 of bytes; the
digest of a value is the digest of its canonical JSON. NaN, infinities, duplicate keys and
non-string keys have no canonical form and are refused.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import rfc8785


def canonical_json(value: Any) -> bytes:
    """Return the RFC 8785 form of a JSON value.

    Raises ValueError for what JSON or I-JSON cannot hold (NaN, integers of 2**53 and more).
    """
    return rfc8785.dumps(value)


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


def sha256_value(value: Any) -> str:
    """Return the digest of a JSON value's canonical form."""
    return sha256_bytes(canonical_json(value))


def sha256_file(path: Path) -> str:
    """Return the digest of a file's bytes, read in constant memory."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
