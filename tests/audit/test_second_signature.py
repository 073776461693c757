"""The second signature on checkpoints, of ML-DSA-44: who asks for it, and what an attacker cannot.

The attacker of these tests has the log's Ed25519 key, which the second signature is to outlast.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from components.audit.anchors.anchoring import anchor, compare
from components.audit.anchors.witness import Witness
from components.audit.answers import AUDIT, ProofBundle
from components.audit.checkpoint import cosigned_at, unverified_checkpoint
from components.audit.envelope import Envelope
from components.audit.folder import AuditFolder
from components.audit.key_changes import KeyOrder
from components.audit.key_history import KeyHistory, follow, open_note, read_history
from components.audit.keys import Keyring, SigningKey, read_public_key
from components.audit.log import Log, read_snapshot
from components.audit.log_place import spool
from components.audit.notary import LocalNotary, open_notary
from components.audit.proof import verify_bundle
from components.audit.schema import check_statement
from components.audit.second_history import (
    handed_over,
    handover_message,
    possession_message,
    second_line,
)
from components.audit.second_key import SecondSigningKey
from components.audit.storage import PosixStorage
from components.audit.verify import verify_log
from components.core.canonical import parse_json
from components.core.errors import DataError, IntegrityError, PlatformError, SettingsError
from pipelines.cli import main

Draft = Callable[..., dict[str, Any]]
GOLDEN = Path(__file__).parent / "golden" / "second-key-change.json"
MLDSA = "cryptography.hazmat.primitives.asymmetric.mldsa"
OTHER = SecondSigningKey(MLDSA44PrivateKey.from_seed_bytes(bytes(range(32))))
CAUSE = {"kind": "DataError", "message": "no rows", "remedy": "look"}
ASKED = KeyOrder("actor-7", "for the long run", second=True)


def failed(draft: Draft, attempt: int) -> dict[str, Any]:
    return draft("FAIL", attempt=attempt, cause=CAUSE)


@pytest.fixture
def seconded(home: Path, draft: Draft, clock: Any) -> Path:
    """Entry 1 begins the second key, of the checkpoints over two, three and four entries."""
    with open_notary(home, clock) as notary:
        notary.submit(failed(draft, 1))
        notary.change_keys(ASKED)
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


def test_a_log_has_a_second_signature_from_the_checkpoint_over_its_second_key_on(
    seconded: Path,
) -> None:
    assert verify_log(seconded) == []
    counts = [len(lines(log(seconded).note(size))) for size in range(5)]
    assert counts == [1, 1, 2, 2, 2]


def test_a_log_that_never_asked_for_one_has_none_and_none_is_missing(
    home: Path, draft: Draft, clock: Any
) -> None:
    with open_notary(home, clock) as notary:
        notary.submit(failed(draft, 1))
        notary.change_keys(KeyOrder("actor-7", "yearly"))
    assert verify_log(home) == []
    assert [len(lines(log(home).note(size))) for size in range(3)] == [1, 1, 1]
    assert not list(AuditFolder(home).private_key.parent.glob("second-*"))


def test_the_line_is_that_of_the_specification(seconded: Path) -> None:
    """Parsed here by hand from https://c2sp.org/tlog-cosignature, of a log's own signature."""
    note = log(seconded).note(4)
    origin, size, root = note.split("\n")[:3]
    key = second_of(seconded).public.raw
    dash, name, text = lines(note)[1].split(" ")
    data = base64.b64decode(text)
    assert (dash, name, len(data)) == ("\u2014", origin, 4 + 8 + 2420)
    assert data[:4] == hashlib.sha256(name.encode() + b"\n\x06" + key).digest()[:4]
    vector = bytes([len(origin)]) + origin.encode()
    message = b"subtree/v1\n\0" + vector + bytes(8) + vector + bytes(8)
    message += int(size).to_bytes(8, "big") + base64.b64decode(root)
    assert data[4:12] == bytes(8)
    MLDSA44PublicKey.from_public_bytes(key).verify(data[12:], message)


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


