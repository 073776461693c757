"""A fake of Google Cloud Storage: what pyarrow asks of its JSON API, at the far side of HTTP.

It lists a folder's objects in pages, gives objects whole or in ranges, and takes them in resumable
uploads, a piece at a time; it knows no credentials. It is a process of its own: pyarrow may wait
for an answer while no Python of its process runs.
"""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_PAGE = 2
_RANGES = "/ranges"
_TO = re.compile(r"bytes (?:\d+-(\d+)|\*)/(\d+|\*)")


@contextmanager
def serving(objects: dict[str, bytes], bucket: str = "shop") -> Iterator[str]:
    """Serve a bucket's objects on the loopback; give the server's address."""
    with subprocess.Popen(
        [sys.executable, __file__, bucket], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        pickle.dump(objects, server.stdin)
        server.stdin.flush()
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


def ranges_of(address: str) -> list[list[int]]:
    """Return the first and last byte of every range that a server was asked for."""
    with urllib.request.urlopen(f"{address}{_RANGES}") as answer:  # noqa: S310  # on the loopback
        return list(json.load(answer))


class _Server(ThreadingHTTPServer):
    def __init__(self, objects: dict[str, bytes], bucket: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects, self.bucket = objects, bucket
        self.place = f"/storage/v1/b/{bucket}/o"
        self.uploads: dict[str, tuple[str, bytearray]] = {}
        self.ranges: list[tuple[int, int]] = []

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client may hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        url, objects = urlsplit(self.path), self.server.objects
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        name = unquote(url.path.removeprefix(self.server.place).removeprefix("/"))
        if url.path == _RANGES:
            self._answer(json.dumps(self.server.ranges).encode())
        elif not url.path.startswith(self.server.place):
            self._answer(b"{}", 404)
        elif not name:
            listing = _listing(self.server, query.get("prefix", ""), query.get("delimiter"))
            self._answer(json.dumps(_page(listing, query.get("pageToken"))).encode())
        elif name in objects and query.get("alt") == "media":
            self._give(objects[name])
        elif name in objects:
            self._answer(json.dumps(_about(name, self.server)).encode())
        else:
            self._answer(b"{}", 404)

    def do_POST(self) -> None:
        """Begin a resumable upload: the answer says where its pieces go."""
        url, query = urlsplit(self.path), parse_qs(urlsplit(self.path).query)
        if url.path != f"/upload{self.server.place}" or query["uploadType"] != ["resumable"]:
            self._answer(b"{}", 404)
            return
        key = str(len(self.server.uploads))
        self.server.uploads[key] = query["name"][0], bytearray()
        at = f"http://127.0.0.1:{self.server.server_port}{url.path}?upload_id={key}"
        self._answer(b"", headers={"Location": at})

    def do_PUT(self) -> None:
        """Take a piece: the last one, which tells the length of all, makes the object."""
        (key,) = parse_qs(urlsplit(self.path).query)["upload_id"]
        name, held = self.server.uploads[key]
        held += self.rfile.read(int(self.headers["Content-Length"]))
        said = _TO.fullmatch(self.headers["Content-Range"])
        if said is None or said[2] == "*":
            self._answer(b"", 308, {"Range": f"bytes=0-{len(held) - 1}"})
            return
        self.server.objects[name] = bytes(held)
        self._answer(json.dumps(_about(name, self.server)).encode())

    def _give(self, data: bytes) -> None:
        """Answer with the bytes that the header Range asks for (RFC 9110, 14.1.2), or all."""
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if asked is None:
            self._answer(data)
            return
        first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
        if first > last:
            self._answer(b"", 416)
            return
        self.server.ranges.append((first, last))
        place = {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
        self._answer(data[first : last + 1], 206, place)

    def _answer(
        self, body: bytes, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _listing(server: _Server, prefix: str, delimiter: str | None) -> dict[str, Any]:
    """Return the objects whose names begin so; those with a delimiter after that as prefixes."""
    items, prefixes = [], set()
    for name in sorted(name for name in server.objects if name.startswith(prefix)):
        folder, found, _ = name.removeprefix(prefix).partition(delimiter or "\0")
        if found:
            prefixes.add(f"{prefix}{folder}{found}")
        else:
            items.append(_about(name, server))
    return {"kind": "storage#objects", "items": items, "prefixes": sorted(prefixes)}


def _page(listing: dict[str, Any], token: str | None) -> dict[str, Any]:
    """Return a few items of a listing from where the last page ended."""
    start, items = int(token or 0), listing["items"]
    page = listing | {"items": items[start : start + _PAGE]}
    if start:
        page["prefixes"] = []
    if start + _PAGE < len(items):
        page["nextPageToken"] = str(start + _PAGE)
    return page


def _about(name: str, server: _Server) -> dict[str, str]:
    return {
        "kind": "storage#object",
        "name": name,
        "bucket": server.bucket,
        "size": str(len(server.objects[name])),
        "generation": "1",
        "metageneration": "1",
        "timeCreated": "2013-01-01T00:00:00Z",
        "updated": "2013-01-01T00:00:00Z",
    }


if __name__ == "__main__":
    fake = _Server(pickle.load(sys.stdin.buffer), sys.argv[1])  # noqa: S301  # from the test itself
    sys.stdout.write(f"{fake.server_port}\n")
    sys.stdout.flush()
    fake.serve_forever()
