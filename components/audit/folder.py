"""Where the audit trail lies below Tandem's home.

<home>/audit/keys/notary.key    the private key, PEM, mode 0600; never leaves the notary
<home>/audit/keys/notary.signer its name in a store, where it is in one (kept_elsewhere.py)
<home>/audit/keys/notary.pub    its public key, PEM; what a verifier is given
<home>/audit/keys/second-*.key  private keys of the second signature, PEM, mode 0600, if any
<home>/audit/keys/waivers/      public keys, PEM, *.pub, of those who may waive a gate
<home>/audit/keys/approvers/    public keys, PEM, *.pub, of those who may approve a version
<home>/audit/log/               the append-only objects (log.py), where in no bucket
<home>/audit/index.sqlite       where records stand in it (index.py); may be deleted
<home>/audit/spool/             drafts on their way into the log (spool.py)
<home>/audit/lock               held by the one notary that may write
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from components.core.errors import SettingsError

HOME_VARIABLE = "TANDEM_HOME"


@dataclass(frozen=True)
class AuditFolder:
    """The paths of one home's audit trail; creates nothing."""

    home: Path

    @classmethod
    def from_environment(cls) -> AuditFolder:
        """Return the folder of the home that TANDEM_HOME names; raise SettingsError if unset."""
        home = os.environ.get(HOME_VARIABLE)
        if not home:
            raise SettingsError(f"{HOME_VARIABLE} is not set", remedy="name the state folder")
        return cls(Path(home))

    @property
    def root(self) -> Path:
        """The folder of everything below."""
        return self.home / "audit"

    @property
    def private_key(self) -> Path:
        """The notary's private key."""
        return self.root / "keys" / "notary.key"

    @property
    def public_key(self) -> Path:
        """The notary's public key."""
        return self.root / "keys" / "notary.pub"

    @property
    def waiver_keys(self) -> Path:
        """The public keys that may sign waivers; who looks after the home puts them there."""
        return self.root / "keys" / "waivers"

    @property
    def approver_keys(self) -> Path:
        """The public keys that may approve a version; who looks after the home puts them there."""
        return self.root / "keys" / "approvers"

    @property
    def log(self) -> Path:
        """The log's objects."""
        return self.root / "log"

    @property
    def index(self) -> Path:
        """The index of the log, which can be made again from it."""
        return self.root / "index.sqlite"

    @property
    def spool(self) -> Path:
        """The drafts on their way into the log."""
        return self.root / "spool"

    @property
    def lock(self) -> Path:
        """The lock of the one writer."""
        return self.root / "lock"
