"""DSSE envelopes: one form, checked by another implementation, nothing else accepted."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from hypothesis import given
from hypothesis import strategies as st

from components.audit.envelope import PAYLOAD_TYPE, Envelope, pre_authentication_encoding
from components.audit.keys import SigningKey
from components.core.canonical import canonical_json
from components.core.errors import IntegrityError

KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))
STATEMENT = {"_type": "https://in-toto.io/Statement/v1", "subject": [], "n": 1}
LEAF = Envelope.sign(STATEMENT, KEY).to_bytes()

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=8,
)


def test_the_pae_is_that_of_the_protocols_example() -> None:
    encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), json_values))
def test_an_envelope_reads_back_as_it_was_written(statement: dict[str, Any]) -> None:
    envelope = Envelope.sign(statement, KEY)
    again = Envelope.from_bytes(envelope.to_bytes())
    assert again == envelope
    assert again.statement(KEY.public) == statement


def test_securesystemslib_verifies_our_envelope_with_our_key_identifier() -> None:
    from securesystemslib.dsse import Envelope as TheirEnvelope
    from securesystemslib.exceptions import VerificationError
    from securesystemslib.signer import SSlibKey

    theirs = SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(KEY.public.raw))
    stranger = SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(OTHER.public.raw))
    envelope = TheirEnvelope.from_dict(json.loads(LEAF))
    assert theirs.keyid == KEY.public.keyid
    assert envelope.payload == canonical_json(STATEMENT)
    assert list(envelope.verify([theirs], 1)) == [KEY.public.keyid]
    with pytest.raises(VerificationError):
        envelope.verify([stranger], 1)


def read(leaf: bytes) -> dict[str, Any]:
    return Envelope.from_bytes(leaf).statement(KEY.public)


def test_a_changed_bit_anywhere_in_the_bytes_is_refused() -> None:
    assert read(LEAF) == STATEMENT
    for i in range(len(LEAF)):
        with pytest.raises(IntegrityError):
            read(LEAF[:i] + bytes([LEAF[i] ^ 1]) + LEAF[i + 1 :])


def changed(**parts: Any) -> bytes:
    return canonical_json(json.loads(LEAF) | parts)


def signed(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    signature = KEY.sign(pre_authentication_encoding(payload_type, payload))
    line = {"keyid": KEY.public.keyid, "sig": base64.b64encode(signature).decode()}
    return canonical_json(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": payload_type,
            "signatures": [line],
        }
    )


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        LEAF[: len(LEAF) // 2],
        LEAF + b"\n",
        LEAF.replace(b'{"payload"', b'{"payload":"","payload"', 1),
        json.dumps(json.loads(LEAF), indent=1).encode(),
        changed(payloadType="application/json"),
        changed(signatures=[]),
        changed(signatures=json.loads(LEAF)["signatures"] * 2),
        changed(extra=1),
        Envelope.sign(STATEMENT, OTHER).to_bytes(),
        changed(signatures=json.loads(Envelope.sign({"n": 2}, KEY).to_bytes())["signatures"]),
        signed(canonical_json(STATEMENT), "application/json"),
        signed(b'{"a":1,"a":2}'),
        signed(b'{"a":NaN}'),
        signed(b'{"b":1,"a":2}'),
        signed(b'{"a": 1}'),
        signed(b"[1]"),
        signed(b"no json"),
        signed(b"[" * 100_000),
        b"[" * 100_000,
    ],
)
def test_bytes_of_any_other_form_are_refused(leaf: bytes) -> None:
    with pytest.raises(IntegrityError):
        read(leaf)


def test_what_has_no_canonical_form_is_not_signed() -> None:
    for value in (float("nan"), float("inf"), 2**53):
        with pytest.raises(ValueError):
            Envelope.sign({"n": value}, KEY)


def test_a_half_character_is_refused_and_no_error_of_a_library(key: SigningKey) -> None:
    data = Envelope.sign({"a": 1}, key).to_bytes()
    keyid = key.public.keyid.encode()
    with pytest.raises(IntegrityError):
        Envelope.from_bytes(data.replace(keyid, "\udcb6".encode("utf-8", "surrogatepass")))
