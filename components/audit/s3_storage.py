"""The log's objects in a bucket, created by conditional writes (If-None-Match: *).

Rules: the server decides who creates a key, with 412 for one that is there and 409 for one that is
being written, which is asked again; each creation carries a mark of its own, so that a write whose
answer was lost, and which the client repeats, knows its own object again. Endpoint and credentials
are those of the environment, as for sources and for MLflow's artifacts. The server must honour the
condition (AWS, MinIO, Ceph, R2): one that replaces instead is found out at the first use.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from components.audit.storage import ObjectExists
from components.core.errors import PlatformError, SettingsError
from components.core.s3_objects import SCHEME, asked, client, keys_below, versions_below

_MARK = "tandem-writer"
_CONFLICTS = 8
_PROBE = "conditional-writes"


@dataclass(frozen=True)
class S3Storage:
    """Objects below a prefix of a bucket, which may be empty; the prefix ends with a slash."""

    bucket: str
    prefix: str
    client: Any = field(compare=False, repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """What else each creation asks of the server, a lock for one."""

    @classmethod
    def at(cls, address: str) -> S3Storage:
        """Return the storage at s3://BUCKET/PREFIX; SettingsError for no such address."""
        url = urlsplit(address)
        if url.scheme != "s3" or not url.netloc or url.query or url.fragment:
            raise SettingsError(f"not an address of a bucket: {address}", remedy="give s3://BUCKET")
        path = url.path.strip("/")
        return cls(url.netloc, f"{path}/" if path else "", client())

    def create(self, key: str, data: bytes) -> None:
        """Create an object; raise PlatformError where the server does not answer."""
        mark = secrets.token_hex(16)
        for attempt in range(_CONFLICTS):
            code = self._put(key, data, mark)
            if code is None or (code == "412" and self._mark(key) == mark):
                return
            if code == "412":
                raise ObjectExists(key)
            time.sleep(0.02 * 2**attempt * (0.5 + secrets.randbelow(100) / 100))
        raise PlatformError(
            f"{self._name(key)} is being written by someone else",
            remedy="see that one notary alone writes this log",
        )

    def create_all(self, objects: Sequence[tuple[str, bytes]]) -> None:
        """Create objects one after another: what a crash leaves has no gap."""
        for key, data in objects:
            self.create(key, data)

    def read(self, key: str, version: str | None = None) -> bytes | None:
        """Return an object's bytes, the newest or those of a version; None where there are none."""
        from botocore.exceptions import ClientError  # type: ignore[import-untyped]

        named = {"Bucket": self.bucket, "Key": self.prefix + key}
        named |= {} if version is None else {"VersionId": version}

        def get() -> bytes | None:
            try:
                answer = self.client.get_object(**named)
                return bytes(answer["Body"].read())
            except ClientError as error:
                if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                    return None
                raise

        return asked(self._what, get)

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix, sorted, however many pages the server makes of them."""
        for key in keys_below(self.client, self.bucket, f"{self.prefix}{prefix}/", self._what):
            yield key[len(self.prefix) :]

    def versions(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield each key below a prefix with each of its versions, deleted ones too."""
        place = f"{self.prefix}{prefix}/"
        for key, version in versions_below(self.client, self.bucket, place, self._what):
            yield key[len(self.prefix) :], version

    def place(self, key: str) -> str:
        """Return an object's address."""
        return self._name(key)

    def remove(self, key: str) -> None:
        """Remove an object; a spool's are, a log's never."""
        asked(
            self._what, lambda: self.client.delete_object(Bucket=self.bucket, Key=self.prefix + key)
        )

    def sweep(self) -> None:
        """Refuse a server that would replace an object; nothing is ever half-written here."""
        for _ in range(2):
            try:
                self.create(_PROBE, b"")
            except ObjectExists:
                return
        raise PlatformError(
            f"the server of {self._name('')} replaces objects in spite of If-None-Match",
            remedy="keep the log in a bucket with conditional writes",
        )

    def _put(self, key: str, data: bytes, mark: str) -> str | None:
        """Return None for a write that was taken, else "412" or "409"."""
        from botocore.exceptions import ClientError

        def put() -> str | None:
            try:
                self.client.put_object(
                    Bucket=self.bucket,
                    Key=self.prefix + key,
                    Body=data,
                    IfNoneMatch="*",
                    Metadata={_MARK: mark},
                    **self.parameters,
                )
            except ClientError as error:
                code = str(error.response["ResponseMetadata"].get("HTTPStatusCode"))
                if code in ("412", "409"):
                    return code
                raise
            return None

        return asked(self._what, put)

    def lock(self, key: str) -> str | None:
        """Return in which mode the server says that an object is locked; None for no lock."""
        mode = self._head(key).get("ObjectLockMode")
        return None if mode is None else str(mode)

    def _mark(self, key: str) -> str | None:
        mark = self._head(key)["Metadata"].get(_MARK)
        return None if mark is None else str(mark)

    def _head(self, key: str) -> Mapping[str, Any]:
        place = {"Bucket": self.bucket, "Key": self.prefix + key}
        head: Mapping[str, Any] = asked(self._what, lambda: self.client.head_object(**place))
        return head

    @property
    def _what(self) -> str:
        return f"the bucket of {self._name('')}"

    def _name(self, key: str) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}{key}"
