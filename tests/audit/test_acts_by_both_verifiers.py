"""Rows of acts, right and wrong ones: both verifiers let the same ones be."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from acts_of_people import ANN, BOB, MODEL, SIGNED, SUBMITTER, approval, change
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from second_verifier import Wrong, forms
from second_verifier_acts import Acts

from components.audit.acts import ARCHIVE, PROMOTE, ROLL_BACK, WITHDRAW, Act, Registered, registered
from components.audit.answers import AUDIT
from components.audit.envelope import vouched_statement
from components.audit.folder import AuditFolder
from components.audit.keys import SigningKey
from components.audit.log import Log
from components.audit.predicates import APPROVE
from components.audit.records import timestamp
from components.audit.schema import FOLDER
from components.audit.standing import SignedApproval, Standing
from components.audit.trust import keys_said
from components.core.errors import IntegrityError

Statements = dict[str, dict[str, Any]]
EVE = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35))))
KINDS = (APPROVE, APPROVE, PROMOTE, PROMOTE, PROMOTE, ROLL_BACK, ROLL_BACK, ARCHIVE, WITHDRAW)
VERSIONS = "345"
PEOPLE = {"actor-8": ANN, "actor-9": BOB, SUBMITTER: EVE}
FIRST = datetime(2026, 5, 4, 3, 6, tzinfo=UTC)
ASKED = (
    {},
    {},
    {"review": 0, "approval": 0},
    {"review": 1, "approval": 1},
    {"review": 0, "approval": 2},
)


@pytest.fixture(scope="module")
def run_told(told: Path) -> Statements:
    """The statements of the told run, by the names of their records."""
    entries = Log.at(AuditFolder(told / "home")).entries()
    return {entry.record: vouched_statement(entry.leaf) for entry in entries}


@dataclass
class Row:
    """A log in memory; what chance chooses is right most of the time."""

    statements: Statements
    chance: random.Random
    revoked: set[str] = field(default_factory=set)
    acts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.registration = registration(self.statements)
        self.first = Standing(self.statements.__getitem__, self.require_valid)
        self.second = Acts(forms(FOLDER), self.revoked.__contains__)
        for record, said in self.statements.items():
            made = {item["name"]: item["digest"]["sha256"] for item in said["subject"]}
            self.second.take(record, said, made, record)

    def require_valid(self, record: str) -> None:
        if record in self.revoked:
            raise IntegrityError("revoked", remedy="none")

    def rarely(self) -> bool:
        return self.chance.random() < 0.04

    def version(self, number: str) -> Registered:
        return registered(self.statements.__getitem__, self.registration, MODEL, number)

    def revoke(self) -> None:
        """Have nothing count from an entry on, up to one of the last: of a key before this one."""
        known = [self.registration] * self.rarely() + self.acts
        first = self.chance.randrange(len(known) + 1)
        self.revoked |= set(known[first : len(known) - self.chance.randrange(3)])

    def act(self) -> tuple[str, bool]:
        """Return an act's kind, and whether both let it be, which goes on from there."""
        kind, number = self.drawn()
        (actor,) = self.chance.choices([*PEOPLE], [4, 4, 1])
        said = self.approval(number, actor) if kind == APPROVE else self.change(kind, number)
        record, statement = f"{len(self.acts):064x}", self.statement(kind, number, actor, said)
        self.acts.append(record)
        act = Act.from_statement(statement, record)
        problems = list(self.first.problems(act))
        try:
            self.second.take(record, statement, {}, record)
        except Wrong as wrong:
            assert problems, f"{kind} {number}: {wrong}"
            return kind, False
        assert not problems, f"{kind} {number}"
        self.first.take(act)
        champion = self.second.models[MODEL].champion
        assert champion == self.first.of(MODEL).champion
        return kind, True

    def drawn(self) -> tuple[str, str]:
        """Return an act and a version, of which most may be: what is asked for is done first."""
        kind, number = self.chance.choice(KINDS), self.chance.choice(VERSIONS)
        if self.chance.random() < 0.2:
            return kind, number
        now, before = self.first.of(MODEL), self.first.previous(MODEL)
        if kind == ROLL_BACK and now.former:
            return kind, before or now.former[0]
        if kind == ROLL_BACK or (kind == WITHDRAW and self.chance.random() < 0.7):
            kind = PROMOTE
        if kind == PROMOTE and number == now.champion and self.first.reigns(MODEL):
            number = self.chance.choice(VERSIONS.replace(number, ""))
        if kind == PROMOTE and list(self.first.lacking(*self.signed(number))):
            kind = APPROVE
        return kind, number

    def signed(self, number: str) -> tuple[Mapping[str, int], list[SignedApproval]]:
        """Return what a version's promotion asks for, and the approvals that count."""
        version, day = self.version(number), (FIRST + timedelta(days=len(self.acts))).date()
        known = self.first.approvals(MODEL, number)
        counted = [one for one in known if not self.first.why_not(one, version, day)]
        return version.required, counted

    def statement(self, kind: str, number: str, actor: str, said: Any) -> dict[str, Any]:
        version = self.version(number)
        parts = version.inputs.items()
        inputs = [{"name": n, "sha256": made.sha256, "record": made.record} for n, made in parts]
        if self.rarely():
            inputs[self.chance.randrange(3)]["sha256"] = "0" * 64
        audit = {
            "event": "ACT",
            "stage": kind,
            "run": {"id": "run-2" if self.rarely() else version.run},
            "actor": {"id": self.chance.choice([actor] * 9 + [None])},
            "inputs": inputs,
            "clocks": {"notary": timestamp(FIRST + timedelta(days=len(self.acts)))},
        }
        model = "other" if self.rarely() else MODEL
        return {"predicate": {"model": model, "version": number, AUDIT: audit, **said}}

    def approval(self, number: str, actor: str) -> dict[str, Any]:
        of = self.chance.choice(VERSIONS + number * 3)
        changed: dict[str, Any] = {
            "meaning": self.chance.choice(["review", "approval", "approval"]),
            "until": date(2026, 5, self.chance.choice([30] * 7 + [6])),
            "signed": SIGNED - timedelta(minutes=self.chance.choice([0] * 7 + [10])),
            "name": f"number {len(self.acts)}",
        }
        if self.rarely():
            changed["signed"] = SIGNED + timedelta(days=400)
        if self.rarely():
            changed["bundle_sha256"] = "0" * 64
        key = self.chance.choice([ANN, BOB, EVE]) if self.rarely() else PEOPLE[actor]
        facts = approval(self.version(of), **changed).sign(key)
        return facts | ({"publicKey": EVE.public.raw.hex()} if self.rarely() else {})

    def change(self, kind: str, number: str) -> dict[str, Any]:
        champion = self.first.of(MODEL).champion
        before = self.chance.choice(["3", "4", None]) if self.rarely() else champion
        if kind in (ARCHIVE, WITHDRAW):
            held = [] if number != champion or self.chance.random() < 0.4 else ["champion"]
            gone = [{"alias": alias, "from": number, "to": None} for alias in held]
            gone += [{"alias": "candidate", "from": "4", "to": None}] if self.rarely() else []
            said = change(None, None, aliases=gone)
        else:
            said = change(before, number)
        return said | (self.cited(number) if kind == PROMOTE or self.rarely() else {})

    def cited(self, number: str) -> dict[str, Any]:
        """Return what a promotion says of approvals."""
        required, cited = self.signed(number)
        if self.chance.random() < 0.2:
            cited = self.first.approvals(MODEL, number)
        if self.chance.random() < 0.1:
            of = self.chance.choice(VERSIONS.replace(number, ""))
            cited = [*cited, *self.signed(of)[1]]
        cited = cited[:1] if self.rarely() else cited
        ids = [one.keyid for one in cited]
        counted = [ANN.public.keyid] if self.rarely() else ids
        keys: Any = keys_said([] if self.rarely() else ids, counted)
        asked = {"review": 0, "approval": 1} if self.rarely() else dict(required)
        said = {"approvals": [one.record for one in cited], "required": asked}
        if self.rarely():
            return said | {"keys": None}
        return said | {"keys": keys}


