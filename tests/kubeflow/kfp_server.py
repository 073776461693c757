"""A KFP API server: v2beta1 over HTTP, for the tests, at the far side of kfp's own client.

What it answers is kfp-server-api's own models (kfp_wire.py), what it refuses is taken from
kubeflow/pipelines (kfp_store.py, kfp_pipelines.py, kfp_cron.py, kfp_lists.py say from where). In
multi-user mode a call needs a bearer token (401) of somebody who may use the namespace (403), as
backend/src/apiserver/auth and server/*.go have it; a namespace that is none is one that nobody may
use, and an upload that is not allowed is answered with 400 (server/pipeline_upload_server.go). Logs
are read at the path that main.go gives them, which the API's models do not have. A server of KFP 1
knows nothing below /apis/v2beta1.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from answering import answering
from kfp_calls import TOKEN, Call, KfpServer
from kfp_routes import answer
from kfp_wire import Refusal

__all__ = ["TOKEN", "KfpServer", "kfp_server"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_GET

    def _serve(self) -> None:
        kfp: KfpServer = self.server.kfp
        url = urlsplit(self.path)
        path = unquote(url.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        kind = self.headers.get("Content-Type") or ""
        call = Call(kfp, self.command, dict(parse_qsl(url.query)), body, token, kind)
        kfp.calls.append((self.command, path))
        fault = kfp.faults.next(self.command, path)
        if fault and fault.kind == "reset":
            return self._break_off()
        if fault and fault.kind == "503":
            return self._send(503, {"code": 14, "message": "upstream connect error"})
        if fault and fault.kind == "403":
            return self._send(403, Refusal(403, "User is not authorized with reason: ").body())
        status, value = answer(call, path)
        if fault and fault.kind == "twice":
            status, value = answer(call, path)
        if fault and fault.kind == "lost":
            return self._break_off()
        if fault and fault.kind == "stalled":
            return self._stall(kfp)
        return self._send(status, value)

    def _stall(self, kfp: KfpServer) -> None:
        """Say nothing until the client closes the connection, by its own limit."""
        self.close_connection = True
        with contextlib.suppress(ConnectionResetError):
            self.connection.recv(1)
        kfp.faults.gave_up += 1

    def _break_off(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, status: int, value: Any) -> None:
        text = isinstance(value, str)
        data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if text else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:  # the client did not wait
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


@contextmanager
def kfp_server(**more: Any) -> Iterator[KfpServer]:
    """Serve on the loopback address."""
    kfp = KfpServer(**more)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.kfp = kfp  # type: ignore[attr-defined]
    kfp.url = f"http://127.0.0.1:{server.server_address[1]}"
    with answering(server):
        yield kfp
