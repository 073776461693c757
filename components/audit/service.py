"""The notary over HTTP, on a unix socket or a port; standard library only.

    GET  /v1/ready                      {}
    POST /v1/records                    a draft -> {"record", "index"}
    GET  /v1/runs/RUN/records           {"records": [view, ...]}
    POST /v1/runs/RUN/close             {"state"} -> {"records": [view, ...]}
    GET  /v1/models/MODEL/versions      {"versions": {number: {"run", "index"}}}
    POST /v1/proofs                     {"records": [digest, ...]} -> a bundle of proofs
    GET  /v1/checkpoint                 {"checkpoint": signed note}

Rules: a refusal is an error of components/core/errors.py as JSON; JSON is read strictly; a request
is limited in size. Who may connect to a socket is decided by the folder that it lies in; a port is
on the loopback address, or it has TLS and asks for a token (authentication.py).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from components.audit.authentication import Authenticator, SelfAsserted
from components.audit.schema import load_validators
from components.core.canonical import parse_json
from components.core.errors import DataError, PlatformError, SettingsError, TandemError

if TYPE_CHECKING:
    from components.audit.notary import LocalNotary

READY = "/v1/ready"
MAX_REQUEST_BYTES = 8 * 2**20
SOCKET_PATH_LIMIT = 107
"""Bytes of a socket's path (unix(7): sun_path holds 108 with the final zero)."""

_STATUS = {"DataError": 400, "IntegrityError": 409, "SettingsError": 400}


class _Unknown(Exception):
    """The authenticator refused who asks."""

    def __init__(self, cause: SettingsError) -> None:
        super().__init__(cause.message)
        self.cause = cause


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Serves on whatever address its family has."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: Any, notary: LocalNotary, authenticator: Authenticator) -> None:
        self.notary, self.authenticator = notary, authenticator
        super().__init__(address, _Handler)


class _UnixServer(_Server):
    address_family = socket.AF_UNIX


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 60

    def do_GET(self) -> None:
        """Answer a question."""
        self._answer({})

    def do_POST(self) -> None:
        """Take a draft or a request with a body."""
        try:
            body = self._body()
        except DataError as error:
            self._send(400, {"error": error.to_dict()})
            return
        self._answer(body)

    def _answer(self, body: dict[str, Any]) -> None:
        try:
            account = self._account()
            status, value = 200, route(self.server.notary, self.command, self.path, body, account)
        except _Unknown as error:
            status, value = 401, {"error": error.cause.to_dict()}
        except TandemError as error:
            status, value = _STATUS.get(type(error).__name__, 500), {"error": error.to_dict()}
        except OSError as error:
            failure = PlatformError(f"the notary: {error}", remedy="look at disk and permissions")
            status, value = 500, {"error": failure.to_dict()}
        self._send(status, value)

    def _account(self) -> str | None:
        """Return whose token is shown; anybody may ask whether the notary is ready."""
        if self.path == READY:
            return None
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        try:
            return self.server.authenticator.identify(token if kind == "Bearer" else None)
        except SettingsError as error:
            raise _Unknown(error) from error

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_REQUEST_BYTES:
            raise _bad_request(f"the body must have a length of at most {MAX_REQUEST_BYTES} bytes")
        try:
            value = parse_json(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise _bad_request(f"the body is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise _bad_request("the body is not a JSON object")
        return value

    def _send(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing: what happened is in the log that this serves."""


def route(
    notary: LocalNotary, method: str, path: str, body: dict[str, Any], account: str | None = None
) -> dict[str, Any]:
    """Return the notary's answer to a request of an account; raise what the notary raises."""
    match [method, *(unquote(part) for part in path.strip("/").split("/"))]:
        case ["GET", "v1", "ready"]:
            return {}
        case ["POST", "v1", "records"]:
            receipt = notary.submit(body, account)
            return {"record": receipt.record, "index": receipt.index}
        case ["GET", "v1", "runs", run, "records"]:
            return {"records": [view.to_dict() for view in notary.records(run)]}
        case ["POST", "v1", "runs", run, "close"]:
            closed = notary.close_run(run, str(body.get("state")), account)
            return {"records": [view.to_dict() for view in closed]}
        case ["GET", "v1", "models", model, "versions"]:
            found = notary.registered(model)
            return {"versions": {number: asdict(item) for number, item in found.items()}}
        case ["POST", "v1", "proofs"]:
            return notary.prove([str(record) for record in body.get("records", [])]).to_dict()
        case ["GET", "v1", "checkpoint"]:
            return {"checkpoint": notary.checkpoint()}
    raise _bad_request(f"the notary has no {method} {path}")


def serve(notary: LocalNotary, place: Path, *, until_stdin_closes: bool) -> None:
    """Answer requests at a socket until SIGTERM, SIGINT or, if asked, the end of standard input."""
    if len(str(place).encode()) > SOCKET_PATH_LIMIT:
        raise PlatformError(
            f"the socket's path is longer than {SOCKET_PATH_LIMIT} bytes: {place}",
            remedy="put the socket into a folder with a short path",
        )
    place.unlink(missing_ok=True)
    try:
        with _UnixServer(str(place), notary, SelfAsserted()) as server:
            if until_stdin_closes:
                threading.Thread(target=_watch_stdin, args=(server,), daemon=True).start()
            _answer_requests(server)
    finally:
        place.unlink(missing_ok=True)


def serve_port(
    notary: LocalNotary,
    address: tuple[str, int],
    authenticator: Authenticator,
    tls: ssl.SSLContext | None,
    ready: Callable[[int], None],
) -> None:
    """Answer requests at a port, 0 for any, until SIGTERM or SIGINT; `ready` is told which."""
    try:
        server = _Server(address, notary, authenticator)
    except OSError as error:
        raise PlatformError(
            f"the notary cannot listen on {address[0]}:{address[1]}: {error.strerror}",
            remedy="name another address by --listen, or end what uses it",
        ) from error
    with server:
        if tls is not None:
            server.socket = tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        ready(server.server_address[1])
        _answer_requests(server)


def _answer_requests(server: _Server) -> None:
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    threading.Thread(target=load_validators, daemon=True).start()
    try:
        server.serve_forever()
    finally:
        # A record that is being written is finished first: this takes the notary's mutex.
        server.notary.checkpoint()


def _watch_stdin(server: _Server) -> None:
    """Read without Python's buffer, whose lock would hold up the end of the process."""
    while os.read(0, 4096):
        pass
    server.shutdown()


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _bad_request(why: str) -> DataError:
    return DataError(why, remedy="use a client of the notary's version")
