"""The second verifier's bytes: JSON, base 64, digests, signatures, the tree; of the page alone."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

TYPE = "application/vnd.in-toto+json"


class Wrong(Exception):
    """The first thing that is not as the document says."""


def need(holds: Any, what: str) -> None:
    if not holds:
        raise Wrong(what)


def unique(data: bytes, what: str) -> Any:
    """A JSON value, in any form, in which no object has a key twice."""

    def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        need(len(dict(pairs)) == len(pairs), f"{what}: a key twice")
        return dict(pairs)

    try:
        return json.loads(data, object_pairs_hook=once_each)
    except (ValueError, RecursionError) as error:
        raise Wrong(f"{what}: {error}") from error


def parsed(data: bytes, what: str) -> Any:
    """A JSON value in its canonical form."""
    value = unique(data, what)
    try:
        canonical = rfc8785.dumps(value) == data  # NaN and infinities have no canonical form
    except (ValueError, RecursionError) as error:
        raise Wrong(f"{what}: {error}") from error
    need(canonical, f"{what}: it is not canonical")
    return value


def unbase64(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Wrong(f"{what}: {error}") from error
    need(base64.b64encode(data).decode() == text, f"{what}: base 64 in another spelling")
    return data


def check(key: bytes, signature: bytes, message: bytes, what: str) -> None:
    kind = Ed25519PublicKey if len(key) == 32 else MLDSA44PublicKey
    try:
        kind.from_public_bytes(key).verify(signature, message)
    except InvalidSignature as error:
        raise Wrong(f"{what}: the signature is wrong") from error


def key_id(key: bytes) -> str:
    kind, scheme = ("ed25519", "ed25519") if len(key) == 32 else ("ml-dsa", "ml-dsa-44")
    named = {"keytype": kind, "scheme": scheme, "keyval": {"public": key.hex()}}
    return sha256(rfc8785.dumps(named)).hexdigest()


def opened(envelope: Any, key: bytes, what: str) -> Any:
    """What a key signed: the statement in an envelope."""
    need(isinstance(envelope, dict), f"{what}: no envelope")
    need(sorted(envelope) == ["payload", "payloadType", "signatures"], f"{what}: no envelope")
    payload, kind = unbase64(envelope["payload"], what), envelope["payloadType"]
    need(kind == TYPE and len(envelope["signatures"]) == 1, f"{what}: no envelope of ours")
    (line,) = envelope["signatures"]
    need(sorted(line) == ["keyid", "sig"], f"{what}: no envelope of ours")
    need(line["keyid"] == key_id(key), f"{what}: of another key")
    message = b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)
    check(key, unbase64(line["sig"], what), message, what)
    return parsed(payload, what)


def folder_digest(folder: Path) -> str | None:
    """The digest of an artifact; None where there is none."""
    if folder.is_symlink() or not folder.is_dir():
        return None
    paths = list(folder.rglob("*"))
    if any(path.is_symlink() or not (path.is_file() or path.is_dir()) for path in paths):
        return None
    files = {path.relative_to(folder).as_posix(): path for path in paths if path.is_file()}
    return digest({name: sha256(path.read_bytes()).hexdigest() for name, path in files.items()})


def root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + root(leaves[:split]) + root(leaves[split:])).digest()


def place(number: int) -> str:
    return f"{number // 1000:06d}/{number:09d}"


def is_time(text: str) -> bool:
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        return False
    return moment.year < 9999 and f"{moment.isoformat(timespec='milliseconds')}Z" == text


def digest(value: Any) -> str:
    return sha256(rfc8785.dumps(value)).hexdigest()


def named(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": value}}


def once(items: Any) -> list[Any]:
    return list(dict.fromkeys(items))