def registration(statements: Statements) -> str:
    """Return the record that registered the versions."""
    audits = {record: said["predicate"][AUDIT] for record, said in statements.items()}
    done = ("register_models", "COMPLETE")
    return next(r for r, audit in audits.items() if (audit["stage"], audit["event"]) == done)


def rows(run_told: Statements) -> Iterator[Row]:
    """Yield rows whose registration has one version more, and asks for more, less or nothing."""
    audit = run_told[registration(run_told)]["predicate"][AUDIT]
    versions = audit["facts"]["versions"]
    versions["other"] = versions["candidate"] | {"version": "5"}
    for seed in range(150):
        chance = random.Random(seed)
        asked = chance.choice(ASKED)
        audit["settings"] = {"registry": {"approvals": asked}} if asked else {}
        yield Row(run_told, chance)


def test_both_verifiers_let_the_same_acts_be(run_told: Statements) -> None:
    told: Counter[tuple[str, bool]] = Counter()
    for row in rows(run_told):
        for _ in range(16):
            made = row.act()
            told[made] += 1
            if row.chance.random() < (0.5 if made == (ROLL_BACK, True) else 0.1):
                row.revoke()
    assert {key for key, count in told.items() if count >= 10} == {
        (kind, let) for kind in KINDS for let in (True, False)
    }
