"""Keys change by records of the log: rotation, revocation, and what is refused."""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from changed_keys import YEARLY, Draft, failed, history, log
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from second_verdict import found_by_second, second

from components.audit.answers import AUDIT, InclusionProof, ProofBundle
from components.audit.checkpoint import Checkpoint, unverified_checkpoint
from components.audit.envelope import Envelope
from components.audit.folder import AuditFolder
from components.audit.key_changes import KeyOrder
from components.audit.key_history import follow, open_note, possession, read_history
from components.audit.keyring import Keyring
from components.audit.keys import SigningKey, read_public_key
from components.audit.log import entry_key, read_snapshot
from components.audit.merkle import Tree, leaf_hash
from components.audit.notary import open_notary
from components.audit.proof import verify_bundle
from components.audit.schema import check_statement
from components.audit.storage import PosixStorage
from components.audit.verify import verify_log
from components.core.canonical import canonical_json, parse_json
from components.core.errors import (
    DataError,
    IntegrityError,
    PlatformError,
    SettingsError,
)
from pipelines.cli import main

GOLDEN = Path(__file__).parent / "golden" / "key-change.json"
SECOND = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35))))


@pytest.fixture
def rotated(home: Path, draft: Draft, clock: Any) -> Path:
    """Entry 0 by the first key, 1 is the rotation, 2 and 3 are by the second."""
    with open_notary(home, clock) as notary:
        notary.submit(failed(draft, 1))
        notary.change_keys(YEARLY)
        notary.submit(failed(draft, 2))
    with open_notary(home, clock) as notary:
        notary.submit(failed(draft, 3))
    return home


def second_key(home: Path) -> SigningKey:
    return Keyring(AuditFolder(home)).signing_key(history(home).tenures[-1].key)


def append(home: Path, leaf: bytes, key: SigningKey) -> None:
    """Write one more entry and its checkpoint, as whoever has a key can."""
    held = log(home)
    tree = Tree()
    for entry in held.entries():
        tree.append(leaf_hash(entry.leaf))
    newest = unverified_checkpoint(held.note(tree.size))
    held.storage.create(entry_key(tree.size), leaf)
    tree.append(leaf_hash(leaf))
    note = Checkpoint(newest.origin, tree.size, tree.root(), newest.extensions).sign(key)
    held.storage.create(f"checkpoints/000000/{tree.size:09d}", note.encode())


def similar(home: Path, index: int, **changed: Any) -> dict[str, Any]:
    """Return an entry's statement, as if submitted once more."""
    value: dict[str, Any] = parse_json(Envelope.from_bytes(log(home).entry(index).leaf).payload)
    value["predicate"][AUDIT] |= {"idempotency_key": "e" * 64, **changed}
    return value


def checks(home: Path) -> set[str]:
    return {finding.check for finding in verify_log(home)}


def test_each_entry_is_signed_by_the_key_of_its_place_and_all_verify_by_the_first(
    rotated: Path, key: SigningKey
) -> None:
    assert verify_log(rotated) == []
    assert second(rotated) == "4 entries and 5 checkpoints verify"
    snapshot = read_snapshot(log(rotated), key.public)
    first, newest = snapshot.keys.tenures
    assert (first.key, first.first, first.end) == (key.public, 0, 2)
    assert (newest.first, newest.end) == (2, None)
    signers = [Envelope.from_bytes(entry.leaf).signatures[0].keyid for entry in snapshot.entries]
    assert signers == [key.public.keyid] * 2 + [newest.key.keyid] * 2
    assert read_public_key(AuditFolder(rotated)) == key.public


def test_a_checkpoint_carries_the_line_of_the_newest_change_and_only_after_one(
    rotated: Path, key: SigningKey
) -> None:
    extensions = [unverified_checkpoint(log(rotated).note(size)).extensions for size in range(5)]
    assert extensions == [(), (), ("tandem-keys 1",), ("tandem-keys 1",), ("tandem-keys 1",)]


def test_the_former_private_key_is_not_needed_after_a_rotation(rotated: Path, draft: Draft) -> None:
    AuditFolder(rotated).private_key.unlink()
    with open_notary(rotated) as notary:
        assert notary.submit(failed(draft, 4)).index == 4
    assert verify_log(rotated) == []


