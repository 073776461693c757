"""The log's second key begins, changes and is revoked by records that two keys stand behind.

The attacker of these tests has the log's Ed25519 key, which the second one is to outlast.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from changed_keys import (
    OTHER,
    SECOND,
    YEARLY,
    Draft,
    checkpoint,
    failed,
    history,
    log,
    second_change,
    second_of,
    taken_over,
    text,
    where,
    without_second,
)
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from second_verdict import second

from components.audit.checkpoint import unverified_checkpoint
from components.audit.envelope import Envelope
from components.audit.folder import AuditFolder
from components.audit.key_changes import KeyOrder
from components.audit.key_history import KeyHistory, follow, open_note, read_history
from components.audit.keyring import Keyring
from components.audit.keys import SigningKey
from components.audit.notary import open_notary
from components.audit.schema import check_statement
from components.audit.second_history import (
    handed_over,
    handover_message,
    possession_message,
    second_line,
)
from components.audit.verify import verify_log
from components.core.errors import DataError, IntegrityError, PlatformError, SettingsError
from pipelines.cli import main

GOLDEN = Path(__file__).parent / "golden" / "second-key-change.json"


def test_each_second_key_signs_from_the_checkpoint_over_its_record_on(
    seconded: Path, draft: Draft
) -> None:
    with open_notary(seconded) as notary:
        notary.change_keys(SECOND)
        notary.change_keys(YEARLY)
        notary.submit(failed(draft, 4))
    assert verify_log(seconded) == []
    assert "checkpoints verify" in second(seconded)
    keys = history(seconded)
    assert [(item.first, item.end) for item in keys.second.tenures] == [(1, 4), (4, None)]
    assert len(keys.tenures) == 2
    old = Keyring(AuditFolder(seconded)).second_key(keys.second.tenures[0].key)
    note = log(seconded).note(6)
    forged = without_second(note) + second_line(unverified_checkpoint(note), old)
    checkpoint(seconded, 6).write_text(forged)
    assert where(seconded) == [("checkpoint", "checkpoint 6")]


def test_a_right_handover_is_followed(seconded: Path, key: SigningKey) -> None:
    value = taken_over(seconded, second_of(seconded))
    keys = follow(history(seconded), Envelope.sign(value, key), 4)
    assert keys.second.of_size(5) == OTHER.public
    assert keys.second.of_size(4) == second_of(seconded).public


def test_who_has_the_ed25519_key_alone_cannot_take_over_the_second(
    seconded: Path, key: SigningKey
) -> None:
    keys, mine = history(seconded), second_of(seconded)
    of_another_place = handover_message(keys.origin, OTHER.public, "0" * 64)
    itself = {"keyid": mine.public.keyid, "public": mine.public.raw.hex()}
    for value in (
        taken_over(seconded, OTHER),
        taken_over(seconded, mine, handover=None),
        taken_over(seconded, mine, handover=text(bytes(2420))),
        taken_over(seconded, mine, handover=text(mine.sign(of_another_place))),
        taken_over(seconded, mine, change="begin"),
        taken_over(seconded, mine, change="begin", handover=None),
        taken_over(seconded, mine, possession=None),
        taken_over(seconded, mine, possession="A" * 3226 + "B="),
        taken_over(seconded, mine, previous=None),
        taken_over(seconded, mine, key={"keyid": "0" * 64, "public": OTHER.public.raw.hex()}),
        second_change(
            seconded,
            change="rotate",
            key=itself,
            **handed_over(keys.origin, keys.previous, mine, mine),
        ),
        second_change(seconded, change="revoke", key=itself, **{"from": 0}),
    ):
        with pytest.raises(IntegrityError):
            follow(keys, Envelope.sign(value, key), 4)


def test_a_second_key_is_not_rotated_before_it_began(home: Path, key: SigningKey) -> None:
    with open_notary(home) as notary:
        notary.change_keys(YEARLY)
        notary.change_keys(SECOND)
    value = second_change(home, previous=None, change="rotate")
    with pytest.raises(IntegrityError, match="rotates none"):
        follow(KeyHistory.of(key.public), Envelope.sign(value, key), 0)


def test_checkpoints_of_a_revoked_second_key_are_findings_from_there_on(
    seconded: Path, draft: Draft
) -> None:
    first = second_of(seconded).public.keyid
    with open_notary(seconded) as notary:
        with pytest.raises(SettingsError, match="still signs") as refused:
            notary.change_keys(KeyOrder("actor-7", "stolen", revoked=first))
        assert refused.value.remedy.endswith("rotate --second`")
        notary.change_keys(SECOND)
        notary.change_keys(KeyOrder("actor-7", "gone", revoked=first))
        assert verify_log(seconded) == []
        assert "checkpoints verify" in second(seconded)
        notary.change_keys(KeyOrder("actor-7", "stolen", revoked=first, first=2))
        notary.submit(failed(draft, 4))
    assert where(seconded) == [("checkpoint", "checkpoint 3"), ("checkpoint", "checkpoint 4")]
    assert history(seconded).second.tenures[0].revoked_from == 2


def test_a_change_of_the_second_key_cannot_be_left_out(seconded: Path, key: SigningKey) -> None:
    held = log(seconded)
    note = held.note(4).replace("tandem-keys 1\n", "")
    leaves = {entry.index: entry.leaf for entry in held.entries()}
    with pytest.raises(IntegrityError, match="signature on the checkpoint is wrong"):
        open_note(note, read_history(note, leaves.__getitem__, key.public))


def test_a_lost_second_key_stops_the_notary_and_no_other_is_made(seconded: Path) -> None:
    (path,) = AuditFolder(seconded).private_key.parent.glob("second-*.key")
    kept = path.read_bytes()
    path.write_bytes(OTHER.to_pem())
    with pytest.raises(IntegrityError, match="not that ML-DSA-44 key"), open_notary(seconded):
        pass
    path.write_bytes(kept)
    path.chmod(0o644)
    with pytest.raises(PlatformError, match="may be read by others"), open_notary(seconded):
        pass
    path.unlink()
    with pytest.raises(IntegrityError, match="is gone"), open_notary(seconded):
        pass
    assert not path.exists()


def test_the_commands_begin_rotate_revoke_and_show_a_second_key(
    seconded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--home", str(seconded), "--json"]
    first = second_of(seconded).public.keyid
    rotate = ["audit", "keys", "rotate", "--second", "--reason", "yearly"]
    assert main([*rotate, *place]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["index"] == 4
    assert main(["audit", "keys", "revoke", first[:8], "--reason", "old", *place]) == 0
    capsys.readouterr()
    assert main(["audit", "keys", "list", *place]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["keys"]) == 1
    assert [
        (item["keyid"], item["first"], item["end"], item["revoked_from"])
        for item in answer["second_keys"]
    ] == [(first, 1, 4, 4), (made["key"]["keyid"], 4, None, None)]
    assert main(["audit", "keys", "list", "--home", str(seconded)]) == 0
    shown = capsys.readouterr().out.splitlines()
    seconds = [line for line in shown if line.endswith("(ML-DSA-44, checkpoints over these)")]
    assert [first[:16] in line for line in seconds] == [True, False]
    assert main([*rotate, "--home", str(seconded)]) == 0
    assert "signs every checkpoint too from now on" in capsys.readouterr().out
    assert verify_log(seconded) == []
    assert "checkpoints verify" in second(seconded)


class Repeating:
    """A private key whose signature for itself is that of the golden record."""

    def __init__(self, said: dict[str, Any]) -> None:
        self._key = OTHER.private
        self._signature = base64.b64decode(said["possession"])

    def sign(self, message: bytes) -> bytes:
        self._key.public_key().verify(self._signature, message)
        return self._signature

    def __getattr__(self, name: str) -> Any:
        return getattr(self._key, name)


def test_the_record_of_a_second_key_has_the_bytes_that_version_1_froze(
    home: Path, draft: Draft, clock: Any, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = Envelope.from_bytes(GOLDEN.read_bytes()).statement(key.public)
    made = Repeating(value["predicate"])
    monkeypatch.setattr(MLDSA44PrivateKey, "generate", classmethod(lambda cls: made))
    with open_notary(home, clock) as notary:
        notary.submit(failed(draft, 1))
        notary.change_keys(SECOND)
    assert log(home).entry(1).leaf == GOLDEN.read_bytes()
    assert verify_log(home) == []
    assert "checkpoints verify" in second(home)


def test_an_unknown_or_missing_field_of_the_record_is_refused(key: SigningKey) -> None:
    value = Envelope.from_bytes(GOLDEN.read_bytes()).statement(key.public)
    check_statement(value)
    said = value["predicate"]
    for name in said:
        fewer = {other: item for other, item in said.items() if other != name}
        with pytest.raises(DataError):
            check_statement(value | {"predicate": fewer})
    for unknown in ({"unknown": 1}, {"key": said["key"] | {"unknown": 1}}):
        with pytest.raises(DataError):
            check_statement(value | {"predicate": said | unknown})


def test_a_stage_cannot_hand_in_a_second_key(seconded: Path, draft: Draft) -> None:
    with open_notary(seconded) as notary, pytest.raises(DataError, match=r"draft\.json"):
        notary.submit(draft("KEY", "begin_second_key"))


def test_what_a_second_key_signs_for_itself_is_no_checkpoint_and_no_handover() -> None:
    """Three messages, and none begins as another does: no signature can be moved between them."""
    beginnings = {
        possession_message("log", OTHER.public)[:12],
        handover_message("log", OTHER.public, "")[:12],
        b"subtree/v1\n\0",
    }
    assert len(beginnings) == 3
