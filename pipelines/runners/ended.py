"""How tasks' processes end, as the executor hears of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Ended:
    """A task's process ended; `status` is its exit status, or minus the signal that killed it."""

    task: str
    status: int
    cpu_seconds: float
    peak_memory_bytes: int


@dataclass(frozen=True)
class Lost:
    """A task's server ended, and the task with it."""

    task: str
    cause: str


@dataclass
class Pair:
    """A task and the process beside it, by their names in the servers, and how each ended."""

    task: str
    beside: str
    ended: dict[str, Ended | Lost] = field(default_factory=dict)

    def whole(self) -> Ended | Lost:
        """Return the task's end, with what both used."""
        own, other = self.ended[self.task], self.ended[self.beside]
        if not isinstance(own, Ended) or not isinstance(other, Ended):
            return own
        cpu_seconds = round(own.cpu_seconds + other.cpu_seconds, 3)
        peak = max(own.peak_memory_bytes, other.peak_memory_bytes)
        return replace(own, cpu_seconds=cpu_seconds, peak_memory_bytes=peak)
