"""Ports of this machine that are kept for processes, which take seconds until they listen.

Rules: a socket that is bound keeps its port from everybody for whom the kernel chooses one, as a
server's or as a connection's own. While it does not listen, and both have SO_REUSEADDR, the process
that was told the port binds it beside it, and listens (socket(7); gRPC, libuv and torch set it).
"""

from __future__ import annotations

import socket


def held_ports(count: int) -> list[socket.socket]:
    """Return sockets of the loopback address that keep a port each until they are closed."""
    return [_held() for _ in range(count)]


def number_of(held: socket.socket) -> int:
    """Return the port that a socket keeps."""
    return int(held.getsockname()[1])


def _held() -> socket.socket:
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind(("127.0.0.1", 0))
    return found