ATTACKS: dict[str, Callable[[str, Path], str]] = {
    "absent": lambda note, home: without_second(note),
    "one bit": lambda note, home: with_second(note, flipped),
    "cut": lambda note, home: with_second(note, lambda data: data[:-1]),
    "empty": lambda note, home: with_second(note, lambda data: data[:4]),
    "a time": lambda note, home: with_second(note, lambda data: data[:11] + b"\1" + data[12:]),
    "another's, by its id": lambda note, home: (
        without_second(note) + second_line(unverified_checkpoint(note), OTHER)
    ),
    "another's, by ours": lambda note, home: with_second(
        without_second(note) + second_line(unverified_checkpoint(note), OTHER),
        lambda data: base64.b64decode(lines(note)[1].split(" ")[2])[:4] + data[4:],
    ),
    "moved from another checkpoint": lambda note, home: (
        without_second(note) + lines(log(home).note(2))[1] + "\n"
    ),
    "right, and a wrong one": lambda note, home: note + lines(with_second(note, flipped))[1] + "\n",
}


@pytest.mark.parametrize("size", [3, 4])
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_checkpoint_without_the_right_second_signature_is_a_finding(
    seconded: Path, attack: Callable[[str, Path], str], size: int
) -> None:
    note = log(seconded).note(size)
    keys = history(seconded)
    checkpoint(seconded, size).write_text(attack(note, seconded))
    assert where(seconded) == [("checkpoint", f"checkpoint {size}")]
    with pytest.raises(IntegrityError, match="second signature"):
        open_note(log(seconded).note(size), keys)
    checkpoint(seconded, size).write_text(note)
    assert verify_log(seconded) == []


def test_a_line_of_an_unknown_signer_beside_it_is_no_finding(seconded: Path) -> None:
    note = log(seconded).note(4)
    checkpoint(seconded, 4).write_text(note + "\u2014 witness.example/w AAAAAAAA\n")
    assert verify_log(seconded) == []


def test_a_notary_appends_nothing_to_a_log_whose_second_signature_is_gone(seconded: Path) -> None:
    checkpoint(seconded, 4).write_text(without_second(log(seconded).note(4)))
    with pytest.raises(IntegrityError, match="lacks the second"), open_notary(seconded):
        pass


def test_a_bundle_of_proofs_needs_the_second_signature(
    seconded: Path, draft: Draft, key: SigningKey
) -> None:
    start = draft("START", stage="evaluate_models")
    with open_notary(seconded) as notary:
        record = notary.submit(start).record
        bundle = notary.prove([record])
    with pytest.raises(IntegrityError, match="says START"):
        verify_bundle(bundle, [record], key.public)
    bare = ProofBundle(without_second(bundle.checkpoint), bundle.proofs)
    with pytest.raises(IntegrityError, match="lacks the second"):
        verify_bundle(bare, [record], key.public)


def test_each_second_key_signs_from_the_checkpoint_over_its_record_on(
    seconded: Path, draft: Draft
) -> None:
    with open_notary(seconded) as notary:
        notary.change_keys(ASKED)
        notary.change_keys(KeyOrder("actor-7", "yearly"))
        notary.submit(failed(draft, 4))
    assert verify_log(seconded) == []
    keys = history(seconded)
    assert [(item.first, item.end) for item in keys.second.tenures] == [(1, 4), (4, None)]
    assert len(keys.tenures) == 2
    old = Keyring(AuditFolder(seconded)).second_key(keys.second.tenures[0].key)
    note = log(seconded).note(6)
    forged = without_second(note) + second_line(unverified_checkpoint(note), old)
    checkpoint(seconded, 6).write_text(forged)
    assert where(seconded) == [("checkpoint", "checkpoint 6")]


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
        notary.change_keys(KeyOrder("actor-7", "yearly"))
        notary.change_keys(ASKED)
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
        notary.change_keys(ASKED)
        notary.change_keys(KeyOrder("actor-7", "gone", revoked=first))
        assert verify_log(seconded) == []
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


