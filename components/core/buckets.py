"""Artifacts in a bucket: written there by their stage, hashed there by whoever must be sure.

Rules: an artifact at s3://BUCKET/PREFIX, minio:// or gs:// is the objects below that prefix, and
its digest is that of the same folder on a disk; server and credentials are those of the environment
(s3_objects.py, google_objects.py). KFP's launcher writes the same objects again when a task has
ended: the stage writes them before its record, so that the notary can hash what is stored.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from components.core import google_objects, s3_objects
from components.core.artifacts import manifest
from components.core.canonical import sha256_value
from components.core.errors import IntegrityError, SettingsError

SCHEMES = (s3_objects.SCHEME, "minio://", google_objects.SCHEME)
PLACE_VARIABLE = "TANDEM_ARTIFACTS"


class Objects(Protocol):
    """The objects below a URI, by the names of the files that they are."""

    def names(self) -> Iterator[str]:
        """Yield all names."""

    def put(self, name: str, path: Path) -> None:
        """Write a file's bytes."""

    def get(self, name: str, path: Path) -> None:
        """Read an object's bytes into a file."""

    def sha256(self, name: str) -> str:
        """Return the digest of an object's bytes."""


def is_in_bucket(uri: str) -> bool:
    """Say whether an artifact's URI is of a bucket that this module reads."""
    return uri.startswith(SCHEMES)


def put_tree(folder: Path, uri: str) -> None:
    """Write a folder's files below a URI; PlatformError where the bucket does not take them."""
    objects = _objects(uri)
    for name in manifest(folder):
        objects.put(name, folder / name)


def get_tree(uri: str, folder: Path) -> None:
    """Put what lies below a URI into a folder; PlatformError where the bucket does not answer."""
    objects = _objects(uri)
    for name in objects.names():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise IntegrityError(f"{uri} has the key {name}", remedy="find out who wrote it")
        path.parent.mkdir(parents=True, exist_ok=True)
        objects.get(name, path)


def stored_digest(uri: str) -> str:
    """Return the digest of an artifact as it is stored: what `tree_digest` gives of the folder.

    Raises IntegrityError where nothing is there, PlatformError where the bucket does not answer.
    """
    objects = _objects(uri)
    found = {name: objects.sha256(name) for name in objects.names()}
    if not found:
        raise IntegrityError(
            f"nothing is stored at {uri}", remedy="run the stage that writes it again"
        )
    return sha256_value(dict(sorted(found.items())))


def require_allowed(uri: str) -> None:
    """Raise IntegrityError for a URI outside the place that TANDEM_ARTIFACTS names.

    A notary reads with its own credentials, so it reads nowhere else for whoever asks.
    """
    place = os.environ.get(PLACE_VARIABLE, "").rstrip("/")
    if not place or not uri.startswith(f"{place}/") or ".." in uri.split("/"):
        raise IntegrityError(
            f"{uri} is not below {place or f'a place that {PLACE_VARIABLE} names'}",
            remedy=f"set {PLACE_VARIABLE} of the notary to the pipeline root of the runs",
        )


def require_readable_place() -> None:
    """Raise SettingsError where TANDEM_ARTIFACTS names a place that nobody here can read."""
    place = os.environ.get(PLACE_VARIABLE, "")
    if place and not is_in_bucket(place):
        raise SettingsError(
            f"{PLACE_VARIABLE} is not the address of a bucket: {place}",
            remedy="write the pipeline root of the runs, as s3://, minio:// or gs://BUCKET/PREFIX; "
            "unset it where stages and notary share a disk",
        )


def _objects(uri: str) -> Objects:
    is_google = uri.startswith(google_objects.SCHEME)
    return google_objects.GoogleObjects(uri) if is_google else s3_objects.S3Objects(uri)
