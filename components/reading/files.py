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
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

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


_REMOTE = ("s3", "gcs")
# What an object store's files raise; pyarrow says ValueError of one that closed itself.
_LOST = (OSError, ValueError)


@dataclass(frozen=True)
class File:
    """A file at a path of a filesystem, with its name in the settings and the span in it."""

    name: str
    filesystem: fs.FileSystem
    path: str
    span: str | None = None
    kept: object = field(default=None, compare=False, repr=False)  # what must live while it is read

    @property
    def remote(self) -> bool:
        """Say whether the bytes come over the network."""
        return self.filesystem.type_name in _REMOTE

    def open_stream(self) -> pa.NativeFile:
        """Open the bytes for reading from the start to the end (rule 3)."""
        return self._open(lambda: self.filesystem.open_input_stream(self.path, compression=None))

    def open_random(self) -> pa.NativeFile:
        """Open the bytes for reading anywhere (rule 3)."""
        return self._open(lambda: self.filesystem.open_input_file(self.path))

    def _open(self, opened: Callable[[], pa.NativeFile]) -> pa.NativeFile:
        try:
            file = opened()
            return _RemoteFile(_Remote(file, self.name), "r") if self.remote else file
        except FileNotFoundError as error:
            raise self.unreadable(error) from error
        except (*UNREADABLE, *_LOST) as error:
            raise (unreachable(self.name) if self.remote else self.unreadable(error)) from error

    @contextmanager
    def stream(self) -> Iterator[pa.NativeFile]:
        """Open the bytes for reading from the start to the end, and close them."""
        with self.open_stream() as stream, self._reached(stream):
            yield stream

    @contextmanager
    def random_access(self) -> Iterator[pa.NativeFile]:
        """Open the bytes for reading anywhere, and close them."""
        with self.open_random() as file, self._reached(file):
            yield file

    @contextmanager
    def _reached(self, file: pa.NativeFile) -> Iterator[None]:
        """Say what failed on the way, whatever those made of it who unpack and parse."""
        try:
            yield
        except (DataError, *UNREADABLE) as error:
            if isinstance(file, _RemoteFile) and file.broken:
                raise unreachable(self.name) from error
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


class _Remote(io.RawIOBase):
    """The bytes of a file of an object store, which notes when they no longer come."""

    def __init__(self, file: pa.NativeFile, name: str) -> None:
        super().__init__()
        self._file, self._name = file, name
        # Google's library asks for what is after a seek at once, and after the end there is none.
        self._size = int(file.size()) if file.seekable() else None
        self._place = 0
        self.broken = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._size is not None

    def read(self, size: int = -1) -> bytes:
        try:
            data = bytes(self._read(None if size < 0 else size))
        except _LOST as error:
            self.broken = True
            raise unreachable(self._name) from error
        self._place += len(data)
        return data

    def _read(self, size: int | None) -> bytes | pa.Buffer:
        if self._size is None:
            return self._file.read(size)
        left = max(self._size - self._place, 0)
        count = left if size is None else min(size, left)
        return self._file.read_at(count, self._place) if count else b""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size or 0}[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def close(self) -> None:
        self._file.close()
        super().close()


class _RemoteFile(pa.PythonFile):  # type: ignore[misc]
    """The same for Arrow, which does not always keep the error that Python raised."""

    def __init__(self, remote: _Remote, mode: str) -> None:
        super().__init__()
        self._remote = remote

    @property
    def broken(self) -> bool:
        """Whether the bytes no longer come."""
        return self._remote.broken


def unreachable(name: str) -> PlatformError:
    """Return the error for what an object store does not give, or no longer."""
    return PlatformError(
        f"{name} cannot be reached, or the connection broke while it was read",
        remedy="check the network, the address and the credentials in the environment",
    )


def digest_of(files: Sequence[SourceFile]) -> str:
    """Return what `Table.sha256` pins: the digest of one file, or of several [name, digest]."""
    if len(files) == 1:
        return files[0].sha256
    return sha256_value([[file.location, file.sha256] for file in files])
