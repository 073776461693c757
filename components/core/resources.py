"""CPU, wall and GPU time and peak memory of the process that does a stage's work, with children."""

from __future__ import annotations

import resource
import time

from components.core.gpus import GpuMeter

_KIB = 1024


class Stopwatch:
    """Measures from its creation on; memory is the high-water mark of the process."""

    def __init__(self, gpus: GpuMeter | None = None) -> None:
        self._gpus = gpus
        self._wall = time.monotonic()
        self._cpu = _cpu_seconds()

    def read(self) -> dict[str, float | int]:
        """Return wall_seconds, cpu_seconds and peak_memory_bytes (getrusage(2)).

        With a meter of GPUs, gpu_seconds too.
        """
        gpus = {} if self._gpus is None else {"gpu_seconds": round(self._gpus.seconds, 3)}
        return {
            **gpus,
            "wall_seconds": round(time.monotonic() - self._wall, 3),
            "cpu_seconds": round(_cpu_seconds() - self._cpu, 3),
            "peak_memory_bytes": _peak_memory_bytes(),
        }


def _usages() -> list[resource.struct_rusage]:
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


def _cpu_seconds() -> float:
    return sum(usage.ru_utime + usage.ru_stime for usage in _usages())


def _peak_memory_bytes() -> int:
    """Linux counts ru_maxrss in KiB."""
    return max(usage.ru_maxrss for usage in _usages()) * _KIB
