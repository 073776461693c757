"""Checkpoints: the form of C2SP's signed note and tlog-checkpoint, and what is refused."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from hypothesis import given
from hypothesis import strategies as st

from components.audit.checkpoint import Checkpoint, open_checkpoint, origin_of
from components.audit.keys import SigningKey
from components.core.errors import IntegrityError

KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))
ORIGIN = origin_of(KEY.public)
CHECKPOINT = Checkpoint(ORIGIN, 17, hashlib.sha256(b"root").digest())
NOTE = CHECKPOINT.sign(KEY)


@given(size=st.integers(0, 2**70), root=st.binary(min_size=32, max_size=32))
def test_a_checkpoint_reads_back_as_it_was_signed(size: int, root: bytes) -> None:
    checkpoint = Checkpoint(ORIGIN, size, root)
    assert open_checkpoint(checkpoint.sign(KEY), KEY.public) == checkpoint
    assert Checkpoint.from_text(checkpoint.to_text()) == checkpoint


def test_a_note_follows_the_specification_line_by_line() -> None:
    """Parsed here by hand from https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint."""
    text, _, signatures = NOTE.rpartition("\n\n")
    origin, size, root = text.split("\n")
    dash, name, encoded = signatures.rstrip("\n").split(" ")
    data = base64.b64decode(encoded)
    key_id = hashlib.sha256(name.encode() + b"\n\x01" + KEY.public.raw).digest()[:4]
    assert (origin, size, dash, name) == (ORIGIN, "17", "\u2014", ORIGIN)
    assert base64.b64decode(root) == CHECKPOINT.root
    assert data[:4] == key_id
    public = Ed25519PublicKey.from_public_bytes(KEY.public.raw)
    public.verify(data[4:], f"{text}\n".encode())


def test_the_example_of_the_specification_can_be_read() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = Checkpoint.from_text(text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.to_text() == text


def test_a_line_of_an_unknown_witness_is_ignored() -> None:
    witness = "\u2014 witness.example/w " + base64.b64encode(bytes(68)).decode() + "\n"
    assert open_checkpoint(NOTE + witness, KEY.public) == CHECKPOINT


def test_a_changed_note_is_refused_wherever_the_change_is() -> None:
    assert open_checkpoint(NOTE, KEY.public) == CHECKPOINT
    for i, character in enumerate(NOTE):
        other = "B" if character == "A" else "A"
        with pytest.raises(IntegrityError):
            open_checkpoint(NOTE[:i] + other + NOTE[i + 1 :], KEY.public)
        with pytest.raises(IntegrityError):
            open_checkpoint(NOTE[:i] + NOTE[i + 1 :], KEY.public)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        NOTE.split("\n\n")[0] + "\n\n",
        CHECKPOINT.sign(OTHER),
        Checkpoint(origin_of(OTHER.public), 17, CHECKPOINT.root).sign(OTHER),
        NOTE.replace("17", "17\t"),
        NOTE + "no signature line\n",
        NOTE + NOTE.rpartition("\n\n")[2].replace("=", "A="),
    ],
)
def test_a_note_that_our_key_did_not_sign_is_refused(note: str) -> None:
    with pytest.raises(IntegrityError):
        open_checkpoint(note, KEY.public)


@pytest.mark.parametrize(
    "text",
    [
        "origin\n007\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "origin\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "origin\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
        "origin\n7\nAAAA\n",
        "origin\n7\n",
        "\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "origin\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
    ],
)
def test_a_text_of_another_form_is_not_a_checkpoint(text: str) -> None:
    with pytest.raises(ValueError):
        Checkpoint.from_text(text)


def test_a_checkpoint_signed_under_another_logs_origin_is_refused() -> None:
    text = Checkpoint("example.com/other", 17, CHECKPOINT.root).to_text()
    ours = NOTE.rpartition("\n\n")[2]
    key_id = base64.b64decode(ours.split(" ")[2])[:4]
    line = base64.b64encode(key_id + KEY.sign(text.encode())).decode()
    with pytest.raises(IntegrityError, match="another log"):
        open_checkpoint(f"{text}\n\u2014 {ORIGIN} {line}\n", KEY.public)
