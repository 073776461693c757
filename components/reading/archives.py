"""Files inside an archive, as a filesystem of their own.

Rules: members of a .zip and of a plain .tar are read where they lie; a packed .tar can be read
from its start alone, so the members asked for are unpacked once into a temporary folder, which
goes when nothing refers to them any more; what a member is called decides no path outside it.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import weakref
from pathlib import Path, PurePosixPath
from re import Pattern

import pyarrow as pa
from pyarrow import fs

from components.core.errors import DataError
from components.reading.files import UNREADABLE, File

_PACKED_TAR = {
    ".gz": "r|gz", ".tgz": "r|gz", ".bz2": "r|bz2", ".tbz2": "r|bz2", ".xz": "r|xz", ".txz": "r|xz",
}  # fmt: skip
_ZSTD = {".zst": "zstd", ".tzst": "zstd"}


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
    return fs.PyFileSystem(fs.FSSpecHandler(archive))


def open_tar(file: File, wanted: Pattern[str]) -> tuple[fs.FileSystem, Unpacked | None]:
    """Return the files in a tar archive, those at least whose names fit, and what keeps them."""
    from fsspec.implementations.tar import TarFileSystem  # type: ignore[import-untyped]

    suffix = PurePosixPath(file.path).suffix.lower()
    try:
        if suffix in _PACKED_TAR or suffix in _ZSTD:
            unpacked = _unpack(file, suffix, wanted)
            return fs.SubTreeFileSystem(str(unpacked.folder), fs.LocalFileSystem()), unpacked
        with file.reached():
            archive = TarFileSystem(file.open_random())
    except UNREADABLE as error:
        raise _damaged(file, "tar") from error
    return fs.PyFileSystem(fs.FSSpecHandler(archive)), None


def _unpack(file: File, suffix: str, wanted: Pattern[str]) -> Unpacked:
    unpacked = Unpacked()
    mode = _PACKED_TAR.get(suffix, "r|")
    with (
        file.stream() as packed,
        _unpacked(packed, _ZSTD.get(suffix)) as stream,
        tarfile.open(fileobj=stream, mode=mode) as archive,  # type: ignore[call-overload]
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
    return unpacked


def _unpacked(stream: pa.NativeFile, packed: str | None) -> pa.NativeFile:
    return stream if packed is None else pa.CompressedInputStream(stream, packed)


def _damaged(file: File, kind: str) -> DataError:
    return DataError(
        f"{file.name} is not a readable {kind} archive", remedy="fetch or pack it again"
    )
