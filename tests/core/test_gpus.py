"""GPU seconds: what is counted, and how the management library is asked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from components.core import gpus
from components.core.gpus import GpuMeter, NvmlGpus, gpu_names, started_meter
from components.core.resources import Stopwatch

# The functions of nvml.h that are called, of two GPUs, the second of which is half busy.
LIBRARY = """
#include <stdio.h>
typedef struct { unsigned gpu, memory; } utilization;
int nvmlInit_v2(void) { return ANSWER; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    *handle = (void *)(unsigned long)(index + 1);
    return 0;
}
int nvmlDeviceGetName(void *handle, char *name, unsigned length) {
    return snprintf(name, length, "GPU of kind %lu", (unsigned long)handle) < 0;
}
int nvmlDeviceGetUtilizationRates(void *handle, utilization *found) {
    found->gpu = (unsigned long)handle == 1 ? 100 : 50;
    found->memory = 7;
    return 0;
}
"""


class Busy:
    """GPUs that are as busy as they are told to be."""

    def __init__(self, *shares: float) -> None:
        self.shares = list(shares)

    def busy(self) -> list[float]:
        return self.shares


def library(folder: Path, answer: int = 0) -> str:
    source, target = folder / "nvml.c", folder / f"libnvidia-ml-{answer}.so"
    source.write_text(LIBRARY.replace("ANSWER", str(answer)))
    command = ["gcc", "-shared", "-fPIC", "-o", str(target), str(source)]
    subprocess.run(command, check=True)
    return str(target)


def test_a_gpu_second_is_a_second_in_which_a_gpu_was_busy() -> None:
    gpus_of_test = Busy(0.5, 1.0)
    meter = GpuMeter(gpus_of_test)
    meter.look(10.0)
    assert meter.seconds == 0.0
    meter.look(12.0)
    assert meter.seconds == 3.0
    gpus_of_test.shares = [0.0, 0.0]
    meter.look(100.0)
    assert meter.seconds == 3.0


def test_what_a_stage_took_names_gpu_seconds_only_where_there_is_a_gpu() -> None:
    meter = GpuMeter(Busy(1.0))
    meter.look(1.0)
    meter.look(3.5)
    assert Stopwatch(meter).read()["gpu_seconds"] == 2.5
    assert "gpu_seconds" not in Stopwatch().read()


@pytest.mark.parametrize(
    ("visible", "busy"),
    [
        (None, [1.0, 0.5]),
        ("1", [0.5]),
        ("1,0", [0.5, 1.0]),
        ("", []),
        ("-1", []),
        ("GPU-8932f937", [1.0, 0.5]),
        ("7", []),
    ],
)
def test_the_visible_gpus_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str | None, busy: list[float]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = NvmlGpus.by(library(tmp_path))
    assert found.busy() == busy
    assert found.names() == tuple(f"GPU of kind {1 if share == 1.0 else 2}" for share in busy)


def test_a_library_that_does_not_answer_gives_no_meter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "DRIVER", tmp_path)
    monkeypatch.setattr(gpus, "LIBRARY", library(tmp_path, 9))
    assert started_meter() is None
    monkeypatch.setattr(gpus, "LIBRARY", str(tmp_path / "absent.so"))
    assert started_meter() is None
    monkeypatch.setattr(gpus, "LIBRARY", library(tmp_path))
    assert started_meter() is not None
    assert gpu_names() == ("GPU of kind 1", "GPU of kind 2")
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "absent")
    assert started_meter() is None
    assert gpu_names() == ()
