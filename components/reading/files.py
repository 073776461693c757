"""One file of a source: where its bytes are, what it is called, and the digest of its bytes.

Rules:
1. a file is read as a stream, never whole;
2. its name is the one that the settings give it, so that messages and records are the same on
   every machine;
3. what fails on the way from an object store is PlatformError, which may be tried again; bytes that
   came and are not what they should be are DataError.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
from pyarrow import fs

from components.core.canonical import sha256_value
from components.core.errors import DataError, PlatformError
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


_STORES = ("s3", "gcs")
# How Arrow's object stores begin what they say; whoever reads on may put words of its own before.
_OF_A_STORE = re.compile(r"AWS Error |google::cloud::Status")


@dataclass(frozen=True)
class File:
    """A file at a path of a filesystem, and its name in the settings: the span and split in it."""

    name: str
    filesystem: fs.FileSystem
    path: str
    span: str | None = None
    split: str | None = None
    kept: object = field(default=None, compare=False, repr=False)  # what must live while it is read

    def open_random(self) -> pa.NativeFile:
        """Open the bytes for reading anywhere; DataError where that fails."""
        return self._opened(partial(self.filesystem.open_input_file, self.path))

    def _opened(self, opening: Callable[[], pa.NativeFile]) -> pa.NativeFile:
        try:
            return opening()
        except UNREADABLE as error:
            raise self.unreadable(error) from error

    @property
    def remote(self) -> bool:
        """Say whether the bytes come from an object store."""
        return self.filesystem.type_name in _STORES

    @contextmanager
    def stream(self) -> Iterator[pa.NativeFile]:
        """Open the bytes for reading from the start to the end, and close them.

        Those of an object store are let go instead: a reader that gives up may still have a thread
        that reads ahead, and to close what is being read crashes Google's library.
        """
        with self.reached():
            opening = partial(self.filesystem.open_input_stream, self.path, compression=None)
            stream = self._opened(opening)
            with nullcontext() if self.remote else stream:
                yield stream

    @contextmanager
    def random_access(self) -> Iterator[pa.NativeFile]:
        """Open the bytes for reading anywhere, and close them."""
        with self.reached(), self.open_random() as file:
            yield file

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Tell what failed on the way from what was wrong with the bytes (rule 3)."""
        try:
            yield
        except (DataError, ValueError, *UNREADABLE) as error:
            # A file of Google's library that has lost its connection is closed, says pyarrow.
            if _of_a_store(error) or (self.remote and type(error) is ValueError):
                raise PlatformError(
                    f"{self.name} cannot be reached, or the connection broke while it was read",
                    remedy="check the network, the address and the credentials in the environment",
                ) from error
            raise

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


def _of_a_store(error: BaseException | None) -> bool:
    """Say whether an error began as an object store's, whatever was made of it since."""
    while error is not None:
        if isinstance(error, OSError) and _OF_A_STORE.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def digest_of(files: Sequence[SourceFile]) -> str:
    """Return what `Table.sha256` pins: the digest of one file, or of several [name, digest]."""
    if len(files) == 1:
        return files[0].sha256
    return sha256_value([[file.location, file.sha256] for file in files])
