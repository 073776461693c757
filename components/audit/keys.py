"""The notary's Ed25519 key: made at first use, kept on disk, never handed out.

Rules: the private key is readable by its owner only, or it is not used; a home with a public key
but no private key gets no new one, because records signed by the lost key would no longer verify;
key identifiers are those of securesystemslib, so its verifiers find our key by name. notary.pub is
the log's first public key for good, which is what verifiers are given; key_history.py says what
comes after it, keyring.py where the private ones are.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from components.audit.folder import AuditFolder
from components.audit.storage import create_file
from components.core.canonical import sha256_value
from components.core.errors import IntegrityError, PlatformError, UnverifiableError

FROM_BACKUP = "restore it from a backup"


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 public key, 32 bytes (RFC 8032)."""

    raw: bytes

    @property
    def keyid(self) -> str:
        """The identifier that securesystemslib gives the same key."""
        return _keyid(self.raw)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether the signature is this key's over the message.

        By libsodium, which takes half of OpenSSL's time and takes nothing that OpenSSL refuses: it
        also compares the commitment without the cofactor (RFC 8032, 5.1.7), and refuses keys and
        commitments of small order.
        """
        try:
            _loaded(self.raw).verify(message, signature)
        except (BadSignatureError, ValueError):
            return False
        return True

    def to_pem(self) -> bytes:
        """Return the key as PEM (SubjectPublicKeyInfo)."""
        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @classmethod
    def from_pem(cls, pem: bytes) -> PublicKey:
        """Read what `to_pem` wrote; raise ValueError for anything else."""
        key = load_pem_public_key(pem)
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("not an Ed25519 public key")
        return cls(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


@functools.lru_cache(256)
def _keyid(raw: bytes) -> str:
    """A log has few keys and is asked for their names at every entry."""
    parts = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": raw.hex()}}
    return sha256_value(parts)


@functools.lru_cache(256)
def _loaded(raw: bytes) -> VerifyKey:
    return VerifyKey(raw)


class Signs(Protocol):
    """A private key, wherever it is."""

    @property
    def public(self) -> PublicKey:
        """The key that verifies what this one signs."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes."""


@dataclass(frozen=True)
class SigningKey:
    """An Ed25519 private key in memory."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        """The key that verifies what this one signs."""
        return PublicKey(self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes."""
        return self.private.sign(message)

    def to_pem(self) -> bytes:
        """Return the private key as PEM (PKCS 8), unencrypted."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def open_key(folder: AuditFolder) -> SigningKey:
    """Return the home's key, made if this is its first use; the caller holds the lock.

    Raises PlatformError for a key that others may read, IntegrityError where the two files do not
    belong together or the private one is gone.
    """
    if not folder.private_key.exists():
        if folder.public_key.exists():
            raise IntegrityError(
                f"{folder.private_key.name} is gone but {folder.public_key.name} is there",
                remedy="restore the private key, or start a new home",
            )
        made = SigningKey(Ed25519PrivateKey.generate())
        create_file(folder.private_key, made.to_pem(), mode=0o600)
    key = load_key(folder.private_key)
    if not folder.public_key.exists():
        create_file(folder.public_key, key.public.to_pem(), mode=0o644)
    if read_public_key(folder) != key.public:
        raise IntegrityError(
            "the notary's public key is not that of its private key",
            remedy="restore both files from the same backup",
        )
    return key


def open_personal_key(path: Path) -> SigningKey:
    """Return a person's own key, made at first use with its public half beside it (`.pub`).

    Raises what `open_key` raises for a file that others may read or that holds no such key.
    """
    if not path.exists():
        made = SigningKey(Ed25519PrivateKey.generate())
        create_file(path, made.to_pem(), mode=0o600)
    key = load_key(path)
    public = path.with_suffix(".pub")
    if not public.exists():
        create_file(public, key.public.to_pem(), mode=0o644)
    return key


def read_public_key(folder: AuditFolder) -> PublicKey:
    """Return the key that verifies a home's log; raise UnverifiableError if it cannot be read."""
    try:
        return PublicKey.from_pem(folder.public_key.read_bytes())
    except (OSError, ValueError) as error:
        raise UnverifiableError(
            f"no usable public key at {folder.public_key}: {error}",
            remedy="name the home that holds the log, or restore the key",
        ) from error


def load_key(path: Path) -> SigningKey:
    """Return the Ed25519 key in a file; what `read_private` raises, IntegrityError for another."""
    key = read_private(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise IntegrityError(f"{path} is not an Ed25519 key", remedy=FROM_BACKUP)
    return SigningKey(key)


def read_private(path: Path) -> Any:
    """Return a private key of whatever kind; PlatformError for a file that others may read."""
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise PlatformError(
            f"the private key {path} may be read by others",
            remedy=f"chmod 600 {path}",
            expected="0600",
            actual=f"{mode:04o}",
        )
    try:
        return load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise IntegrityError(f"{path} is not a private key: {error}", remedy=FROM_BACKUP) from error
