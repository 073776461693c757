"""A fake of S3 over HTTP (moto's server) on the loopback, and what names it in the environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def serving() -> Iterator[str]:
    """Give the address of a server that runs as long."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def variables(address: str, secret: str) -> dict[str, str]:
    """Return the address and the credentials as the environment holds them."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def served_bucket(name: str) -> Iterator[str]:
    """Serve a new bucket and give its address; the environment names it meanwhile."""
    with serving() as address, pytest.MonkeyPatch.context() as patch:
        for variable, value in variables(address, "secret").items():
            patch.setenv(variable, value)
        import boto3

        boto3.client("s3").create_bucket(Bucket=name)
        yield f"s3://{name}"
