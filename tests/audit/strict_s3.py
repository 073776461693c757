"""moto's S3 over HTTP, with what S3 does and moto does not: writes in turn, 409, and lost answers.

Its own are the 412 for If-None-Match and the refused deletion of a locked version.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import served_bucket
from answering import answering

BUCKET = "audit"
_XML = [("Content-Type", "application/xml")]
_ERROR = b"<Error><Code>%s</Code><Message>told by the tests</Message></Error>"


class StrictS3:
    """A WSGI application before moto's; `conflicts` and `lost` say of how many writes to come."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._writing = threading.Lock()
        self.conflicts = 0
        self.lost = 0
        self.conditions = True
        self.locks = True
        self.address = ""

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "PUT":
            return list(self._application(environ, start))
        with self._writing:
            return self._put(environ, start)

    def _put(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if self.conflicts:
            self.conflicts -= 1
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start("409 Conflict", _XML)
            return [_ERROR % b"ConditionalRequestConflict"]
        if not self.conditions:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        if not self.locks:
            for name in ("MODE", "RETAIN_UNTIL_DATE"):
                environ.pop(f"HTTP_X_AMZ_OBJECT_LOCK_{name}", None)
        if not self.lost:
            return list(self._application(environ, start))
        self.lost -= 1
        list(self._application(environ, lambda status, headers, error=None: None))
        start("500 Internal Server Error", _XML)
        return [_ERROR % b"InternalError"]


@contextmanager
def strict_s3() -> Iterator[StrictS3]:
    """Serve it on the loopback, in threads."""
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    strict = StrictS3(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, strict, True, request_handler=MotoRequestHandler)
    strict.address = f"http://127.0.0.1:{server.server_port}"
    with answering(server):
        yield strict


def variables(strict: StrictS3) -> dict[str, str]:
    """Return the address and the credentials as the environment holds them."""
    return served_bucket.variables(strict.address, "secret")
