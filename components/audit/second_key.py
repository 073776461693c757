"""A log's second key, ML-DSA-44 (FIPS 204): signs checkpoints beside Ed25519, if a log asks for it.

Rules: it signs no record; its line on a note is that of C2SP tlog-cosignature for ML-DSA-44 (type
0x06, `subtree/v1`) under the log's own name, with a timestamp of zero: it says nothing of when.
Signatures are hedged, so that two over the same message are not the same bytes. The library is
asked for it where a second key is used and nowhere else: `cryptography` has it since version 48.
Where it has none, what a second key signed is UnverifiableError, and none is made: PlatformError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from components.core.canonical import sha256_value
from components.core.errors import PlatformError, TandemError, UnverifiableError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

SIGNATURE_BYTES = 2420


@dataclass(frozen=True)
class SecondPublicKey:
    """An ML-DSA-44 public key, 1312 bytes (FIPS 204, 7.2)."""

    raw: bytes

    @property
    def keyid(self) -> str:
        """The digest of the key's description; ours, in the form of the Ed25519 keys'."""
        parts = {"keytype": "ml-dsa", "scheme": "ml-dsa-44", "keyval": {"public": self.raw.hex()}}
        return sha256_value(parts)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether the signature is this key's; UnverifiableError where none can be checked."""
        _, public = _classes(UnverifiableError)
        try:
            public.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        except UnsupportedAlgorithm as error:
            raise _unknown(UnverifiableError) from error
        return True


@dataclass(frozen=True)
class SecondSigningKey:
    """An ML-DSA-44 private key in memory."""

    private: MLDSA44PrivateKey

    @classmethod
    def generate(cls) -> SecondSigningKey:
        """Make a new key."""
        private, _ = _classes(PlatformError)
        try:
            return cls(private.generate())
        except UnsupportedAlgorithm as error:
            raise _unknown(PlatformError) from error

    @property
    def public(self) -> SecondPublicKey:
        """The key that verifies what this one signs."""
        return SecondPublicKey(self.private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return a signature of a message, 2420 bytes."""
        return self.private.sign(message)

    def to_pem(self) -> bytes:
        """Return the private key as PEM (PKCS 8, RFC 9881: the seed), unencrypted."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def is_second(key: object) -> bool:
    """Say whether a private key that was read from a file is of ML-DSA-44."""
    return isinstance(key, _classes(PlatformError)[0])


def _classes(
    without: type[TandemError],
) -> tuple[type[MLDSA44PrivateKey], type[MLDSA44PublicKey]]:
    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import (
            MLDSA44PrivateKey,
            MLDSA44PublicKey,
        )
    except ImportError as error:
        raise _unknown(without) from error
    return MLDSA44PrivateKey, MLDSA44PublicKey


def _unknown(kind: type[TandemError]) -> TandemError:
    return kind(
        "the installed cryptography has no ML-DSA-44, by which this log's checkpoints are signed",
        remedy="install cryptography 48 or newer",
    )
