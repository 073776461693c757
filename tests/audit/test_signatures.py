"""Ed25519 by libsodium, as PublicKey.verifies asks it, beside RFC 8032 and OpenSSL."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from hypothesis import given
from hypothesis import strategies as st

from components.audit.keys import PublicKey, SigningKey

# RFC 8032, section 7.1: secret key, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
ORDER = 2**252 + 27742317777372353535851937790883648493
KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
MESSAGE = b"what was signed"
# A key, its signature of "hello", and one whose commitment has a point of order 8 added to it.
TORSION = (
    "8279328af782a911f926fccf9205bbc424aa1aa9b60ed097fa2bdbdf63d3f3ab",
    "bb9e5644a0175ec3c7c0957d84dbd69ef90aa040cda92500afc724edf72b1182"
    "3194c9ecd5c1c8626f146032a76447943514b0aa0a869a56949a6afde14daf03",
    "0c6f6c093210553ddbc704f827808283c22406ff6b8711ae1708409570de6c98"
    "f585b79c832f324d8f749ed2ebba8e6631cd39893df2d7d3fae860902f2db802",
)


def openssl_verifies(key: PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, message)
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_the_signatures_of_rfc_8032_verify(
    secret: str, public: str, message: str, signature: str
) -> None:
    key = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)))
    assert key.public.raw.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert key.public.verifies(bytes.fromhex(signature), bytes.fromhex(message))


@given(place=st.integers(0, 63), bit=st.integers(0, 7))
def test_a_signature_changed_in_one_bit_is_refused(place: int, bit: int) -> None:
    signature = bytearray(KEY.sign(MESSAGE))
    signature[place] ^= 1 << bit
    assert not KEY.public.verifies(bytes(signature), MESSAGE)


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    signature = (KEY.sign(MESSAGE) * 2)[:length]
    assert not KEY.public.verifies(signature, MESSAGE)
    assert not KEY.public.verifies(signature, b"")


def test_a_key_of_another_length_verifies_nothing() -> None:
    assert not PublicKey(KEY.public.raw[:31]).verifies(KEY.sign(MESSAGE), MESSAGE)


def test_a_second_spelling_of_a_signature_is_refused_as_openssl_does() -> None:
    signature = KEY.sign(MESSAGE)
    larger = int.from_bytes(signature[32:], "little") + ORDER
    second = signature[:32] + larger.to_bytes(32, "little")
    assert not KEY.public.verifies(second, MESSAGE)
    assert not openssl_verifies(KEY.public, second, MESSAGE)


def test_a_commitment_with_a_part_of_small_order_is_refused_as_openssl_does() -> None:
    """Whoever has the key can make one; verifiers that multiply by the cofactor would take it."""
    key = PublicKey(bytes.fromhex(TORSION[0]))
    assert openssl_verifies(key, bytes.fromhex(TORSION[1]), b"hello")
    assert key.verifies(bytes.fromhex(TORSION[1]), b"hello")
    assert not openssl_verifies(key, bytes.fromhex(TORSION[2]), b"hello")
    assert not key.verifies(bytes.fromhex(TORSION[2]), b"hello")


def test_a_key_of_small_order_under_which_anything_verifies_is_refused() -> None:
    neutral = bytes([1]) + bytes(31)
    assert openssl_verifies(PublicKey(neutral), neutral + bytes(32), MESSAGE)
    assert not PublicKey(neutral).verifies(neutral + bytes(32), MESSAGE)
