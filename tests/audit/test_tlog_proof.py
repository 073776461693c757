"""Proof files in C2SP's form: read back, verified, refused where anything is changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from components.audit.checkpoint import Checkpoint, origin_of
from components.audit.folder import AuditFolder
from components.audit.key_history import KeyHistory
from components.audit.keys import SigningKey, read_public_key
from components.audit.log import Log, read_snapshot
from components.audit.storage import PosixStorage
from components.audit.tlog_proof import TlogProof
from components.core.errors import IntegrityError

SIGNER = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=8)


@pytest.fixture(scope="module")
def proven(told: Path) -> tuple[TlogProof, bytes, KeyHistory]:
    """The told run's seventh record, proven."""
    folder = AuditFolder(told / "home")
    snapshot = read_snapshot(Log(PosixStorage(folder.log)), read_public_key(folder))
    hashes = tuple(snapshot.tree.inclusion_proof(7))
    return TlogProof(7, hashes, snapshot.note), snapshot.entries[7].leaf, snapshot.keys


@given(index=st.integers(0, 2**64), hashes=HASHES, extra=st.none() | st.binary(max_size=64))
def test_a_proof_reads_back_as_it_was_written(
    index: int, hashes: list[bytes], extra: bytes | None
) -> None:
    note = Checkpoint(origin_of(SIGNER.public), 9, bytes(32)).sign(SIGNER)
    proof = TlogProof(index, tuple(hashes), note, extra)
    assert TlogProof.from_text(proof.to_text()) == proof


def test_a_file_has_the_lines_of_the_specification(
    proven: tuple[TlogProof, bytes, KeyHistory],
) -> None:
    """https://c2sp.org/tlog-proof: head, extra, index, hashes, an empty line, the checkpoint."""
    proof, _, _ = proven
    lines = TlogProof(proof.index, proof.hashes, proof.note, b"extra").to_text().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra ZXh0cmE=", "index 7"]
    assert [len(line) for line in lines[3 : 3 + len(proof.hashes)]] == [44] * len(proof.hashes)
    assert lines[3 + len(proof.hashes)] == ""
    assert "\n".join(lines[4 + len(proof.hashes) :]) == proof.note


def test_a_record_of_the_log_is_proven_by_its_file_and_no_other_bytes_are(
    proven: tuple[TlogProof, bytes, KeyHistory],
) -> None:
    proof, leaf, keys = proven
    assert TlogProof.from_text(proof.to_text()).verify(leaf, keys).size == 18
    with pytest.raises(IntegrityError):
        proof.verify(leaf + b" ", keys)


def test_a_file_changed_at_any_character_proves_nothing(
    proven: tuple[TlogProof, bytes, KeyHistory],
) -> None:
    proof, leaf, keys = proven
    text = proof.to_text()
    for i, character in enumerate(text):
        for other in ("A" if character != "A" else "B", ""):
            changed = text[:i] + other + text[i + 1 :]
            with pytest.raises(IntegrityError):
                TlogProof.from_text(changed).verify(leaf, keys)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("@v1", "@v2"),
        ("index 7", "index 07"),
        ("index 7", "index -7"),
        ("index 7", "index \u0667"),
        ("index 7\n", ""),
        ("index 7", "extra !\nindex 7"),
        ("index 7", "extra AA==\nextra AA==\nindex 7"),
        ("index 7", "index 7\nAAAA"),
        ("\n\n", "\n"),
    ],
)
def test_a_file_of_another_form_is_refused(
    proven: tuple[TlogProof, bytes, KeyHistory], was: str, now: str
) -> None:
    text = proven[0].to_text()
    assert was in text
    with pytest.raises(IntegrityError):
        TlogProof.from_text(text.replace(was, now))
