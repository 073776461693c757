"""Places: the filesystem of an address, the folder to start at, and the names below it.

Nothing is touched here; only S3 is asked for a bucket's region where the environment has none.
"""

from __future__ import annotations

import datetime
import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
from pyarrow import fs

from components.core.errors import DataError, PlatformError, SettingsError
from components.reading.archives import Unpacked
from components.reading.patterns import MAGIC

PACKAGE = "package://"
_GCS_SECONDS = 30


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
        """Return what messages and records call these names, never a machine's path."""
        return f"{self.before}{'/'.join(parts)}{self.after}"


def local(folder: Path, path: str, before: str = "") -> Place:
    """Return a path below a folder of this machine; names begin with `before`."""
    return Place(fs.LocalFileSystem(), str(folder.absolute()), PurePosixPath(path).parts, before)


def file_address(location: str, root: Path) -> Place:
    """Return the path that file:// names."""
    path = location.removeprefix("file://")
    if not path.startswith("/"):
        raise SettingsError(f"{location} is not absolute", remedy="write file:///PATH")
    return local(Path("/"), path[1:], "file:///")


def package(location: str, root: Path) -> Place:
    """Return a path in an installed package's folder."""
    folder, inner = package_folder(location)
    return local(folder, inner, f"{location.removesuffix(inner).rstrip('/')}/")


def package_folder(location: str) -> tuple[Path, str]:
    """Return an installed package's folder and the path in it; the package is not imported.

    Raises DataError for one that is not there, SettingsError for a path that leaves it.
    """
    name, _, inner = location.removeprefix(PACKAGE).partition("/")
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"package {name} of {location} is not installed", remedy="run `make setup`")
    if ".." in PurePosixPath(inner).parts or inner.startswith("/"):
        raise SettingsError(f"{location} leaves its package", remedy="give a path inside it")
    return Path(next(iter(spec.submodule_search_locations))), inner


def s3(location: str, root: Path) -> Place:
    """Return an S3 location; AWS_ENDPOINT_URL names another server than Amazon's."""
    bucket, parts = _bucket(location, "s3://")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if endpoint is None and region is None:
        region = remote(lambda: fs.resolve_s3_region(bucket), location)
    filesystem = fs.S3FileSystem(endpoint_override=endpoint, region=region)
    return Place(filesystem, "", parts, "s3://")


def gs(location: str, root: Path) -> Place:
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
    if len(parts) < 2 or not all(parts) or MAGIC.search(parts[0]):
        raise SettingsError(f"{location} cannot be read", remedy=f"write {prefix}BUCKET/KEY")
    return parts[0], parts


def memory(location: str, root: Path) -> Place:
    """Return a path in the memory of this process."""
    from fsspec.implementations.memory import (  # type: ignore[import-untyped]
        MemoryFileSystem,
    )

    path = location.removeprefix("memory://").lstrip("/")
    filesystem = fs.PyFileSystem(fs.FSSpecHandler(MemoryFileSystem()))
    return Place(filesystem, "/", PurePosixPath(path).parts, "memory://")


def remote(call: Callable[[], Any], location: str) -> Any:
    """Return what a filesystem answers; PlatformError where it does not."""
    try:
        return call()
    except (OSError, pa.ArrowException) as error:
        raise PlatformError(
            f"{location} cannot be reached",
            remedy="check the address and the credentials in the environment",
        ) from error
