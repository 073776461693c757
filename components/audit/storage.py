"""Append-only objects: created once, never changed, in order of their keys.

Rules: an object is created only if there is none of that key, and all of it or nothing; several are
created in the order given, so that what a crash leaves is the first of them. There is no way to
replace or remove an object. On POSIX the bytes are written beside, flushed, and linked to their
name; what a crash leaves beside is no object and is swept away by the next writer. The store behind
a network is s3_storage.py.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from components.core.errors import PlatformError

_AT_ONCE = 2**14
"""Bytes: most records are smaller."""


class ObjectExists(Exception):
    """There is an object of that key already."""


class Readable(Protocol):
    """What a reader of the log needs of a store; keys are relative POSIX paths."""

    def read(self, key: str) -> bytes | None:
        """Return an object's bytes, None where there is none."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix (a folder), sorted."""


class Storage(Readable, Protocol):
    """What the log needs of a store."""

    def create(self, key: str, data: bytes) -> None:
        """Create an object durably; raise ObjectExists where there is one."""

    def create_all(self, objects: Sequence[tuple[str, bytes]]) -> None:
        """Create objects in order, durably together; ObjectExists at the first that is there.

        Those before it are created all the same.
        """

    def sweep(self) -> None:
        """Remove what a crash left half-written; only the one writer may."""


@dataclass(frozen=True)
class PosixStorage:
    """Objects as files below a folder."""

    folder: Path

    def create(self, key: str, data: bytes) -> None:
        """Create a file of that name; raise PlatformError where the machine refuses."""
        self.create_all([(key, data)])

    def create_all(self, objects: Sequence[tuple[str, bytes]]) -> None:
        """Create files of those names; raise PlatformError where the machine refuses."""
        files = [(self.folder / key, data) for key, data in objects]
        try:
            create_files(files, mode=0o644, beside=self._beside)
        except FileExistsError as error:
            raise ObjectExists(Path(error.filename2).relative_to(self.folder).as_posix()) from None
        except OSError as error:
            raise PlatformError(
                f"the audit log cannot be written: {error.strerror or error}",
                remedy=f"make room or fix permissions in {self.folder}",
            ) from error

    def read(self, key: str) -> bytes | None:
        """Return a file's bytes, None where there is none; PlatformError where it is not read."""
        try:
            return _bytes_of(f"{self.folder}/{key}")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(error) from error

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the names below a folder, sorted."""
        above = len(os.path.join(self.folder, ""))  # noqa: PTH118 - a Path a name costs ten times this
        for parent, folders, names in os.walk(self.folder / prefix, onerror=_require_listed):
            folders.sort()
            group = parent[above:].replace(os.sep, "/")
            yield from (f"{group}/{name}" for name in sorted(names))

    @property
    def _beside(self) -> Path:
        return self.folder / "unfinished"

    def sweep(self) -> None:
        """Remove what a crash left beside."""
        for path in self._beside.glob("*"):
            path.unlink()


def _bytes_of(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:  # no file object: of the many small files of a log, making one is half of the time
        parts = []
        while part := os.read(descriptor, _AT_ONCE):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _require_listed(error: OSError) -> None:
    """Raise PlatformError for a folder that cannot be listed; one that is not there is empty."""
    if not isinstance(error, FileNotFoundError):
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> PlatformError:
    return PlatformError(
        f"{error.filename or 'a file'} of the audit log cannot be read: {error.strerror or error}",
        remedy="mend the disk or fix permissions, or restore the log from a copy",
    )


def create_file(path: Path, data: bytes, *, mode: int, beside: Path | None = None) -> None:
    """Create a file atomically and durably; raise FileExistsError where there is one."""
    create_files([(path, data)], mode=mode, beside=beside or path.parent)


def create_files(
    files: Sequence[tuple[Path, bytes]], *, mode: int, beside: Path, durable: bool = True
) -> None:
    """Create files in order, each atomically; FileExistsError at the first whose name is taken.

    A link, unlike a rename, fails if the name is taken (link(2)). If durable, all bytes reach the
    disk before the first name does, and the names before this returns; journaling file systems
    keep the order of links in one folder.
    """
    folders = dict.fromkeys(path.parent for path, _ in files)
    for folder in (*folders, beside):
        _make_folder(folder)
    unfinished = [beside / f".{path.name}.{secrets.token_hex(8)}" for path, _ in files]
    try:
        with contextlib.ExitStack() as stack:
            descriptors = [
                _write(stack, name, data, mode)
                for name, (_, data) in zip(unfinished, files, strict=True)
            ]
            for descriptor in descriptors if durable else ():
                os.fsync(descriptor)
        try:
            for name, (path, _) in zip(unfinished, files, strict=True):
                os.link(name, path)
        finally:
            for folder in folders if durable else ():
                _flush_folder(folder)
    finally:
        for name in unfinished:
            name.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _flush_folder(folder.parent)


def _write(stack: contextlib.ExitStack, path: Path, data: bytes, mode: int) -> int:
    """Write a new file and return its descriptor, which the stack closes."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    stream = stack.enter_context(os.fdopen(descriptor, "wb"))
    stream.write(data)
    stream.flush()
    return descriptor


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
