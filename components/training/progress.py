"""What training says of itself in the task's log, about one line a second at most.

Rules: nothing here changes what is trained; speeds and times are of this process, so after a
resume they count from there. The last epoch always has its line.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

log = logging.getLogger(__name__)
SECONDS_BETWEEN = 1.0


@dataclass
class Progress:
    """The clock and the counts of one training; `first_step` is where this process began."""

    epochs: int
    steps: int
    first_step: int = 0
    measure: str = "accuracy"
    rows: int = 0
    _started: float = field(default_factory=time.monotonic)
    _told: float = field(default_factory=time.monotonic)

    def step(self, epoch: int, step: int, loss: float, rows: int) -> None:
        """Count a step's rows; tell of it where a line is due."""
        self.rows += rows
        if self._is_due():
            self._tell(f"epoch {epoch} of {self.epochs}, step {step}: loss {loss:.5f}", step)

    def epoch(
        self, epoch: int, step: int, loss: float, validated: tuple[float, float] | None
    ) -> None:
        """Tell of an epoch where a line is due, and of the last; `validated`: loss, measure."""
        if self._is_due() or epoch == self.epochs:
            measured = ""
            if validated is not None:
                loss_of_rows, measure = validated
                shown = f"{measure:.4f}" if self.measure == "accuracy" else f"{measure:.6g}"
                measured = f", validation loss {loss_of_rows:.5f}, {self.measure} {shown}"
            self._tell(f"epoch {epoch} of {self.epochs} done: loss {loss:.5f}{measured}", step)

    def _is_due(self) -> bool:
        return time.monotonic() - self._told >= SECONDS_BETWEEN

    def _tell(self, what: str, step: int) -> None:
        now = time.monotonic()
        seconds = max(now - self._started, 1e-9)
        left = (self.steps - step) * seconds / max(1, step - self.first_step)
        log.info("%s, %.0f examples/s, %.0f s left", what, self.rows / seconds, left)
        self._told = now
