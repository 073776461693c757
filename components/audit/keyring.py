"""Where the private keys of a home's notary are, by their public halves.

notary.key, notary-ID.key        on disk: the first, and those that a rotation made
notary.signer, notary-ID.signer  in a store (kept_elsewhere.py): the key's name there
second-ID.key                    the second signature's (second_key.py), always on disk
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from components.audit.folder import AuditFolder
from components.audit.kept_elsewhere import (
    SIGNER_VARIABLE,
    SUFFIX,
    KeptKey,
    kept_uri,
    newest_kept_key,
)
from components.audit.keys import (
    FROM_BACKUP,
    PublicKey,
    SigningKey,
    Signs,
    load_key,
    open_key,
    read_private,
    read_public_key,
)
from components.audit.second_key import SecondPublicKey, SecondSigningKey, is_second
from components.audit.storage import create_file
from components.core.errors import IntegrityError, SettingsError


@dataclass(frozen=True)
class Keyring:
    """The private keys of a home's notary, and the public one that its log began with."""

    folder: AuditFolder

    def first(self) -> PublicKey:
        """Return the log's first key; a new home gets one, or takes the one in the store."""
        if self.folder.public_key.exists():
            return read_public_key(self.folder)
        if self.folder.private_key.exists() or (kept := newest_kept_key()) is None:
            self._require_not_begun()
            return open_key(self.folder).public
        kept.keep(_elsewhere(self.folder.private_key))
        create_file(self.folder.public_key, kept.public.to_pem(), mode=0o644)
        return kept.public

    def _require_not_begun(self) -> None:
        """Raise SettingsError where a crash left a home that began with a key in a store."""
        if (place := _elsewhere(self.folder.private_key)).exists():
            raise SettingsError(
                f"the log's first key is to be in a store: {kept_uri(place)}",
                remedy=f"set {SIGNER_VARIABLE} to it, or remove {place}",
            )

    def signing_key(self, public: PublicKey) -> Signs:
        """Return a private key; raise IntegrityError where it is gone, as `open_key` does."""
        path = self._place(public)
        if _elsewhere(path).exists():
            return KeptKey.read(_elsewhere(path), public)
        is_first = path == self.folder.private_key
        return open_key(self.folder) if is_first else load_key(_existing(path))

    def second_key(self, public: SecondPublicKey) -> SecondSigningKey:
        """Return a second private key; raise IntegrityError where it is gone."""
        path = _existing(self._second_path(public))
        key = read_private(path)
        if not is_second(key) or SecondSigningKey(key).public != public:
            raise IntegrityError(f"{path} is not that ML-DSA-44 key", remedy=FROM_BACKUP)
        return SecondSigningKey(key)

    def make(self, known: Sequence[PublicKey]) -> Signs:
        """Make a new key, or take the newest of the store, before any record names it.

        The last of the known ones signs now. Raises SettingsError where the store's newest is
        among them, which signed the log before.
        """
        if (kept := newest_kept_key(self._store_of(known[-1]))) is not None:
            if kept.public in known:
                raise SettingsError(
                    f"the store's newest key, {kept.uri}, has signed this log before",
                    remedy="rotate it there first: vault write -f transit/keys/NAME/rotate",
                )
            kept.keep(_elsewhere(self._path(kept.public)))
            return kept
        made = SigningKey(Ed25519PrivateKey.generate())
        create_file(self._path(made.public), made.to_pem(), mode=0o600)
        return made

    def _store_of(self, public: PublicKey) -> str | None:
        """Return the store that a key is in; None for a key on disk."""
        place = _elsewhere(self._place(public))
        return KeptKey.read(place, public).store if place.exists() else None

    def make_second(self) -> SecondSigningKey:
        """Make a new second key, on disk before any record names it."""
        made = SecondSigningKey.generate()
        create_file(self._second_path(made.public), made.to_pem(), mode=0o600)
        return made

    def _second_path(self, public: SecondPublicKey) -> Path:
        return self.folder.private_key.with_name(f"second-{public.keyid[:16]}.key")

    def _place(self, public: PublicKey) -> Path:
        return self.folder.private_key if public == self.first() else self._path(public)

    def _path(self, public: PublicKey) -> Path:
        return self.folder.private_key.with_name(f"notary-{public.keyid[:16]}.key")


def _elsewhere(path: Path) -> Path:
    return path.with_suffix(SUFFIX)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise IntegrityError(
            f"the private key {path.name} of the log is gone",
            remedy="restore the private key, or start a new home",
        )
    return path
