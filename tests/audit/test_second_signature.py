"""The second signature on checkpoints, of ML-DSA-44: what it is, and what an attacker cannot.

The attacker of these tests has the log's Ed25519 key, which the second signature is to outlast.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from changed_keys import (
    OTHER,
    YEARLY,
    Draft,
    checkpoint,
    failed,
    history,
    lines,
    log,
    second_of,
    where,
    with_second,
    without_second,
)
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from second_verdict import second

from components.audit.anchors.anchoring import anchor, compare
from components.audit.anchors.witness import Witness
from components.audit.answers import ProofBundle
from components.audit.checkpoint import cosigned_at, unverified_checkpoint
from components.audit.folder import AuditFolder
from components.audit.key_history import open_note
from components.audit.keyring import Keyring
from components.audit.keys import SigningKey
from components.audit.log_place import spool
from components.audit.notary import LocalNotary, open_notary
from components.audit.proof import verify_bundle
from components.audit.second_history import second_line
from components.audit.storage import PosixStorage
from components.audit.verify import verify_log
from components.core.errors import IntegrityError, PlatformError


def test_a_log_has_a_second_signature_from_the_checkpoint_over_its_second_key_on(
    seconded: Path,
) -> None:
    assert verify_log(seconded) == []
    assert "checkpoints verify" in second(seconded)
    counts = [len(lines(log(seconded).note(size))) for size in range(5)]
    assert counts == [1, 1, 2, 2, 2]


def test_a_log_that_never_asked_for_one_has_none_and_none_is_missing(
    home: Path, draft: Draft, clock: Any
) -> None:
    with open_notary(home, clock) as notary:
        notary.submit(failed(draft, 1))
        notary.change_keys(YEARLY)
    assert verify_log(home) == []
    assert "checkpoints verify" in second(home)
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
    assert "checkpoints verify" in second(seconded)


def test_a_line_of_an_unknown_signer_beside_it_is_no_finding(seconded: Path) -> None:
    note = log(seconded).note(4)
    checkpoint(seconded, 4).write_text(note + "\u2014 witness.example/w AAAAAAAA\n")
    assert verify_log(seconded) == []
    assert "checkpoints verify" in second(seconded)


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


def on(storage: type[PosixStorage], home: Path, clock: Any) -> LocalNotary:
    """Return a notary that writes to a storage of another kind."""
    with open_notary(home, clock):
        pass
    folder = AuditFolder(home)
    return LocalNotary(storage(folder.log), spool(folder), Keyring(folder), clock)


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
    notary = on(Failing, seconded, clock)
    with pytest.raises(PlatformError):
        notary.submit(failed(draft, 4))
    assert notary.checkpoint() == log(seconded).note(5)
    assert verify_log(seconded) == []
    assert "checkpoints verify" in second(seconded)


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
    with pytest.raises(IntegrityError, match="something else wrote number 5"):
        on(Meddling, seconded, clock).submit(failed(draft, 4))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_what_a_crash_left_without_its_checkpoint_is_signed_twice(
    seconded: Path, draft: Draft, size: int
) -> None:
    for number in range(size + 1, 5):
        checkpoint(seconded, number).unlink()
    with open_notary(seconded) as notary:
        assert notary.submit(failed(draft, 9)).index == 4
    assert verify_log(seconded) == []
    assert "checkpoints verify" in second(seconded)


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
    assert "checkpoints verify" in second(seconded)
