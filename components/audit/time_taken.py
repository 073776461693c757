"""How long a run waits for its audit trail, as lines of the log, which `make bench` adds up.

Rules: what a stage waits for are its requests, a line each; in the process of a command, requests
are part of what the other lines say. Only the standard library is imported, because every stage
does this.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

_LOG = logging.getLogger(__name__)


@contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Write into the log how long the work inside took, however it ends."""
    started = time.monotonic()
    try:
        yield
    finally:
        _LOG.info("audit: %s took %.3f s", what, time.monotonic() - started)
