"""One file of a source: where its bytes are, what it is called, and the digest of its bytes.

Rules: a file is read as a stream, never whole; its name is the one that the settings give it, so
that messages and records are the same on every machine.
"""

from __future__ import annotations

import hashlib
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa
from pyarrow import fs

from components.core.canonical import sha256_value
from components.core.errors import DataError
from components.core.examples import SourceFile

_CHUNK = 4 * 2**20
# What reading bytes raises, packed or not; zipfile says RuntimeError for a password.
UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    pa.ArrowInvalid,
)


@dataclass(frozen=True)
class File:
    """A file at a path of a filesystem, with its name in the settings and the span in it."""

    name: str
    filesystem: fs.FileSystem
    path: str
    span: str | None = None
    kept: object = field(default=None, compare=False, repr=False)  # what must live while it is read

    @contextmanager
    def stream(self) -> Iterator[pa.NativeFile]:
        """Open the bytes for reading from the start to the end; DataError where that fails."""
        try:
            stream = self.filesystem.open_input_stream(self.path, compression=None)
        except UNREADABLE as error:
            raise self.unreadable(error) from error
        with stream:
            yield stream

    @contextmanager
    def random_access(self) -> Iterator[pa.NativeFile]:
        """Open the bytes for reading anywhere; DataError where that fails."""
        try:
            file = self.filesystem.open_input_file(self.path)
        except UNREADABLE as error:
            raise self.unreadable(error) from error
        with file:
            yield file

    def unreadable(self, error: Exception) -> DataError:
        """Return the error for bytes that cannot be had."""
        cause = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
        return DataError(f"{self.name} cannot be read{cause}", remedy="check that it may be read")

    def describe(self) -> SourceFile:
        """Return the file's name, digest and size, read in constant memory."""
        digest, size = hashlib.sha256(), 0
        with self.stream() as stream:
            try:
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
            except UNREADABLE as error:
                raise self.unreadable(error) from error
        return SourceFile(location=self.name, sha256=digest.hexdigest(), bytes=size)


def digest_of(files: Sequence[SourceFile]) -> str:
    """Return what `Table.sha256` pins: the digest of one file, or of several [name, digest]."""
    if len(files) == 1:
        return files[0].sha256
    return sha256_value([[file.location, file.sha256] for file in files])
