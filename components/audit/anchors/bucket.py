"""Notes in a bucket with object lock, where nobody can remove one before its time is over.

Rules: S3 locks a version, not its key: whoever may write to the bucket can put a marker over it
that deletes the key, or another version beneath the same key, and the locked one stays behind. So
every version of every key is compared, whatever the key shows. There are servers that take a lock
and keep none: a note counts as kept only once the server says that it is locked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from components.audit.anchors.anchor import Kept, note_path
from components.audit.s3_storage import S3Storage
from components.audit.storage import ObjectExists
from components.core.errors import PlatformError

_PLACE = "checkpoints"
_MODE = "COMPLIANCE"


@dataclass(frozen=True)
class BucketAnchor:
    """A bucket's prefix, and for how many days a note is locked there."""

    address: str
    days: int

    @property
    def name(self) -> str:
        """Which anchor this is."""
        return "bucket"

    def keep(self, note: str) -> str:
        """Create the note's object, locked (COMPLIANCE: for whoever owns the bucket too)."""
        until = datetime.now(UTC) + timedelta(days=self.days)
        lock = {"ObjectLockMode": _MODE, "ObjectLockRetainUntilDate": until}
        storage = replace(S3Storage.at(self.address), parameters=lock)
        key = f"{_PLACE}/{note_path(note)}"
        try:
            storage.create(key, note.encode())
        except ObjectExists:
            if storage.read(key) != note.encode():
                raise PlatformError(
                    f"{self.address} holds another note of this size",
                    remedy="run `tandem audit monitor`",
                ) from None
        if storage.lock(key) != _MODE:
            raise PlatformError(
                f"{self.address} does not say that it locked the note: anybody may remove it",
                remedy="give a bucket that was made with object lock, and an account that has "
                "s3:GetObjectRetention",
            )
        return key

    def kept(self) -> Iterator[Kept]:
        """Yield every version of every note in the bucket."""
        storage = S3Storage.at(self.address)
        for key, version in storage.versions(_PLACE):
            note = storage.read(key, version) or b""
            where = f"{self.address} {key} version {version}"
            yield Kept(where, note.decode(errors="replace"))
