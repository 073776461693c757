"""A log's key that this process cannot read: in HashiCorp Vault, by securesystemslib's signer.

Rules: TANDEM_AUDIT_SIGNER names the store (`hv:NAME`, a key of type ed25519 of Vault's transit
engine) where a new home's first key and those of later rotations are; a file beside the public
key, NAME.signer, keeps the key's own URI with its version, so that a home stays with the store it
began with: without the variable a rotation takes the next version from there, and a key on disk
follows one of a store only where the variable says `disk`. Where Vault is and who may ask it come
from its own variables (VAULT_ADDR, VAULT_TOKEN) and are in no file of ours. What comes back is
verified before it is used: a store that signs with another key would spoil the log. The log's
signatures are Ed25519 (C2SP tlog-checkpoint), which of securesystemslib's stores only this one has.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from components.audit.keys import PublicKey
from components.audit.storage import create_file
from components.core.errors import IntegrityError, PlatformError, SettingsError

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

_Answer = TypeVar("_Answer")

SIGNER_VARIABLE = "TANDEM_AUDIT_SIGNER"
TOKEN_VARIABLE = "VAULT_TOKEN"  # noqa: S105 - the name of a variable
SCHEME = "hv:"
DISK = "disk"
SUFFIX = ".signer"
_KEY = re.compile(r"hv:\w([\w.-]*\w)?", re.ASCII)  # Vault takes such names
_TOKEN = re.compile("[!-~]+")
_VERSION = re.compile(_KEY.pattern + "/[1-9][0-9]*", re.ASCII)


@dataclass(frozen=True)
class KeptKey:
    """A private key in a store; `uri` is securesystemslib's name of it."""

    uri: str
    public: PublicKey

    def sign(self, message: bytes) -> bytes:
        """Return the store's signature, verified; PlatformError where it gives none."""
        raw = _asked(self.uri, lambda: bytes.fromhex(self._signer.sign(message).signature))
        if not self.public.verifies(raw, message):
            raise IntegrityError(
                f"{self.uri} signs with another key than {self.public.keyid[:16]}",
                remedy="restore that version of the key in the store",
            )
        return raw

    @property
    def store(self) -> str:
        """Where its next version comes from."""
        return self.uri.partition("/")[0]

    @cached_property
    def _signer(self) -> Signer:
        """What keeps its connection to the store."""
        from securesystemslib.signer import Signer, SSlibKey

        value = {"public": self.public.raw.hex()}
        key = SSlibKey(self.public.keyid, "ed25519", "ed25519", value)
        return Signer.from_priv_key_uri(self.uri, key)

    def keep(self, path: Path) -> None:
        """Keep the URI in a file; IntegrityError where it holds another."""
        if not path.exists():
            create_file(path, f"{self.uri}\n".encode(), mode=0o600)
        if KeptKey.read(path, self.public) != self:
            raise IntegrityError(
                f"{path.name} names another key than {self.uri}",
                remedy=f"restore that key in the store, or remove {path} if no record is of it",
            )

    @classmethod
    def read(cls, path: Path, public: PublicKey) -> KeptKey:
        """Read what `keep` wrote; SettingsError for anything else."""
        return cls(_supported(kept_uri(path), str(path), _VERSION), public)


def kept_uri(path: Path) -> str:
    """Return the text of a file that `keep` wrote, whatever stands there now."""
    return path.read_text(errors="backslashreplace").strip()


def newest_kept_key(store: str | None = None) -> KeptKey | None:
    """Return the newest version of the key that TANDEM_AUDIT_SIGNER names, else of the store's.

    None for a key on disk. Raises SettingsError for another kind of store or key, PlatformError
    where it does not answer.
    """
    given = os.environ.get(SIGNER_VARIABLE) or store
    if not given or given == DISK:
        return None
    name = _supported(given, SIGNER_VARIABLE, _KEY).removeprefix(SCHEME)
    return _asked(given, lambda: _imported(name))


def _imported(name: str) -> KeptKey:
    from securesystemslib.signer import VaultSigner

    try:
        uri, key = VaultSigner.import_(name)
        return KeptKey(uri, PublicKey(bytes.fromhex(key.keyval["public"])))
    except OSError:  # no answer; an address that is none is a ValueError too
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SettingsError(
            f"{SCHEME}{name} is no Ed25519 key",
            remedy=f"make one: vault write -f transit/keys/{name} type=ed25519",
        ) from error


def _supported(uri: str, place: str, form: re.Pattern[str]) -> str:
    if not form.fullmatch(uri):
        raise SettingsError(
            f"{place}: {uri} is no store of Ed25519 keys",
            remedy=f"give {SCHEME}NAME, a key of type ed25519 of Vault's transit engine",
        )
    return uri


def _asked(uri: str, question: Callable[[], _Answer]) -> _Answer:
    """Return the store's answer; PlatformError where it gives none, or one that it never gives.

    hvac takes a token from a file of the user's too, where the environment has none.
    """
    from hvac.exceptions import VaultError

    if not _TOKEN.fullmatch(os.environ.get(TOKEN_VARIABLE, "")):
        raise PlatformError(
            f"{uri}: {TOKEN_VARIABLE} is not set, or is no token",
            remedy="set it to a token that may use the key, and VAULT_ADDR to Vault's address",
        )
    try:
        return question()
    except (VaultError, OSError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise PlatformError(
            f"{uri}: the store of the log's key does not sign: {_why(error)}",
            remedy="see that Vault answers at VAULT_ADDR and has the key, and that VAULT_TOKEN may "
            "use it",
        ) from error


def _why(error: Exception) -> str:
    """Return an error's kind, and its text where no token can be in it: a file that is missing."""
    kind = type(error).__name__
    return f"{kind}: {error}" if type(error) is OSError else kind
