"""The device that is asked for is the one that trains, or nothing does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
DEVICES = ("cuda", "tpu", "auto", "cpu")
# A process for each framework: what TensorFlow sees is settled at its first use, which a device
# that is refused must not be.
SCRIPT = """
import json, sys
from components.core.errors import SettingsError
from components.core.training_settings import Train
framework, *devices = sys.argv[1:]
if framework == "pytorch":
    from components.train_pytorch import training
else:
    from components.train_tensorflow import training
said = {}
for device in devices:
    try:
        training.fix_machine(Train(device=device))
    except SettingsError as error:
        said[device] = [error.message, error.remedy]
    else:
        said[device] = ["ready"]
print(json.dumps(said))
"""


@pytest.fixture(scope="module", params=["pytorch", "tensorflow"])
def fixed(request: pytest.FixtureRequest) -> dict[str, list[str]]:
    """Fix a machine without GPUs for each device in turn; return what was said of each."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "CUDA_VISIBLE_DEVICES": "",
        "KERAS_BACKEND": "tensorflow",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, request.param, *DEVICES],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    said: dict[str, list[str]] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_the_cpu_is_taken_where_it_is_asked_for_or_alone(
    fixed: dict[str, list[str]], device: str
) -> None:
    assert fixed[device] == ["ready"]


@pytest.mark.parametrize("device", ["cuda", "tpu"])
def test_a_device_that_is_absent_is_refused_with_the_reason(
    fixed: dict[str, list[str]], device: str
) -> None:
    message, remedy = fixed[device]
    assert message.startswith(f"train.device is {device}, and ")
    assert "train.device=auto" in remedy
