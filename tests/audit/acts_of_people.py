"""People with keys, two versions of one model to act on, and what they sign; used by test_*.py."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from components.approvals.trail import Trail
from components.audit.acts import PROMOTE, Registered
from components.audit.approval import Approval
from components.audit.folder import AuditFolder
from components.audit.keys import SigningKey
from components.audit.log import entry_key
from components.audit.notary import LocalNotary, open_notary
from components.audit.predicates import APPROVE
from components.audit.trust import keys_said
from components.audit.verify import verify_log

ANN = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
BOB = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34))))
SUBMITTER = "actor-7"
MODEL = "flight-delay"
SIGNED = datetime(2026, 5, 4, 3, 5, tzinfo=UTC)
CLAIMED = "2026-05-04T03:05:00.000+00:00"


def late_clock() -> Callable[[], datetime]:
    """Return a clock that starts after the told run and gains a second at each look."""
    moment = [datetime(2026, 5, 4, 3, 6, tzinfo=UTC)]

    def look() -> datetime:
        moment[0] += timedelta(seconds=1)
        return moment[0]

    return look


def approval(registered: Registered, /, **changed: Any) -> Approval:
    made = Approval(
        model=registered.model,
        version=registered.version,
        evaluation_sha256=registered.inputs["evaluation"].sha256,
        bundle_sha256=registered.inputs["bundle"].sha256,
        name="Ann, model risk",
        meaning="approval",
        signed=SIGNED,
        until=date(2026, 6, 3),
        reason="the intervals are clear of the gates",
    )
    return replace(made, **changed)


def change(
    before: str | None, to: str | None, approvals: tuple[str, ...] = (), **parts: Any
) -> dict[str, Any]:
    aliases = [{"alias": "champion", "from": before, "to": to}]
    required = {"review": 0, "approval": 1} if approvals else None
    facts = {"reason": "as agreed", "aliases": aliases, "required": required, "keys": None}
    return facts | {"approvals": list(approvals)} | parts


@dataclass
class People:
    """A home with a told run, its notary, and two versions of one model."""

    home: Path
    notary: LocalNotary

    def version(self, number: str = "3") -> Registered:
        return Trail(self.home).version(MODEL, number)

    def act(
        self, kind: str, facts: dict[str, Any], number: str = "3", actor: str = "actor-8"
    ) -> str:
        return self.notary.submit(self.version(number).draft(kind, actor, facts, CLAIMED)).record

    def approve(
        self, number: str = "3", key: SigningKey = ANN, actor: str = "actor-8", **changed: Any
    ) -> str:
        signed = approval(self.version(number), **changed).sign(key)
        return self.act(APPROVE, signed, number, actor)

    def promote(self, number: str, before: str | None, *approvals: str, **parts: Any) -> str:
        named = {
            signed.record: signed.keyid
            for version in ("3", "4")
            for signed in Trail(self.home).standing.approvals(MODEL, version)
        }
        counted = [named[record] for record in approvals if record in named]
        keys = keys_said([ANN.public.keyid, BOB.public.keyid], counted)
        facts = change(before, number, approvals, keys=keys, **parts)
        return self.act(PROMOTE, facts, number)


@pytest.fixture
def people(told: Path, tmp_path: Path) -> Any:
    root = Path(shutil.copytree(told, tmp_path / "people"))
    with open_notary(root / "home", late_clock()) as notary:
        yield People(root / "home", notary)


@pytest.fixture
def promoted(people: People) -> People:
    """Version 3 was reviewed, approved and promoted."""
    first = people.approve()
    people.approve(meaning="review", key=BOB, actor="actor-9")
    people.promote("3", None, first)
    return people


def entry(home: Path, index: int) -> Path:
    return AuditFolder(home).log / entry_key(index)


def findings(home: Path) -> list[tuple[str, str]]:
    return [(finding.check, finding.message) for finding in verify_log(home)]