@dataclass(frozen=True)
class Failing(PosixStorage):
    """Stores a checkpoint, and then says once that it has not."""

    left: list[int] = field(default_factory=lambda: [1])

    def create(self, key: str, data: bytes) -> None:
        super().create(key, data)
        if key.startswith("checkpoints") and self.left:
            self.left.pop()
            raise PlatformError("the machine failed", remedy="try again")


def test_a_note_that_a_failure_left_stored_is_the_one_that_is_answered(
    seconded: Path, draft: Draft, clock: Any
) -> None:
    """Signatures are hedged: the note that is made again is another, and only one is stored."""
    folder = AuditFolder(seconded)
    with open_notary(seconded, clock):
        pass
    notary = LocalNotary(Failing(folder.log), spool(folder), Keyring(folder), clock)
    with pytest.raises(PlatformError):
        notary.submit(failed(draft, 4))
    assert notary.checkpoint() == log(seconded).note(5)
    assert verify_log(seconded) == []


@dataclass(frozen=True)
class Meddling(PosixStorage):
    """Somebody with the Ed25519 key alone is there first, with a note over the same entries."""

    def create(self, key: str, data: bytes) -> None:
        if key.startswith("checkpoints"):
            super().create(key, without_second(data.decode()).encode())
        super().create(key, data)


def test_a_note_in_the_way_that_lacks_the_second_signature_is_not_taken_for_ours(
    seconded: Path, draft: Draft, clock: Any
) -> None:
    folder = AuditFolder(seconded)
    with open_notary(seconded, clock):
        pass
    notary = LocalNotary(Meddling(folder.log), spool(folder), Keyring(folder), clock)
    with pytest.raises(IntegrityError, match="something else wrote number 5"):
        notary.submit(failed(draft, 4))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_what_a_crash_left_without_its_checkpoint_is_signed_twice(
    seconded: Path, draft: Draft, size: int
) -> None:
    for number in range(size + 1, 5):
        checkpoint(seconded, number).unlink()
    with open_notary(seconded) as notary:
        assert notary.submit(failed(draft, 9)).index == 4
    assert verify_log(seconded) == []


@pytest.mark.slow
def test_a_monitor_finds_a_kept_checkpoint_without_its_second_signature(seconded: Path) -> None:
    (kept,) = anchor(seconded, log(seconded).note(3))
    assert kept.error is None
    assert compare(seconded).trouble == ()
    anchor(seconded, without_second(log(seconded).note(4)))
    (trouble,) = compare(seconded).trouble
    assert "lacks the second signature" in trouble.message


def test_a_witness_cosigns_a_checkpoint_of_both_signatures(
    seconded: Path, tmp_path: Path, key: SigningKey
) -> None:
    note = log(seconded).note(4)
    logs = {unverified_checkpoint(note).origin: [key.public]}
    witness = Witness("witness.example/w1", key, logs, tmp_path / "state", lambda: 1777777777.0)
    answer = witness.add_checkpoint(f"old 0\n\n{note}")
    assert answer.status == 200
    assert cosigned_at(note + answer.body, "witness.example/w1", key.public) == 1777777777
    checkpoint(seconded, 4).write_text(note + answer.body)
    assert verify_log(seconded) == []


def test_where_cryptography_has_no_ml_dsa_that_is_what_is_said(
    seconded: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, MLDSA, None)
    assert main(["audit", "verify", "--home", str(seconded)]) == 1
    assert "install cryptography 48 or newer" in capsys.readouterr().err
    with pytest.raises(PlatformError, match="no ML-DSA-44"), open_notary(seconded):
        pass


def test_a_log_without_a_second_key_needs_no_ml_dsa(
    home: Path, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, MLDSA, None)
    with open_notary(home) as notary:
        notary.submit(failed(draft, 1))
        with pytest.raises(PlatformError, match="no ML-DSA-44"):
            notary.change_keys(ASKED)
    assert verify_log(home) == []


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
        notary.change_keys(ASKED)
    assert log(home).entry(1).leaf == GOLDEN.read_bytes()
    assert verify_log(home) == []


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
