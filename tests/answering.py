"""A server of the tests that answers from a thread of its own, as long as a block lasts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseServer
from typing import TypeVar

Server = TypeVar("Server", bound=BaseServer)
POLL_SECONDS = 0.01
"""How long an end may have to wait; the library's half a second is that of every test."""


@contextmanager
def answering(server: Server) -> Iterator[Server]:
    """Serve in a thread; at the end the server is closed and the thread gone."""
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
