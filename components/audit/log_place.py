"""Where a home's log and spool lie: in its folder, or in buckets that the environment names.

TANDEM_AUDIT_LOG is for the notary and for who verifies, TANDEM_AUDIT_SPOOL for the stages too, and
of another bucket then: whoever may take away drafts must not be able to touch the log. A store that
does not give what it is asked for is the operator's to mend for the notary, which goes on later;
for who verifies it is an answer that cannot be had.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from components.audit.folder import AuditFolder
from components.audit.s3_storage import S3Storage
from components.audit.spool import Spool, folder_spool
from components.audit.storage import PosixStorage, Readable, Storage
from components.core.errors import PlatformError, SettingsError, UnverifiableError
from components.core.s3_objects import SCHEME

PLACE_VARIABLE = "TANDEM_AUDIT_LOG"
SPOOL_VARIABLE = "TANDEM_AUDIT_SPOOL"


def log_storage(folder: AuditFolder) -> Storage:
    """Return the storage of a home's log, there or not yet; SettingsError for a wrong address."""
    return _bucket(PLACE_VARIABLE) or PosixStorage(folder.log)


def spool(folder: AuditFolder, *, durable: bool = True) -> Spool:
    """Return a home's spool, there or not yet; in a bucket it is durable at all times."""
    bucket = _bucket(SPOOL_VARIABLE)
    return Spool(bucket) if bucket else folder_spool(folder.spool, durable=durable)


def _bucket(variable: str) -> S3Storage | None:
    address = os.environ.get(variable)
    if not address:
        return None
    if not address.startswith(SCHEME):
        raise SettingsError(
            f"{variable} is not the address of a bucket: {address}",
            remedy="give s3://BUCKET/PREFIX, or unset it to use the home",
        )
    return S3Storage.at(address)


@dataclass(frozen=True)
class _Evidence:
    """A store that is read for an answer: UnverifiableError where it does not give what it has."""

    storage: Storage

    def read(self, key: str) -> bytes | None:
        """Return an object's bytes, None where there is none."""
        try:
            return self.storage.read(key)
        except PlatformError as error:
            raise UnverifiableError(error.message, remedy=error.remedy) from error

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix, sorted."""
        try:
            yield from self.storage.keys(prefix)
        except PlatformError as error:
            raise UnverifiableError(error.message, remedy=error.remedy) from error


def existing_log_storage(folder: AuditFolder) -> Readable:
    """Return what a home's log is read from; raise UnverifiableError where there is none."""
    storage = log_storage(folder)
    if isinstance(storage, PosixStorage) and not storage.folder.is_dir():
        raise UnverifiableError(
            f"there is no audit log in {folder.root}",
            remedy="name the home that holds the log, or restore it",
        )
    return _Evidence(storage)
