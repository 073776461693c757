"""SIGTERM as a wish that training grants between two steps.

Why: a preempted machine gives notice; what was learned until then is to be kept.

Rules: the signal is only noted, so that no step is cut in half; at the end the handler of before
comes back and the signal is raised again, so the process ends as if nothing had held it. Outside
the main thread Python allows no handler, and the signal does what it did before.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class Interruption:
    """A context in which SIGTERM is noted; `received` says whether one came."""

    def __init__(self) -> None:
        self.received = False
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._note) or signal.SIG_DFL
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
        if self.received:
            signal.raise_signal(signal.SIGTERM)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = True
