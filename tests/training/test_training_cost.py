"""What a training took, as its artifact says it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from components.core.artifacts import read_json
from components.core.resources import Stopwatch
from components.training.cost import write_cost
from components.training.fit import Fit


@pytest.mark.parametrize("resumed", [None, 40])
def test_the_cost_says_the_seconds_the_device_and_whether_it_is_whole(
    tmp_path: Path, resumed: int | None
) -> None:
    watch = Stopwatch()
    started = time.process_time()
    while time.process_time() - started < 0.05:
        pass
    done = Fit((10,), (0.5,), 3, 1, device="cuda: H100", resumed_from_step=resumed)
    write_cost(tmp_path, "pytorch", watch, done)
    value = read_json(tmp_path / "training.json")
    assert value["cpu_seconds"] >= 0.05
    assert value["wall_seconds"] >= 0.05
    assert {name: value[name] for name in ("version", "framework", "device")} == {
        "version": 1,
        "framework": "pytorch",
        "device": "cuda: H100",
    }
    assert value["resumed_from_step"] == resumed
