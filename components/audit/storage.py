"""Append-only objects: created once, never changed, in order of their keys.

Rules: `create` makes an object only if there is none of that key, and all of it or nothing: the
bytes are written beside, flushed, and linked to their name; what a crash leaves beside is not an
object and is swept away by the next writer. There is no way to replace or remove an object.
A store behind a network (conditional writes) would be a second class with the same three methods.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from components.core.errors import PlatformError


class ObjectExists(Exception):
    """There is an object of that key already."""


class Storage(Protocol):
    """What the log needs of a store; keys are relative POSIX paths."""

    def create(self, key: str, data: bytes) -> None:
        """Create an object durably; raise ObjectExists where there is one."""

    def read(self, key: str) -> bytes | None:
        """Return an object's bytes, None where there is none."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix (a folder), sorted."""


@dataclass(frozen=True)
class PosixStorage:
    """Objects as files below a folder."""

    folder: Path

    def create(self, key: str, data: bytes) -> None:
        """Create a file of that name; raise PlatformError where the machine refuses."""
        try:
            create_file(self.folder / key, data, mode=0o644, beside=self._beside)
        except FileExistsError:
            raise ObjectExists(key) from None
        except OSError as error:
            raise PlatformError(
                f"the audit log cannot be written: {error.strerror or error}",
                remedy=f"make room or fix permissions in {self.folder}",
            ) from error

    def read(self, key: str) -> bytes | None:
        """Return a file's bytes, None where there is none."""
        try:
            return (self.folder / key).read_bytes()
        except FileNotFoundError:
            return None

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the names below a folder, sorted."""
        above = len(os.path.join(self.folder, ""))  # noqa: PTH118 - a Path a name costs ten times this
        for parent, folders, names in os.walk(self.folder / prefix):
            folders.sort()
            group = parent[above:].replace(os.sep, "/")
            yield from (f"{group}/{name}" for name in sorted(names))

    @property
    def _beside(self) -> Path:
        return self.folder / "unfinished"

    def sweep(self) -> None:
        """Remove what a crash left half-written; only the holder of the lock may."""
        for path in self._beside.glob("*"):
            path.unlink()


def create_file(path: Path, data: bytes, *, mode: int, beside: Path | None = None) -> None:
    """Create a file atomically and durably; raise FileExistsError where there is one.

    A link, unlike a rename, fails if the name is taken (link(2)). The file's bytes reach the disk
    before its name does, and the name before this returns.
    """
    beside = beside or path.parent
    for folder in (path.parent, beside):
        _make_folder(folder)
    unfinished = beside / f".{path.name}.{secrets.token_hex(8)}"
    try:
        _write(unfinished, data, mode)
        os.link(unfinished, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()
    _flush_folder(path.parent)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _flush_folder(folder.parent)


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
