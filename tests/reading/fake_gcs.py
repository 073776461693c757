"""A fake of Google Cloud Storage: what pyarrow asks of its JSON API to list and stream objects."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@contextmanager
def serving(objects: dict[str, bytes]) -> Iterator[str]:
    """Serve the objects of the bucket `shop` on the loopback; give the server's address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            _, _, rest = url.path.partition("/storage/v1/b/shop/o")
            name = unquote(rest.removeprefix("/"))
            if not name:
                self._answer(json.dumps(_listing(objects, query.get("prefix", ""))).encode())
            elif name in objects:
                media = query.get("alt") == "media"
                self._answer(objects[name] if media else json.dumps(_about(name, objects)).encode())
            else:
                self._answer(b"{}", 404)

        def _answer(self, body: bytes, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _listing(objects: dict[str, bytes], prefix: str) -> dict[str, Any]:
    """Return a folder's objects, and the folders in it as prefixes."""
    inside = {name: name.removeprefix(prefix) for name in objects if name.startswith(prefix)}
    folders = {f"{prefix}{rest.partition('/')[0]}/" for rest in inside.values() if "/" in rest}
    items = [_about(name, objects) for name, rest in inside.items() if "/" not in rest]
    return {"kind": "storage#objects", "items": items, "prefixes": sorted(folders)}


def _about(name: str, objects: dict[str, bytes]) -> dict[str, str]:
    return {
        "kind": "storage#object",
        "name": name,
        "bucket": "shop",
        "size": str(len(objects[name])),
        "generation": "1",
        "metageneration": "1",
        "timeCreated": "2013-01-01T00:00:00Z",
        "updated": "2013-01-01T00:00:00Z",
    }
