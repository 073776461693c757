"""An artifact's objects in Google Cloud Storage, by pyarrow, which reads sources there too.

Rules: who asks is known by the environment (a pod's Workload Identity, or the file that
GOOGLE_APPLICATION_CREDENTIALS names); STORAGE_EMULATOR_HOST names another server.
"""

from __future__ import annotations

import datetime
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from components.core.canonical import sha256_chunks
from components.core.errors import PlatformError

SCHEME = "gs://"
SECONDS = 60
"""How long a call is tried: without credentials pyarrow would do so for a quarter of an hour."""
_CHUNK = 2**20
Answer = TypeVar("Answer")


class GoogleObjects:
    """The objects below gs://BUCKET/PREFIX; PlatformError where the store does not answer."""

    def __init__(self, uri: str) -> None:
        self._uri, self._place = uri, uri.removeprefix(SCHEME).strip("/")
        self._store = _filesystem()

    def names(self) -> Iterator[str]:
        """Yield the names of the objects, without the prefix."""
        from pyarrow import fs

        below = fs.FileSelector(self._place, recursive=True, allow_not_found=True)
        for found in self._asked(partial(self._store.get_file_info, below)):
            if found.type == fs.FileType.File:
                yield found.path[len(self._place) + 1 :]

    def put(self, name: str, path: Path) -> None:
        """Write a file's bytes."""

        def copy() -> None:
            with path.open("rb") as source, self._store.open_output_stream(self._at(name)) as sink:
                shutil.copyfileobj(source, sink, _CHUNK)

        self._asked(copy)

    def get(self, name: str, path: Path) -> None:
        """Read an object's bytes into a file."""

        def copy() -> None:
            with self._store.open_input_stream(self._at(name)) as source, path.open("wb") as sink:
                shutil.copyfileobj(source, sink, _CHUNK)

        self._asked(copy)

    def sha256(self, name: str) -> str:
        """Return the digest of an object's bytes."""

        def digest() -> str:
            with self._store.open_input_stream(self._at(name)) as source:
                return sha256_chunks(iter(partial(source.read, _CHUNK), b""))

        return self._asked(digest)

    def _at(self, name: str) -> str:
        return f"{self._place}/{name}"

    def _asked(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except OSError as error:
            raise PlatformError(
                f"{self._uri} cannot be used: {' '.join(str(error).split())[:300]}",
                remedy="see that the bucket exists and that this account may use it",
            ) from error


def _filesystem() -> Any:
    from pyarrow import fs

    scheme, _, host = os.environ.get("STORAGE_EMULATOR_HOST", "").rpartition("://")
    return fs.GcsFileSystem(
        anonymous=bool(host),
        scheme=scheme or ("http" if host else None),
        endpoint_override=host or None,
        retry_time_limit=datetime.timedelta(seconds=SECONDS),
    )
