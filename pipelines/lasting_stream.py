"""Output streams that outlast their reader: `tandem run ... | head -1` still runs to its end.

Rules: after the first error of a kind that is forgiven, nothing more is written and nobody is
told; the descriptor then leads to /dev/null, so that the interpreter's last flush is quiet too;
errors of other kinds are raised. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast


def lasting(stream: TextIO, forgiven: type[OSError] = OSError) -> TextIO:
    """Return the stream, which goes silent where writing raises a forgiven error."""
    return cast(TextIO, _LastingStream(stream, forgiven))


@contextlib.contextmanager
def lasting_output(forgiven: type[OSError] = OSError) -> Iterator[None]:
    """Make this process's standard output and error lasting; flush both at the end."""
    out, err = lasting(sys.stdout, forgiven), lasting(sys.stderr, forgiven)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # what is not forgiven the interpreter will tell
                out.flush()
                err.flush()


class _LastingStream:
    """Writes to a stream until that fails; everything else is the stream's own."""

    def __init__(self, stream: TextIO, forgiven: type[OSError]) -> None:
        self._stream = stream
        self._forgiven = forgiven
        self._silent = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or do nothing once that has failed."""
        with self._forgiving():
            if not self._silent:
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or do nothing once that has failed."""
        with self._forgiving():
            if not self._silent:
                self._stream.flush()

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except self._forgiven:
            self._silent = True
            _lead_to_nothing(self._stream)


def _lead_to_nothing(stream: TextIO) -> None:
    """Replace the stream's descriptor, where it has one, by one of /dev/null."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, stream.fileno())
        finally:
            os.close(null)