def test_a_lost_new_key_stops_the_notary_and_no_other_is_made(rotated: Path) -> None:
    (made,) = AuditFolder(rotated).private_key.parent.glob("notary-*.key")
    made.unlink()
    with pytest.raises(IntegrityError, match="is gone"), open_notary(rotated):
        pass


def test_a_bundle_of_proofs_after_a_rotation_verifies_by_the_first_key(
    rotated: Path, draft: Draft, key: SigningKey
) -> None:
    done = failed(draft, 2) | {"event": "START", "cause": None, "stage": "evaluate_models"}
    with open_notary(rotated) as notary:
        record = notary.submit(done).record
        bundle = notary.prove([record])
    assert [proof.index for proof in bundle.proofs] == [1, 4]
    with pytest.raises(IntegrityError, match="says START"):
        verify_bundle(bundle, [record], key.public)
    without = ProofBundle(bundle.checkpoint, bundle.proofs[1:])
    with pytest.raises(IntegrityError, match="lacks entry 1"):
        verify_bundle(without, [record], key.public)
    with pytest.raises(IntegrityError):
        verify_bundle(bundle, [record], SECOND.public)
    forged = replace(bundle.proofs[0], envelope=bundle.proofs[1].envelope)
    assert isinstance(forged, InclusionProof)
    with pytest.raises(IntegrityError):
        verify_bundle(
            ProofBundle(bundle.checkpoint, (forged, bundle.proofs[1])), [record], key.public
        )


def test_the_former_key_signs_nothing_after_the_rotation_whatever_the_date(
    rotated: Path, key: SigningKey
) -> None:
    old = similar(rotated, 0)
    append(rotated, Envelope.sign(old, key).to_bytes(), second_key(rotated))
    assert "signature" in checks(rotated)
    assert found_by_second(rotated) == "entry 4: of another key"


def test_a_checkpoint_of_the_former_key_is_refused(rotated: Path, key: SigningKey) -> None:
    value = similar(rotated, 3)
    append(rotated, Envelope.sign(value, second_key(rotated)).to_bytes(), key)
    assert checks(rotated) >= {"checkpoint"}
    with pytest.raises(IntegrityError):
        read_snapshot(log(rotated), key.public)


def test_a_checkpoint_that_the_former_key_signs_in_place_is_found(
    rotated: Path, key: SigningKey
) -> None:
    newest = unverified_checkpoint(log(rotated).note(4))
    note = Checkpoint(newest.origin, 4, newest.root, newest.extensions).sign(key)
    (AuditFolder(rotated).log / "checkpoints/000000/000000004").write_text(note)
    assert checks(rotated) == {"checkpoint"}
    assert found_by_second(rotated) == "checkpoint 4: not signed by the key of its size"


def test_an_unknown_key_signs_nothing(rotated: Path, key: SigningKey) -> None:
    append(rotated, Envelope.sign(similar(rotated, 3), SECOND).to_bytes(), second_key(rotated))
    assert "signature" in checks(rotated)
    assert found_by_second(rotated) == "entry 4: of another key"


def test_a_rotation_that_another_key_signed_is_refused(rotated: Path, key: SigningKey) -> None:
    """Whoever has the former key alone cannot hand the log on to a key of theirs."""
    value = similar(rotated, 1)
    history = read_snapshot(log(rotated), key.public).keys
    said = value["predicate"]
    said |= {
        "key": {"keyid": SECOND.public.keyid, "public": SECOND.public.raw.hex()},
        "possession": possession(history, SECOND),
        "previous": history.previous,
    }
    for signer in (key, SECOND):
        with pytest.raises(IntegrityError, match="not signed by the log's key"):
            follow(history, Envelope.sign(value, signer), 4)
    assert follow(history, Envelope.sign(value, second_key(rotated)), 4).holder(5) == SECOND.public


