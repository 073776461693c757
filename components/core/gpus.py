"""Which GPUs a stage has and how long they were busy, by NVIDIA's management library.

Rules: where there is no NVIDIA driver nothing is loaded and nothing is said; a GPU second is one
second in which one visible GPU had a kernel running (nvmlDeviceGetUtilizationRates), so that what
runs on the same GPU beside a stage counts too, and a GPU that is held and idle does not; visible is
what CUDA_VISIBLE_DEVICES leaves of them, by number. A library that fails ends the count: what was
counted by then is what is said, because a stage must not fail over its own measurement.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

DRIVER = Path("/dev/nvidiactl")
LIBRARY = "libnvidia-ml.so.1"
VISIBLE_VARIABLE = "CUDA_VISIBLE_DEVICES"
PERIOD_SECONDS = 0.25
"""NVML averages over a sixth of a second to a second."""
_NAME_BYTES = 96
"""NVML_DEVICE_NAME_V2_BUFFER_SIZE."""


class Gpus(Protocol):
    """GPUs that can be asked how busy they are."""

    def busy(self) -> list[float]:
        """Return the share of the last moment that each was busy, 0 to 1; OSError if not known."""


class GpuMeter:
    """Adds up the GPU seconds of some GPUs between two looks."""

    def __init__(self, gpus: Gpus) -> None:
        self._gpus = gpus
        self._last: float | None = None
        self.since = time.monotonic()
        self.seconds = 0.0

    def look(self, now: float) -> None:
        """Count the time since the last look; `now` is in seconds of a clock that only goes on."""
        busy = sum(self._gpus.busy())
        if self._last is not None:
            self.seconds += busy * (now - self._last)
        self._last = now


def started_meter() -> GpuMeter | None:
    """Return a meter that looks by itself while this process lives; None where there is no GPU."""
    gpus = _found()
    if gpus is None or not gpus.handles:
        return None
    meter = GpuMeter(gpus)
    threading.Thread(target=_watch, args=(meter,), daemon=True).start()
    return meter


def gpu_names() -> tuple[str, ...]:
    """Return the names of the visible GPUs, as far as the library tells them."""
    gpus = _found()
    try:
        return gpus.names() if gpus else ()
    except OSError:
        return ()


def _found() -> NvmlGpus | None:
    """Return the GPUs of this machine; None where there is no driver or it does not answer."""
    try:
        return NvmlGpus.by(LIBRARY) if DRIVER.exists() else None
    except OSError:
        return None


def _watch(meter: GpuMeter) -> None:
    while True:
        try:
            meter.look(time.monotonic())
        except OSError:
            return
        time.sleep(PERIOD_SECONDS)


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


@dataclass(frozen=True)
class NvmlGpus:
    """The visible GPUs by libnvidia-ml."""

    handles: tuple[ctypes.c_void_p, ...]
    library: Any

    @classmethod
    def by(cls, library: str) -> NvmlGpus:
        """Load the library; OSError where it does not load or does not answer."""
        loaded = ctypes.CDLL(library)
        _ask(loaded.nvmlInit_v2)
        count = ctypes.c_uint()
        _ask(loaded.nvmlDeviceGetCount_v2, ctypes.byref(count))
        handles = []
        for index in _visible(count.value):
            handle = ctypes.c_void_p()
            _ask(loaded.nvmlDeviceGetHandleByIndex_v2, ctypes.c_uint(index), ctypes.byref(handle))
            handles.append(handle)
        return cls(tuple(handles), loaded)

    def names(self) -> tuple[str, ...]:
        """Return the name of each, as its maker calls it."""
        found = []
        for handle in self.handles:
            name = ctypes.create_string_buffer(_NAME_BYTES)
            _ask(self.library.nvmlDeviceGetName, handle, name, ctypes.c_uint(_NAME_BYTES))
            found.append(name.value.decode("ascii", "replace"))
        return tuple(found)

    def busy(self) -> list[float]:
        """Return the share of the last moment that each was busy."""
        shares = []
        for handle in self.handles:
            found = _Utilization()
            _ask(self.library.nvmlDeviceGetUtilizationRates, handle, ctypes.byref(found))
            shares.append(found.gpu / 100)
        return shares


def _ask(function: Any, *arguments: object) -> None:
    if code := function(*arguments):
        raise OSError(f"NVML answered {code}")


def _visible(count: int) -> list[int]:
    """Return the numbers of the GPUs that CUDA may use; all where it names them otherwise."""
    named = os.environ.get(VISIBLE_VARIABLE)
    words = [] if named is None else [word.strip() for word in named.split(",")]
    if named is None or not all(word.lstrip("-").isdigit() for word in words if word):
        return list(range(count))
    numbers = [int(word) for word in words if word]
    return [number for number in dict.fromkeys(numbers) if 0 <= number < count]
