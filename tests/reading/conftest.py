"""A real PostgreSQL and a fake S3 (moto's server), both started by the tests on the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import served_bucket
from local_postgresql import PASSWORD, running


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL of this session's own."""
    with running() as address:
        yield address


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of moto's server: a fake of S3, over HTTP."""
    with served_bucket.serving() as address:
        yield address


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the fake S3, whose address and credentials are in the environment."""
    import boto3

    for name, value in served_bucket.variables(s3_server, PASSWORD).items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=s3_server)
    client.create_bucket(Bucket="shop")
    return client
