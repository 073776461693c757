"""Who is told of a run's end in tests: a web server and a mail server on the loopback address.

Both are fakes at the far side of real interfaces: `requests` and `smtplib` speak to them over
sockets. The mail server speaks as much of SMTP (RFC 5321) as a message needs.
"""

from __future__ import annotations

import json
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from answering import answering


@dataclass
class Received:
    """What came in; `status` is what the web server answers with, one after the other."""

    url: str = ""
    posts: list[dict[str, Any]] = field(default_factory=list)
    mails: list[Message] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    status: list[int] = field(default_factory=list)


@contextmanager
def web_server() -> Iterator[Received]:
    """Serve, and keep what is posted."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.posts.append(json.loads(body))
            status = received.status.pop(0) if received.status else 200
            self.send_response(status)
            if status == 302:
                self.send_header("Location", received.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        received.url = f"http://127.0.0.1:{server.server_port}/hook"
        yield received


@contextmanager
def mail_server() -> Iterator[Received]:
    """Take mail without TLS, as on the loopback address."""
    received = Received()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline().decode().strip():
                word = line.upper().partition(" ")[0]
                if word == "RCPT":
                    received.recipients.append(line.partition("<")[2].rstrip(">"))
                if word == "DATA":
                    self.say("354 go on")
                    self.take()
                self.say("221 bye" if word == "QUIT" else "250 ok")
                if word == "QUIT":
                    return

        def take(self) -> None:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line)
            received.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with answering(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as server:
        port = server.server_address[1]
        received.url = f"smtp://127.0.0.1:{port}?from=tandem@example.org&to=team@example.org"
        yield received