@pytest.mark.parametrize(
    "change",
    [
        {"previous": None},
        {"possession": "A" * 86 + "=="},
        {"possession": "A" * 85 + "B=="},
        {"key": {"keyid": "0" * 64, "public": SECOND.public.raw.hex()}},
        {"change": "revoke", "from": 0},
    ],
)
def test_a_change_that_breaks_a_rule_is_refused_though_the_right_key_signed_it(
    rotated: Path, key: SigningKey, change: dict[str, Any]
) -> None:
    history = read_snapshot(log(rotated), key.public).keys
    value = similar(rotated, 1)
    value["predicate"] |= {
        "key": {"keyid": SECOND.public.keyid, "public": SECOND.public.raw.hex()},
        "possession": possession(history, SECOND),
        "previous": history.previous,
    } | change
    with pytest.raises(IntegrityError):
        follow(history, Envelope.sign(value, second_key(rotated)), 4)


def test_what_a_revoked_key_signed_from_an_entry_on_is_a_finding_and_no_proof(
    home: Path, draft: Draft, clock: Any, key: SigningKey
) -> None:
    with open_notary(home, clock) as notary:
        done = [notary.submit(failed(draft, attempt)).record for attempt in (1, 2, 3)]
        notary.change_keys(KeyOrder("actor-7", "stolen"))
        notary.submit(failed(draft, 4))
        assert checks(home) == set()
        notary.change_keys(KeyOrder("actor-7", "stolen", key.public.keyid[:12], 1))
        notary.submit(failed(draft, 5))
        bundle = notary.prove([done[1]])
    where = [(item.check, item.where) for item in verify_log(home)]
    assert where == [("key", "entry 1"), ("key", "entry 2"), ("key", "entry 3")]
    assert found_by_second(home) == "entry 1: its key was revoked"
    with pytest.raises(IntegrityError, match="revoked from 1 on"):
        verify_bundle(bundle, [done[1]], key.public)


def test_a_revocation_cannot_be_left_out_of_a_later_proof(
    rotated: Path, draft: Draft, key: SigningKey
) -> None:
    with open_notary(rotated) as notary:
        notary.change_keys(KeyOrder("actor-7", "stolen", key.public.keyid, 0))
        note = notary.checkpoint()
    leaves = {entry.index: entry.leaf for entry in log(rotated).entries()}
    history = read_history(note, leaves.__getitem__, key.public)
    assert history.tenures[0].revoked_from == 0
    assert note.count("tandem-keys 4") == 1
    with pytest.raises(IntegrityError, match="other changes of keys"):
        open_note(note, replace(history, last=(1, history.tenures[0].key.keyid)))
    with pytest.raises(IntegrityError):
        open_note(note.replace("tandem-keys 4", "tandem-keys 1"), history)


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (KeyOrder("a", "r", "0000", None), "0 keys of the log begin"),
        (KeyOrder("a", "r", "", None), "0 keys of the log begin"),
        (KeyOrder("a", "r", "63d0", 3), "signed nothing from entry 3"),
        (KeyOrder("a", "r", "63d0", -1), "signed nothing from entry -1"),
    ],
)
def test_a_revocation_of_what_cannot_be_revoked_is_wrong_usage(
    rotated: Path, order: KeyOrder, why: str
) -> None:
    with open_notary(rotated) as notary, pytest.raises(SettingsError, match=why):
        notary.change_keys(order)


def test_the_key_that_signs_now_is_rotated_before_it_is_revoked(home: Path) -> None:
    with open_notary(home) as notary, pytest.raises(SettingsError, match="still signs"):
        notary.change_keys(KeyOrder("a", "r", "63d0"))


def test_a_stage_cannot_hand_in_a_change_of_keys(rotated: Path, draft: Draft) -> None:
    with open_notary(rotated) as notary, pytest.raises(DataError, match=r"draft\.json"):
        notary.submit(draft("KEY", "rotate_key"))


def test_the_record_of_a_rotation_has_the_bytes_that_version_1_froze(
    home: Path, draft: Draft, clock: Any, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ed25519PrivateKey, "generate", classmethod(lambda cls: SECOND.private))
    with open_notary(home, clock) as notary:
        notary.submit(failed(draft, 1))
        notary.change_keys(YEARLY)
    leaf = log(home).entry(1).leaf
    assert leaf == GOLDEN.read_bytes()
    value = Envelope.from_bytes(leaf).statement(key.public)
    check_statement(value)
    for field in value["predicate"]:
        changed = {name: item for name, item in value["predicate"].items() if name != field}
        with pytest.raises(DataError):
            check_statement(value | {"predicate": changed})
    for unknown in ({"unknown": 1}, {"key": value["predicate"]["key"] | {"unknown": 1}}):
        with pytest.raises(DataError):
            check_statement(value | {"predicate": value["predicate"] | unknown})


