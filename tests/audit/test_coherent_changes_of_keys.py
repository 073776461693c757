"""Changes of keys that contradict themselves are found, whoever signed them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from careful_thief import keyed
from changed_keys import SECOND, YEARLY
from second_verifier import Wrong
from second_verifier_keys import of_its_kind
from second_verifier_records import coherent

from components.audit.answers import AUDIT, RecordView
from components.audit.coherence import contradictions
from components.audit.envelope import vouched_statement
from components.audit.folder import AuditFolder
from components.audit.key_changes import KeyOrder
from components.audit.keys import SigningKey
from components.audit.log import Log
from components.audit.notary import open_notary
from components.core.canonical import canonical_json, parsed

Statement = dict[str, Any]
KINDS = ("rotate_key", "begin_second_key", "revoke_key")


@pytest.fixture
def changes(home: Path, key: SigningKey) -> dict[str, Statement]:
    """Return the statements of a log that changes its keys in three ways, by stage."""
    with open_notary(home) as notary:
        for order in (YEARLY, SECOND, KeyOrder("actor-7", "lost", revoked=key.public.keyid)):
            notary.change_keys(order)
    found = [vouched_statement(entry.leaf) for entry in Log.at(AuditFolder(home)).entries()]
    return {item["predicate"][AUDIT]["stage"]: item for item in found}


def said_of(statement: Statement) -> list[str]:
    payload = parsed(canonical_json(statement))
    return contradictions(RecordView.from_statement(payload.value, 0, "0" * 64), payload)


def says_one_thing(statement: Statement) -> None:
    """Refuse what the second verifier refuses of a record by itself."""
    made = {item["name"]: item["digest"]["sha256"] for item in statement["subject"]}
    coherent(statement, statement["predicate"][AUDIT], made, {}, "it")
    of_its_kind(statement, "it")


def another_subject(statement: Statement) -> None:
    statement["subject"][0]["digest"]["sha256"] = "0" * 64


def another_name(statement: Statement) -> None:
    statement["subject"][0]["name"] = "key/" + "0" * 64


def another_stage(statement: Statement) -> None:
    audit = statement["predicate"][AUDIT]
    other = "revoke_key" if audit["stage"] != "revoke_key" else "rotate_key"
    audit["record_id"] = audit["record_id"].replace(audit["stage"], other)
    audit["stage"] = other


def a_policy(statement: Statement) -> None:
    statement["predicate"][AUDIT]["policy_sha256"] = "0" * 64


def another_from(statement: Statement) -> None:
    is_revocation = statement["predicate"]["change"] == "revoke"
    statement["predicate"]["from"] = None if is_revocation else 3


def another_possession(statement: Statement) -> None:
    said = statement["predicate"]
    said["possession"] = None if said["possession"] else "A" * 86 + "=="


def another_handover(statement: Statement) -> None:
    """One that nobody asked for; of the log's first key, which has no such field, a possession."""
    if "handover" not in statement["predicate"]:
        another_possession(statement)
    else:
        statement["predicate"]["handover"] = "A" * 3227 + "="


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "change",
    [
        another_subject,
        another_name,
        another_stage,
        a_policy,
        another_from,
        another_possession,
        another_handover,
    ],
    ids=lambda change: change.__name__,
)
def test_a_change_of_keys_says_one_thing(
    changes: dict[str, Statement], kind: str, change: Callable[[Statement], None]
) -> None:
    statement = changes[kind]
    assert said_of(statement) == []
    says_one_thing(statement)
    change(statement)
    assert said_of(keyed(statement)) != []
    with pytest.raises(Wrong):
        says_one_thing(keyed(statement))
