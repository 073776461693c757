"""CPU, wall and GPU time, peak memory and cost of the process that does a stage's work.

Its children count with it.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from typing import Any

from components.core.gpus import GpuMeter, gpu_names
from components.core.prices import chips_held, cost

_KIB = 1024


class Stopwatch:
    """Measures from its creation on; memory is the high-water mark of the process.

    `prices` is a Prices as JSON.
    """

    def __init__(
        self, gpus: GpuMeter | None = None, prices: Mapping[str, Any] | None = None
    ) -> None:
        self._gpus = gpus
        self._prices = prices
        self._wall = time.monotonic()
        self._cpu = _cpu_seconds()

    def read(self) -> dict[str, Any]:
        """Return wall_seconds, cpu_seconds and peak_memory_bytes (getrusage(2)).

        With a meter of GPUs, gpu_seconds too; with prices, cost.
        """
        gpus = {} if self._gpus is None else {"gpu_seconds": round(self._gpus.seconds, 3)}
        times = {
            "wall_seconds": round(time.monotonic() - self._wall, 3),
            "cpu_seconds": round(_cpu_seconds() - self._cpu, 3),
        }
        return {**gpus, **times, **self._cost(times), "peak_memory_bytes": _peak_memory_bytes()}

    def _cost(self, times: Mapping[str, float]) -> dict[str, Any]:
        if self._prices is None:
            return {}
        spent = cost(
            self._prices,
            cpu_seconds=times["cpu_seconds"],
            wall_seconds=times["wall_seconds"],
            gpus=len(gpu_names()),
            chips=chips_held(),
        )
        return {"cost": spent}


def _usages() -> list[resource.struct_rusage]:
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


def _cpu_seconds() -> float:
    return sum(usage.ru_utime + usage.ru_stime for usage in _usages())


def _peak_memory_bytes() -> int:
    """Linux counts ru_maxrss in KiB."""
    return max(usage.ru_maxrss for usage in _usages()) * _KIB
