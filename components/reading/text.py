"""Text files as streams of bytes, whatever they are packed in.

Rules: .gz, .bz2, .zst and .zip after the format's own suffix are unpacked while reading; a .zip
holds one file; what is cut short, damaged or no text is an error that names the file.
"""

from __future__ import annotations

import codecs
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

import pyarrow as pa

from components.core.errors import DataError, SettingsError
from components.reading.files import UNREADABLE, File

PACKED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".zip": "zip"}
_SNIFFED_BYTES = 4096
# The longer first: UTF-32 begins as UTF-16 does.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8",
}


def suffix_of(name: str) -> str:
    """Return the last suffix of a file's name, of a member's where the name has an archive's."""
    return PurePosixPath(name.partition("::")[0]).suffix.lower()


@contextmanager
def open_text(file: File) -> Iterator[pa.NativeFile]:
    """Open a file for reading from start to end, unpacked."""
    packed = PACKED.get(suffix_of(file.name))
    if packed is None:
        with file.stream() as stream:
            yield stream
    elif packed == "zip":
        with file.random_access() as data, _only_member(file, data) as stream:
            yield stream
    else:
        with file.stream() as stream:
            yield pa.CompressedInputStream(stream, packed)


@contextmanager
def _only_member(file: File, data: pa.NativeFile) -> Iterator[pa.NativeFile]:
    try:
        archive = zipfile.ZipFile(data)
        members = [info for info in archive.infolist() if not info.is_dir()]
        if len(members) != 1:
            raise DataError(
                f"{file.name} holds {len(members)} files, not one",
                remedy="pack one file alone, or name one: zip://MEMBER::LOCATION",
            )
        member = archive.open(members[0])
    except UNREADABLE as error:
        raise damaged(file) from error
    with archive, member, pa.PythonFile(member, mode="r") as stream:
        yield stream


def damaged(file: File) -> DataError:
    """Return the error for bytes that cannot be unpacked or had."""
    kind = suffix_of(file.name) if suffix_of(file.name) in PACKED else "text"
    return DataError(
        f"{file.name} is not a readable {kind} file: it is cut short or damaged",
        remedy="fetch or pack it again",
    )


def require_packed(file: File) -> None:
    """Raise DataError where a file is to be unpacked and has no byte: nothing, packed, has some."""
    if suffix_of(file.name) in PACKED:
        with file.stream() as stream:
            if not stream.read(1):
                raise damaged(file)


def require_text(file: File, encoding: str) -> None:
    """Raise DataError unless a file begins as text; SettingsError for an unknown encoding."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        "".encode(encoding)  # a LookupError for what is no encoding of text, such as base64
    except LookupError as error:
        raise SettingsError(
            f"there is no encoding {encoding}, which {file.name} is to be read in",
            remedy="correct source.*.encoding: utf-8, latin-1, cp1252 or another of Python's",
        ) from error
    try:
        with open_text(file) as stream:
            data = stream.read(_SNIFFED_BYTES)
    except UNREADABLE as error:
        raise damaged(file) from error
    if not data:
        require_packed(file)
        raise DataError(
            f"{file.name} is empty",
            remedy="have it written again, or name another file in source.*.location",
        )
    _require_mark(file, data, encoding)
    try:
        text = decoder.decode(data)
    except UnicodeError:  # UTF-16 without its mark: the reader says so
        return
    if "\0" in text:
        raise DataError(
            f"{file.name} holds binary data, not text",
            remedy="give the text itself, or set source.*.encoding where it is UTF-16",
        )


def _require_mark(file: File, data: bytes, encoding: str) -> None:
    """Raise DataError where a byte order mark says another encoding, or would enter a name."""
    marked = next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)
    if marked and codecs.lookup(encoding).name.removesuffix("-sig") != marked:
        raise DataError(
            f"{file.name} begins with the mark of {marked}, and is to be read as {encoding}",
            remedy=f"set source.*.encoding of CSV to {marked}; write other text as utf-8",
        )
