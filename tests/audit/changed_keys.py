"""Logs whose keys changed, and their notes; used by test_*.py of the first key and the second."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from components.audit.answers import AUDIT
from components.audit.envelope import Envelope
from components.audit.folder import AuditFolder
from components.audit.key_changes import KeyOrder
from components.audit.key_history import KeyHistory
from components.audit.keyring import Keyring
from components.audit.keys import read_public_key
from components.audit.log import Log, read_snapshot
from components.audit.notary import open_notary
from components.audit.second_history import handed_over
from components.audit.second_key import SecondSigningKey
from components.audit.storage import PosixStorage
from components.audit.verify import verify_log
from components.core.canonical import parse_json

Draft = Callable[..., dict[str, Any]]
CAUSE = {"kind": "DataError", "message": "no rows", "remedy": "look"}
OTHER = SecondSigningKey(MLDSA44PrivateKey.from_seed_bytes(bytes(range(32))))
YEARLY = KeyOrder("actor-7", "yearly")
SECOND = KeyOrder("actor-7", "for the long run", second=True)


def failed(draft: Draft, attempt: int) -> dict[str, Any]:
    return draft("FAIL", attempt=attempt, cause=CAUSE)


@pytest.fixture
def seconded(home: Path, draft: Draft, clock: Any) -> Path:
    """Entry 1 begins the second key, of the checkpoints over two, three and four entries."""
    with open_notary(home, clock) as notary:
        notary.submit(failed(draft, 1))
        notary.change_keys(SECOND)
        notary.submit(failed(draft, 2))
        notary.submit(failed(draft, 3))
    return home


def log(home: Path) -> Log:
    return Log(PosixStorage(AuditFolder(home).log))


def history(home: Path) -> KeyHistory:
    return read_snapshot(log(home), read_public_key(AuditFolder(home))).keys


def second_of(home: Path) -> SecondSigningKey:
    key = history(home).second.key
    assert key is not None
    return Keyring(AuditFolder(home)).second_key(key)


def checkpoint(home: Path, size: int) -> Path:
    return AuditFolder(home).log / f"checkpoints/000000/{size:09d}"


def lines(note: str) -> list[str]:
    return note.rpartition("\n\n")[2].splitlines()


def without_second(note: str) -> str:
    return note.removesuffix(lines(note)[1] + "\n")


def with_second(note: str, change: Callable[[bytes], bytes]) -> str:
    """Return a note with the bytes of its second signature's line changed."""
    dash, name, text = lines(note)[1].split(" ")
    data = base64.b64encode(change(base64.b64decode(text))).decode()
    return f"{without_second(note)}{dash} {name} {data}\n"


def where(home: Path) -> list[tuple[str, str]]:
    return [(finding.check, finding.where) for finding in verify_log(home)]


def second_change(home: Path, **said: Any) -> dict[str, Any]:
    """Return the statement of entry 1, once more and with other fields."""
    value: dict[str, Any] = parse_json(Envelope.from_bytes(log(home).entry(1).leaf).payload)
    value["predicate"][AUDIT] |= {"idempotency_key": "e" * 64}
    value["predicate"] |= {"previous": history(home).previous} | said
    return value


def taken_over(home: Path, former: SecondSigningKey, **said: Any) -> dict[str, Any]:
    """Return a rotation to another second key."""
    keys = history(home)
    named = {"keyid": OTHER.public.keyid, "public": OTHER.public.raw.hex()}
    signed = handed_over(keys.origin, keys.previous, OTHER, former)
    return second_change(home, **{"change": "rotate", "key": named} | signed | said)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()
