"""A proxy on the loopback that passes bytes on, and breaks every connection when it is told to.

It is a process of its own: pyarrow may wait for an answer while no Python of its process runs.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

_PIECE = 65_536


@dataclass(frozen=True)
class Proxy:
    """What stands between a client and a server, and how it is told to break."""

    address: str
    process: subprocess.Popen[str]

    def break_after(self, count: int) -> None:
        """Let no more than so many bytes come to the clients from now on."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(count, file=self.process.stdin, flush=True)
        assert int(self.process.stdout.readline()) == count


@contextmanager
def breaking(server: str) -> Iterator[Proxy]:
    """Give a proxy before a server's address."""
    command = [sys.executable, __file__, server]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield Proxy(f"http://127.0.0.1:{int(process.stdout.readline())}", process)
        finally:
            process.kill()


class _Passing:
    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self._server = (parts.hostname, parts.port)
        self.left: int | None = None
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._server)
                for pump in (self._to_server, self._to_client):
                    threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(_PIECE):
                server.sendall(data)
        _end(client, server)

    def _to_client(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(_PIECE):
                if self.left is not None:
                    data = data[: self.left]
                    self.left -= len(data)
                client.sendall(data)
                if self.left == 0:
                    break
        _end(client, server)


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    passing = _Passing(sys.argv[1])
    _say(passing.port)
    for line in sys.stdin:
        passing.left = int(line)
        _say(passing.left)
