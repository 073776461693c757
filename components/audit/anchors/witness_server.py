"""A witness over HTTP: POST /add-checkpoint, and nothing else. Standard library only."""

from __future__ import annotations

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from components.audit.anchors.witness import Answer, Witness

MAX_REQUEST_BYTES = 64 * 1024


class WitnessServer(ThreadingHTTPServer):
    """Serves one witness; it is bound once made, and answers in `serve_forever`."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        self.witness = witness
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take a checkpoint."""
        length = self.headers.get("Content-Length", "")
        if self.path.rpartition("/")[2] != "add-checkpoint":
            self.close_connection = True
            self._send(Answer(HTTPStatus.NOT_FOUND))
        elif not length.isdigit() or int(length) > MAX_REQUEST_BYTES:
            self.close_connection = True
            self._send(Answer(HTTPStatus.BAD_REQUEST))
        else:
            body = self.rfile.read(int(length)).decode("utf-8", "replace")
            self._send(self.server.witness.add_checkpoint(body))

    def _send(self, answer: Answer) -> None:
        data = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing: who asks is none of a witness's business."""