def test_the_commands_show_and_change_the_keys(
    rotated: Path, key: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--home", str(rotated), "--json"]
    assert main(["audit", "keys", "rotate", "--reason", "yearly", *place]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["index"] == 4
    revoke = ["audit", "keys", "revoke", key.public.keyid[:8], "--reason", "old"]
    assert main([*revoke, *place]) == 0
    capsys.readouterr()
    assert main(["audit", "keys", "list", *place]) == 0
    keys = json.loads(capsys.readouterr().out)["keys"]
    assert [(item["first"], item["end"], item["revoked_from"]) for item in keys] == [
        (0, 2, 2),
        (2, 5, None),
        (5, None, None),
    ]
    assert keys[2]["keyid"] == made["key"]["keyid"]
    assert main(["audit", "keys", "list", "--home", str(rotated)]) == 0
    assert "up to entry 1; from entry 2 on it counts for nothing" in capsys.readouterr().out
    assert main([*revoke[:3], "beef", "--reason", "old", *place]) == 2
    assert verify_log(rotated) == []


def test_a_reason_that_is_none_is_wrong_usage_and_makes_no_key(
    rotated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted((rotated / "audit" / "keys").iterdir())
    for words in (["rotate"], ["rotate", "--second"], ["revoke", "63d0"]):
        assert main(["audit", "keys", *words, "--reason", " ", "--home", str(rotated)]) == 2
        assert "--reason must have" in capsys.readouterr().err
    assert sorted((rotated / "audit" / "keys").iterdir()) == before


@pytest.mark.parametrize("payload", [b"[]", b'"text"', b"null", b'{"predicate":[]}'])
def test_a_change_of_keys_that_is_no_statement_is_not_the_log(
    rotated: Path, key: SigningKey, payload: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    rotation = AuditFolder(rotated).log / entry_key(1)
    said = json.loads(rotation.read_bytes()) | {"payload": base64.b64encode(payload).decode()}
    leaf = canonical_json(said)
    with pytest.raises(IntegrityError):
        read_history(log(rotated).note(4), lambda index: leaf, key.public)
    rotation.write_bytes(leaf)
    for command in ("verify", "gates", "keys"):
        words = ["keys", "list"] if command == "keys" else [command]
        assert main(["audit", *words, "--home", str(rotated)]) == 4, command
        assert "unexpected" not in capsys.readouterr().err


def test_keys_of_no_log_are_not_shown_and_no_log_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "keys", "list", "--home", str(tmp_path)]) == 5
    assert main(["audit", "keys", "rotate", "--reason", "x", "--home", str(tmp_path)]) == 5
    assert list(tmp_path.iterdir()) == []


def test_keys_are_not_changed_while_a_notary_works(
    rotated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_notary(rotated):
        assert main(["audit", "keys", "rotate", "--reason", "x", "--home", str(rotated)]) == 1
    assert "another notary writes" in capsys.readouterr().err


@pytest.mark.parametrize("size", [2, 3])
def test_a_rotation_that_a_crash_left_without_its_checkpoint_is_taken_up(
    rotated: Path, draft: Draft, tmp_path: Path, size: int
) -> None:
    copy = Path(shutil.copytree(rotated, tmp_path / "copy"))
    folder = AuditFolder(copy).log
    for number in range(size, 5):
        (folder / f"checkpoints/000000/{number:09d}").unlink()
    for index in range(size, 4):
        (folder / entry_key(index)).unlink()
    with open_notary(copy) as notary:
        assert notary.submit(failed(draft, 9)).index == size
    assert verify_log(copy) == []


def test_errors_of_the_machine_do_not_change_keys(
    rotated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: PosixStorage, objects: Any) -> None:
        raise PlatformError("no space", remedy="make room")

    with open_notary(rotated) as notary:
        with monkeypatch.context() as patch:
            patch.setattr(PosixStorage, "create_all", full)
            with pytest.raises(PlatformError):
                notary.change_keys(KeyOrder("a", "r"))
        assert notary.change_keys(KeyOrder("a", "r")).index == 4
    assert verify_log(rotated) == []
