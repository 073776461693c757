"""SIGINT and SIGTERM as news for the executor's loop, and how running tasks are ended.

Rules: the first signal ends the tasks with SIGTERM, a second one or the end of a grace period with
SIGKILL; the exit task, which runs after that, is left alone by what came before, and by a first
signal; the handlers that were there before come back at the end; outside the main thread Python
allows no handlers, and the run cannot be stopped that way.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """The stop signals received so far; `wake` becomes readable when one arrives."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self.wake, self._writer = socket.socketpair()
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1

    def __enter__(self) -> Self:
        self.wake.setblocking(False)
        self._writer.setblocking(False)
        if threading.current_thread() is threading.main_thread():
            self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno())
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._before:
            signal.set_wakeup_fd(self._wakeup_before)
        self.wake.close()
        self._writer.close()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received.append(number)

    @property
    def first(self) -> str:
        """Return the first signal's name; "" where none came."""
        return signal.Signals(self.received[0]).name if self.received else ""


@dataclass
class Ending:
    """How one group of tasks is ended; `patience` is the number of signals that it takes."""

    signals: StopSignals
    send: Callable[[str, int], None]
    grace_seconds: float
    patience: int = 1
    kill_at: float | None = None
    has_begun: bool = False

    @property
    def is_due(self) -> bool:
        """Say whether the tasks are to be ended now."""
        return len(self.signals.received) >= self.patience

    def press(self, running: Iterable[str]) -> None:
        """Send the tasks the signal that is due, if one is."""
        now = time.monotonic()
        if not self.has_begun:
            self.has_begun = True
            self.kill_at = now + self.grace_seconds
            self._send_all(running, signal.SIGTERM)
        impatient = len(self.signals.received) > self.patience
        if self.kill_at is not None and (impatient or now >= self.kill_at):
            self.kill_at = None
            self._send_all(running, signal.SIGKILL)

    def _send_all(self, running: Iterable[str], number: int) -> None:
        for task in running:
            self.send(task, number)
