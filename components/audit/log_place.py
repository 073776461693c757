"""Where a home's log lies: in its folder, or in the bucket that TANDEM_AUDIT_LOG names."""

from __future__ import annotations

import os

from components.audit.folder import AuditFolder
from components.audit.s3_storage import SCHEME, S3Storage
from components.audit.storage import PosixStorage, Storage
from components.core.errors import SettingsError, UnverifiableError

PLACE_VARIABLE = "TANDEM_AUDIT_LOG"


def log_storage(folder: AuditFolder) -> Storage:
    """Return the storage of a home's log, there or not yet; SettingsError for a wrong address."""
    address = os.environ.get(PLACE_VARIABLE)
    if not address:
        return PosixStorage(folder.log)
    if not address.startswith(SCHEME):
        raise SettingsError(
            f"{PLACE_VARIABLE} is not the address of a bucket: {address}",
            remedy="give s3://BUCKET/PREFIX, or unset it to keep the log in the home",
        )
    return S3Storage.at(address)


def existing_log_storage(folder: AuditFolder) -> Storage:
    """Return the storage of a home's log; raise UnverifiableError where there is none."""
    storage = log_storage(folder)
    if isinstance(storage, PosixStorage) and not storage.folder.is_dir():
        raise UnverifiableError(
            f"there is no audit log in {folder.root}",
            remedy="name the home that holds the log, or restore it",
        )
    return storage
