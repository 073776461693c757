"""Files inside an archive, as a filesystem of their own.

Rules: members of a .zip and of a plain .tar are read where they lie; a packed .tar can be read
from its start alone, so the members asked for are unpacked once into a temporary folder, which
goes when nothing refers to them any more; what a member is called decides no path outside it.
Of files of one name in a .tar the last counts, as for tar itself; a .zip has no such rule.
"""

from __future__ import annotations

import lzma
import shutil
import tarfile
import tempfile
import weakref
from collections import Counter
from pathlib import Path, PurePosixPath
from re import Pattern
from typing import Any

import pyarrow as pa
from pyarrow import fs

from components.core.errors import DataError
from components.reading.files import UNREADABLE, File

_XZ = "xz"
_PACKED_TAR = {
    ".gz": "gzip", ".tgz": "gzip", ".bz2": "bz2", ".tbz2": "bz2", ".zst": "zstd", ".tzst": "zstd",
    ".xz": _XZ, ".txz": _XZ,
}  # fmt: skip
_CHUNK = 2**20


class Unpacked:
    """A temporary folder that is removed with this object, at the latest when the process ends."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tandem-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


def open_zip(file: File) -> fs.FileSystem:
    """Return the files in a zip archive."""
    from fsspec.implementations.zip import ZipFileSystem  # type: ignore[import-untyped]

    try:
        with file.reached():
            archive = ZipFileSystem(file.open_random())
    except UNREADABLE as error:
        raise _damaged(file, "zip") from error
    names = archive.zip.namelist()
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise DataError(
            f"{file.name} holds more than one file {', '.join(twice)}", remedy="pack it again"
        )
    return fs.PyFileSystem(fs.FSSpecHandler(archive))


def open_tar(file: File, wanted: Pattern[str]) -> tuple[fs.FileSystem, Unpacked | None]:
    """Return the files in a tar archive, those at least whose names fit, and what keeps them."""
    from fsspec.implementations.tar import TarFileSystem  # type: ignore[import-untyped]

    suffix = PurePosixPath(file.path).suffix.lower()
    try:
        if suffix in _PACKED_TAR:
            unpacked = _unpack(file, _PACKED_TAR[suffix], wanted)
            return fs.SubTreeFileSystem(str(unpacked.folder), fs.LocalFileSystem()), unpacked
        with file.reached():
            archive = TarFileSystem(file.open_random())
    except UNREADABLE as error:
        raise _damaged(file, "tar") from error
    return fs.PyFileSystem(fs.FSSpecHandler(archive)), None


def _unpack(file: File, packed: str, wanted: Pattern[str]) -> Unpacked:
    """Unpack the members asked for; tarfile's own unpacking would check no checksum of gzip."""
    unpacked = Unpacked()
    with (
        file.stream() as source,
        _unpacked(source, packed) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        for member in archive:
            name = member.name.removeprefix("./")
            inside = not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
            data = archive.extractfile(member) if member.isfile() and inside else None
            if data is not None and wanted.fullmatch(name):
                path = unpacked.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as target:
                    shutil.copyfileobj(data, target)
        while stream.read(_CHUNK):  # the checksum comes last, after what tarfile reads
            pass
    return unpacked


def _unpacked(stream: pa.NativeFile, packed: str) -> Any:
    return lzma.open(stream) if packed == _XZ else pa.CompressedInputStream(stream, packed)


def _damaged(file: File, kind: str) -> DataError:
    return DataError(
        f"{file.name} is not a readable {kind} archive", remedy="fetch or pack it again"
    )
