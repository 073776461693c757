"""Acts of people in a log that was signed again with the notary's stolen key."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from acts_of_people import (
    ANN,
    BOB,
    SUBMITTER,
    People,
    entry,
    findings,
)
from careful_thief import keyed
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from second_verdict import found_by_second, second

from components.audit.answers import AUDIT
from components.audit.checkpoint import Checkpoint, origin_of
from components.audit.envelope import Envelope
from components.audit.folder import AuditFolder
from components.audit.keys import SigningKey
from components.audit.merkle import Tree, leaf_hash
from components.audit.predicates import REGISTRY_CHANGE_1
from components.audit.trust import keys_said
from components.audit.verify import verify_log
from components.core.canonical import canonical_json, sha256_bytes, sha256_value

# Attacks with the notary's stolen key; rewritten without a change the log gives no finding.


def rewritten(
    home: Path,
    key: SigningKey,
    edit: Callable[[list[dict[str, Any]]], None],
    others: Mapping[int, SigningKey] = MappingProxyType({}),
) -> None:
    """Sign every record and checkpoint again, with changed statements and their new digests.

    `others` sign the entries that are named.
    """
    count = len(list((AuditFolder(home).log / "entries").rglob("*.json")))
    leaves = [entry(home, index).read_bytes() for index in range(count)]
    statements = [json.loads(Envelope.from_bytes(leaf).payload) for leaf in leaves]
    edit(statements)
    tree, renamed = Tree(), {}
    for index, statement in enumerate(statements):
        text = json.dumps(statement)
        for old, new in renamed.items():
            text = text.replace(old, new)
        leaf = Envelope.sign(keyed(json.loads(text)), others.get(index, key)).to_bytes()
        renamed[sha256_bytes(leaves[index])] = sha256_bytes(leaf)
        entry(home, index).write_bytes(leaf)
        tree.append(leaf_hash(leaf))
        note = Checkpoint(origin_of(key.public), index + 1, tree.root()).sign(key)
        (AuditFolder(home).log / f"checkpoints/000000/{index + 1:09d}").write_text(note)


def everywhere(
    attack: Callable[[list[dict[str, Any]]], None],
) -> Callable[[list[dict[str, Any]]], None]:
    """Return the attack of a thief who changes every copy of what was changed."""

    def edit(statements: list[dict[str, Any]]) -> None:
        attack(statements)
        audits = [statement["predicate"][AUDIT] for statement in statements]
        audits[14]["settings"] = audits[15]["settings"]
        statements[13]["predicate"]["timeVerified"] = audits[13]["clocks"]["notary"]
        for audit in audits:
            audit["settings_sha256"] = sha256_value(audit["settings"])
            audit["parents"] = list(dict.fromkeys(item["record"] for item in audit["inputs"]))

    return edit


def change_the_envelope(statements: list[dict[str, Any]]) -> None:
    held = statements[18]["predicate"]["approval"]
    payload = held["payload"]
    held["payload"] = payload[:60] + ("A" if payload[60] != "A" else "B") + payload[61:]


def move_the_signature(statements: list[dict[str, Any]]) -> None:
    """Put what was signed for version 3 under a record about version 4."""
    statements[18]["predicate"]["version"] = "4"
    bundle = statements[15]["predicate"][AUDIT]["facts"]["versions"]["challenger"]["bundle_sha256"]
    made = next(
        item
        for item in statements[15]["predicate"][AUDIT]["inputs"]
        if item["name"] == "tensorflow_model"
    )
    statements[18]["subject"][1]["digest"]["sha256"] = bundle
    statements[18]["predicate"][AUDIT]["inputs"][1] |= {
        "sha256": made["sha256"],
        "record": made["record"],
    }


def resign_with_another_key(statements: list[dict[str, Any]]) -> None:
    statements[18]["predicate"]["publicKey"] = BOB.public.raw.hex()


def approve_as_the_submitter(statements: list[dict[str, Any]]) -> None:
    statements[18]["predicate"][AUDIT]["actor"]["id"] = SUBMITTER


def decide_after_the_approval(statements: list[dict[str, Any]]) -> None:
    for index in range(13, 18):
        statements[index]["predicate"][AUDIT]["clocks"]["notary"] = "2026-05-04T03:05:30.000Z"


def ask_for_nothing(statements: list[dict[str, Any]]) -> None:
    statements[20]["predicate"] |= {"required": {"review": 0, "approval": 0}, "approvals": []}


def count_a_review_as_an_approval(statements: list[dict[str, Any]]) -> None:
    review = sha256_bytes(Envelope.sign(statements[19], KEY).to_bytes())
    statements[20]["predicate"]["approvals"] = [review]


def expire_the_approval(statements: list[dict[str, Any]]) -> None:
    statements[20]["predicate"][AUDIT]["clocks"]["notary"] = "2026-07-01T00:00:00.000Z"


def work_alone(statements: list[dict[str, Any]], trusted: tuple[str, ...] = ()) -> None:
    """Ask for nothing, in the settings and in the promotion, with these keys trusted."""
    none = {"review": 0, "approval": 0}
    statements[15]["predicate"][AUDIT]["settings"]["registry"] = {"approvals": none}
    said = {"required": none, "approvals": [], "keys": keys_said(trusted, ())}
    statements[20]["predicate"] |= said


def work_alone_among_others(statements: list[dict[str, Any]]) -> None:
    work_alone(statements, (ANN.public.keyid,))


def name_another_key(statements: list[dict[str, Any]]) -> None:
    statements[20]["predicate"]["keys"]["counted"] = [BOB.public.keyid]


def trust_no_key(statements: list[dict[str, Any]]) -> None:
    statements[20]["predicate"]["keys"]["trusted_sha256"] = sha256_value([])


def say_nothing_of_keys(statements: list[dict[str, Any]]) -> None:
    statements[20]["predicate"]["keys"] = None


def promote_another(statements: list[dict[str, Any]]) -> None:
    statements[20]["predicate"]["version"] = "7"


def ask_in_an_unknown_form(statements: list[dict[str, Any]]) -> None:
    statements[15]["predicate"][AUDIT]["settings"]["registry"] = {"approvals": {"approval": "0"}}


def name_no_registry(statements: list[dict[str, Any]]) -> None:
    statements[15]["predicate"][AUDIT]["settings"]["registry"] = "none"


KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
VERIFIES = "21 entries and 22 checkpoints verify"
ATTACKS: dict[Callable[[list[dict[str, Any]]], None], str] = {
    change_the_envelope: "it is no signed approval",
    move_the_signature: "what the person signed is of another version",
    resign_with_another_key: "another key signed it",
    approve_as_the_submitter: "its signer submitted the run",
    decide_after_the_approval: "signed before the run's gates",
    ask_for_nothing: "does not ask for what the settings",
    count_a_review_as_an_approval: "1 people must have signed with meaning approval, 0 have",
    expire_the_approval: "it held until 2026-06-03",
    work_alone_among_others: "1 people must have signed with meaning approval, 0 have",
    name_another_key: "the keys that it names are not those of its approvals",
    trust_no_key: "it counts approvals where no key was trusted",
    say_nothing_of_keys: "it does not say which keys were trusted",
    promote_another: "registered no version 7",
    ask_in_an_unknown_form: "does not say which approvals",
    name_no_registry: "does not say which approvals",
}


def test_the_log_signed_again_without_a_change_gives_no_finding(promoted: People) -> None:
    assert second(promoted.home) == VERIFIES
    rewritten(promoted.home, KEY, lambda statements: None)
    assert findings(promoted.home) == []
    assert second(promoted.home) == VERIFIES


def test_a_promotion_with_settings_of_zero_and_no_trusted_key_gives_no_finding(
    promoted: People,
) -> None:
    rewritten(promoted.home, KEY, everywhere(work_alone))
    assert findings(promoted.home) == []
    assert second(promoted.home) == VERIFIES


def test_a_promotion_of_version_1_which_names_no_keys_is_verified_as_it_was(
    promoted: People,
) -> None:
    def older(statements: list[dict[str, Any]]) -> None:
        statements[20]["predicateType"] = REGISTRY_CHANGE_1
        del statements[20]["predicate"]["keys"]

    rewritten(promoted.home, KEY, older)
    assert findings(promoted.home) == []
    assert second(promoted.home) == VERIFIES


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_on_acts_with_the_stolen_key_is_found(
    promoted: People, attack: Callable[[list[dict[str, Any]]], None]
) -> None:
    rewritten(promoted.home, KEY, everywhere(attack))
    found = verify_log(promoted.home)
    assert {finding.check for finding in found} == {"act"}
    assert any(ATTACKS[attack] in finding.message for finding in found), found
    assert found_by_second(promoted.home).startswith(f"{found[0].where}: ")


def test_a_registration_that_another_key_signed_registers_nothing(promoted: People) -> None:
    rewritten(promoted.home, KEY, lambda statements: None, {15: ANN})
    found = findings(promoted.home)
    assert found[0][0] == "signature"
    assert "is not in the log" in {check: message for check, message in found}["act"]
    assert found_by_second(promoted.home) == "entry 15: of another key"


def test_an_envelope_changed_in_place_is_found_by_the_notarys_signature(promoted: People) -> None:
    file = entry(promoted.home, 18)
    value = json.loads(file.read_bytes())
    statement = json.loads(Envelope.from_bytes(file.read_bytes()).payload)
    change_the_envelope([{}] * 18 + [statement])
    from components.audit import base64_strict

    changed = value | {"payload": base64_strict.encode(canonical_json(statement))}
    file.write_bytes(canonical_json(changed))
    assert "signature" in {check for check, _ in findings(promoted.home)}
    assert found_by_second(promoted.home) == "entry 18: the signature is wrong"
