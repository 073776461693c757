"""CPU, wall and GPU time, peak memory and cost of the process that does a stage's work.

Its children count with it, and what others did for it.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from typing import Any

from components.core.gpus import GpuMeter, gpu_names
from components.core.prices import chips_held, cost

_KIB = 1024


_ELSEWHERE: list[Mapping[str, float]] = []
"""What processes that are not its children took for this one, as `used_by_this_process` said it."""


def used_by_this_process(gpus: GpuMeter | None = None) -> dict[str, float]:
    """Return cpu_seconds and peak_memory_bytes since its start.

    With a meter, gpu_seconds since it was started too, and the gpu_seconds_held of all GPUs.
    """
    own = {"cpu_seconds": _cpu_seconds(), "peak_memory_bytes": _peak_memory_bytes()}
    if gpus is None:
        return own
    held = len(gpu_names()) * (time.monotonic() - gpus.since)
    return {**own, "gpu_seconds": gpus.seconds, "gpu_seconds_held": held}


def count_elsewhere(used: Mapping[str, float]) -> None:
    """Count what a process took, on another machine or beside this one, as this one's."""
    _ELSEWHERE.append(used)


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
        gpus = _gpu_seconds(self._gpus)
        times = {
            "wall_seconds": round(time.monotonic() - self._wall, 3),
            "cpu_seconds": round(_cpu_seconds() - self._cpu, 3),
        }
        return {**gpus, **times, **self._cost(times), "peak_memory_bytes": _peak_memory_bytes()}

    def _cost(self, times: Mapping[str, float]) -> dict[str, Any]:
        if self._prices is None:
            return {}
        held = len(gpu_names()) * times["wall_seconds"]
        spent = cost(
            self._prices,
            cpu_seconds=times["cpu_seconds"],
            wall_seconds=times["wall_seconds"],
            gpu_seconds=held + sum(used.get("gpu_seconds_held", 0.0) for used in _ELSEWHERE),
            chips=chips_held(),
        )
        return {"cost": spent}


def _usages() -> list[resource.struct_rusage]:
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


def _cpu_seconds() -> float:
    here = sum(usage.ru_utime + usage.ru_stime for usage in _usages())
    return here + sum(used["cpu_seconds"] for used in _ELSEWHERE)


def _gpu_seconds(meter: GpuMeter | None) -> dict[str, float]:
    found = [] if meter is None else [meter.seconds]
    found += [used["gpu_seconds"] for used in _ELSEWHERE if "gpu_seconds" in used]
    return {"gpu_seconds": round(sum(found), 3)} if found else {}


def _peak_memory_bytes() -> int:
    """Return the largest of the processes; Linux counts ru_maxrss in KiB."""
    here = max(usage.ru_maxrss for usage in _usages()) * _KIB
    return max([here, *(int(used["peak_memory_bytes"]) for used in _ELSEWHERE)])
