"""A fake of S3 over HTTP (moto's server) on the loopback, and what names it in the environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from local_postgresql import PASSWORD


@contextmanager
def serving() -> Iterator[str]:
    """Give the address of a server that runs as long."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def variables(address: str) -> dict[str, str]:
    """Return the address and the credentials as the environment holds them."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
