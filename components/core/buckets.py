"""Artifacts in a bucket: written there by their stage, hashed there by whoever must be sure.

Rules: an artifact at s3://BUCKET/PREFIX is the objects below that prefix, and its digest is that of
the same folder on a disk; endpoint and credentials are those of the environment. KFP's launcher
writes the same objects again when a task has ended: the stage writes them before its record, so
that the notary can hash what is stored.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from components.core.artifacts import manifest
from components.core.canonical import sha256_value
from components.core.errors import IntegrityError, PlatformError

SCHEME = "s3://"
PLACE_VARIABLE = "TANDEM_ARTIFACTS"
_CHUNK = 2**20
Answer = TypeVar("Answer")


def client() -> Any:
    """Return boto3's client of S3."""
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    return boto3.client("s3", config=Config(retries={"mode": "standard", "max_attempts": 5}))


def is_in_bucket(uri: str) -> bool:
    """Say whether an artifact's URI is of a bucket that this module reads."""
    return uri.startswith(SCHEME)


def put_tree(folder: Path, uri: str) -> None:
    """Write a folder's files below a URI; PlatformError where the bucket does not take them."""
    bucket, prefix = _parts(uri)
    store = client()
    for name in manifest(folder):
        asked(uri, partial(store.upload_file, str(folder / name), bucket, prefix + name))


def get_tree(uri: str, folder: Path) -> None:
    """Put what lies below a URI into a folder; PlatformError where the bucket does not answer."""
    bucket, prefix = _parts(uri)
    store = client()
    for key in keys_below(store, bucket, prefix, uri):
        path = folder / key[len(prefix) :]
        if not path.resolve().is_relative_to(folder.resolve()):
            raise IntegrityError(f"{uri} has the key {key}", remedy="find out who wrote it")
        path.parent.mkdir(parents=True, exist_ok=True)
        asked(uri, partial(store.download_file, bucket, key, str(path)))


def stored_digest(uri: str) -> str:
    """Return the digest of an artifact as it is stored: what `tree_digest` gives of the folder.

    Raises IntegrityError where nothing is there, PlatformError where the bucket does not answer.
    """
    bucket, prefix = _parts(uri)
    store = client()
    found = {
        key[len(prefix) :]: _sha256(store, uri, bucket, key)
        for key in keys_below(store, bucket, prefix, uri)
    }
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


def keys_below(store: Any, bucket: str, prefix: str, what: str) -> Iterator[str]:
    """Yield the keys that begin with a prefix, sorted, however many pages the server makes of them.

    `what` is for messages.
    """
    pages = iter(store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix))
    while (page := asked(what, lambda: next(pages, None))) is not None:
        for item in page.get("Contents", ()):
            yield str(item["Key"])


def asked(what: str, ask: Callable[[], Answer]) -> Answer:
    """Return a store's answer; raise PlatformError for what is none."""
    from boto3.exceptions import S3UploadFailedError  # type: ignore[import-untyped]
    from botocore.exceptions import (  # type: ignore[import-untyped]
        BotoCoreError,
        ClientError,
    )

    try:
        return ask()
    except (BotoCoreError, ClientError, S3UploadFailedError) as error:
        raise PlatformError(
            f"{what} cannot be used: {error}",
            remedy="see that the bucket exists and that the AWS variables name its server and keys",
        ) from error


def _sha256(store: Any, uri: str, bucket: str, key: str) -> str:
    def digest() -> str:
        found = hashlib.sha256()
        for chunk in store.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(_CHUNK):
            found.update(chunk)
        return found.hexdigest()

    return asked(uri, digest)


def _parts(uri: str) -> tuple[str, str]:
    url = urlsplit(uri)
    return url.netloc, f"{url.path.strip('/')}/"
