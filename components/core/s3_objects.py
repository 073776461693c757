"""An artifact's objects in a store that speaks S3: Amazon's, MinIO, SeaweedFS, many others.

Rules: endpoint and credentials are those of the environment (AWS_ENDPOINT_URL and the like), of
s3:// as of minio://, which is how KFP writes the store that it brings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from components.core.canonical import sha256_chunks
from components.core.errors import PlatformError

SCHEME = "s3://"
_CHUNK = 2**20
Answer = TypeVar("Answer")


class S3Objects:
    """The objects below s3://BUCKET/PREFIX; PlatformError where the store does not answer."""

    def __init__(self, uri: str) -> None:
        url = urlsplit(uri)
        self._uri, self._bucket, self._prefix = uri, url.netloc, f"{url.path.strip('/')}/"
        self._store = client()

    def names(self) -> Iterator[str]:
        """Yield the names of the objects, without the prefix."""
        for key in keys_below(self._store, self._bucket, self._prefix, self._uri):
            yield key[len(self._prefix) :]

    def put(self, name: str, path: Path) -> None:
        """Write a file's bytes."""
        asked(
            self._uri,
            partial(self._store.upload_file, str(path), self._bucket, self._prefix + name),
        )

    def get(self, name: str, path: Path) -> None:
        """Read an object's bytes into a file."""
        key = self._prefix + name
        asked(self._uri, partial(self._store.download_file, self._bucket, key, str(path)))

    def sha256(self, name: str) -> str:
        """Return the digest of an object's bytes."""

        def digest() -> str:
            body = self._store.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"]
            return sha256_chunks(body.iter_chunks(_CHUNK))

        return asked(self._uri, digest)


def client() -> Any:
    """Return boto3's client of S3."""
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    return boto3.client("s3", config=Config(retries={"mode": "standard", "max_attempts": 5}))


def keys_below(store: Any, bucket: str, prefix: str, what: str) -> Iterator[str]:
    """Yield the keys that begin with a prefix, sorted, however many pages the server makes of them.

    `what` is for messages.
    """
    pages = iter(store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix))
    while (page := asked(what, lambda: next(pages, None))) is not None:
        for item in page.get("Contents", ()):
            yield str(item["Key"])


def versions_below(store: Any, bucket: str, prefix: str, what: str) -> Iterator[tuple[str, str]]:
    """Yield each key that begins with a prefix, with each version that was ever written there.

    A versioned bucket keeps what was deleted, or written over, as a version.
    """
    pages = iter(store.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix))
    while (page := asked(what, lambda: next(pages, None))) is not None:
        for item in page.get("Versions", ()):
            yield str(item["Key"]), str(item["VersionId"])


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
