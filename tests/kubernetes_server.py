"""What the fakes of a Kubernetes API server share: how they answer, and the kubeconfig for one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from answering import answering


class Answering(BaseHTTPRequestHandler):
    """Answers with JSON, and prints nothing."""

    def send(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def served(handler: type[Answering]) -> Iterator[str]:
    """Serve on the loopback address, and give it."""
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}"


def write_kubeconfig(place: Path, url: str, token: str) -> Path:
    """Write a kubeconfig for a server, whose user has that token."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": token}}],
    }
    place.write_text(json.dumps(config))
    return place
