"""What a promotion says of the keys that its home trusts, and what that asks for.

Rules: it names the keys whose approvals counted, and the digest of the set of trusted keys, never
the set. Where that set held a key, one approval is asked for whatever the settings say: settings of
zero are for whoever works alone. Records of registry-change v1 say nothing of keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from components.core.canonical import sha256_value

Keys = Mapping[str, Any]


def keys_said(trusted: Iterable[str], counted: Iterable[str]) -> dict[str, Any]:
    """Return what a promotion's record says of keys, from the ids of both sets."""
    return {"counted": sorted(set(counted)), "trusted_sha256": trusted_digest(trusted)}


def trusted_digest(trusted: Iterable[str]) -> str:
    """Return the digest of a set of key ids: of their sorted list, as canonical JSON."""
    return sha256_value(sorted(set(trusted)))


def any_key(keys: Keys) -> bool:
    """Say whether any key was trusted, by what a record says of keys."""
    return bool(keys["trusted_sha256"] != trusted_digest(()))


def asked_here(required: Mapping[str, int], keys: Keys | None) -> Mapping[str, int]:
    """Return what is asked for, by meaning; None says nothing of keys."""
    if keys is None or not any_key(keys):
        return required
    return {**required, "approval": max(1, required["approval"])}
