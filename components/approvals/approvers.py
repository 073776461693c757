"""Whose approvals count here: a folder of public keys that belongs to who looks after the home.

It is the one that TANDEM_APPROVER_KEYS names, else `audit/keys/approvers` below the home, with one
PEM file, *.pub, for each person. No setting and no option of a command adds a key, for the reason
that docs/adr/0008 gives for waivers. A folder without a key does not stand in for one with keys:
who works alone needs no approval, and whoever submits must not work alone by a variable.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from components.audit.folder import AuditFolder
from components.audit.keys import PublicKey
from components.core.errors import SettingsError
from components.waivers import SUFFIX, trusted_keys

KEYS_VARIABLE = "TANDEM_APPROVER_KEYS"


def approvers_folder(home: Path) -> Path:
    """Return the folder of the public keys that may approve."""
    named = os.environ.get(KEYS_VARIABLE)
    return Path(named) if named else AuditFolder(home).approver_keys


def trusted_approvers(home: Path) -> Mapping[str, PublicKey]:
    """Return {keyid: key} of those who may approve.

    Raises SettingsError for a file that is no key, and where the folder that is named holds no key
    and the home's own does.
    """
    named, own = approvers_folder(home), AuditFolder(home).approver_keys
    trusted = trusted_keys(named, "approver")
    if not trusted and own != named and any(own.glob(f"*{SUFFIX}")):
        raise SettingsError(
            f"the folder that {KEYS_VARIABLE} names holds no key, and the home's own does",
            remedy=f"name the folder that holds the keys, or unset {KEYS_VARIABLE}",
        )
    return trusted
