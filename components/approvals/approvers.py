"""Whose approvals count here: a folder of public keys that belongs to who looks after the home.

It is the one that TANDEM_APPROVER_KEYS names, else `audit/keys/approvers` below the home, with one
PEM file, *.pub, for each person. No setting and no option of a command adds a key, for the reason
that docs/adr/0008 gives for waivers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from components.audit.folder import AuditFolder
from components.audit.keys import PublicKey
from components.waivers import trusted_keys

KEYS_VARIABLE = "TANDEM_APPROVER_KEYS"


def approvers_folder(home: Path) -> Path:
    """Return the folder of the public keys that may approve."""
    named = os.environ.get(KEYS_VARIABLE)
    return Path(named) if named else AuditFolder(home).approver_keys


def trusted_approvers(home: Path) -> Mapping[str, PublicKey]:
    """Return {keyid: key} of those who may approve; SettingsError for a file that is no key."""
    return trusted_keys(approvers_folder(home), "approver")
