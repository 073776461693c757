"""The lock of a home's audit trail: one writer at a time, and whoever reads may ask whether.

Rules: it is the system's, so that it ends with its holder, however that ends; a second writer waits
a moment and is refused.
"""

from __future__ import annotations

import fcntl
import os
import time
from types import TracebackType
from typing import Self

from components.audit.folder import AuditFolder
from components.core.errors import PlatformError

_PATIENCE_SECONDS = 1.0


class WriterLock:
    """An exclusive lock on a home's audit trail, released when its holder ends, however it ends."""

    def __init__(self, folder: AuditFolder) -> None:
        folder.root.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(folder.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._acquire(folder)
        except PlatformError:
            self.release()
            raise

    def _acquire(self, folder: AuditFolder) -> None:
        """Wait a moment: a verifier looks whether the lock is held by taking a shared one."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise _another(folder) from None
                time.sleep(0.02)

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def require_unwritten(folder: AuditFolder) -> None:
    """Raise PlatformError where a notary holds the lock now, before work that is in vain then."""
    if is_being_written(folder):
        raise _another(folder)


def _another(folder: AuditFolder) -> PlatformError:
    return PlatformError(
        f"another notary writes to {folder.root}",
        remedy="a run is going on in this home: wait for it, or use another --home",
    )


def is_being_written(folder: AuditFolder) -> bool:
    """Say whether a notary holds the lock now."""
    try:
        descriptor = os.open(folder.lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
