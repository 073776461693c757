"""The device that is asked for is the one that trains, or nothing does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
FRAMEWORKS = ("pytorch", "tensorflow")
# A process each: what TensorFlow sees is settled at its first use.
SCRIPT = """
import sys
from components.core.errors import SettingsError
from components.core.training_settings import Train
framework, device = sys.argv[1:]
if framework == "pytorch":
    from components.train_pytorch import training
else:
    from components.train_tensorflow import training
try:
    training.fix_machine(Train(device=device))
except SettingsError as error:
    print(error.message, error.remedy, sep="\\n")
else:
    print("ready")
"""


def fixed(framework: str, device: str) -> str:
    """Fix the machine on one without GPUs; return what was said."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "CUDA_VISIBLE_DEVICES": "",
        "KERAS_BACKEND": "tensorflow",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, framework, device],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_the_cpu_is_taken_where_it_is_asked_for_or_alone(framework: str, device: str) -> None:
    assert fixed(framework, device) == "ready"


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("device", ["cuda", "tpu"])
def test_a_device_that_is_absent_is_refused_with_the_reason(framework: str, device: str) -> None:
    message, remedy = fixed(framework, device).splitlines()
    assert message.startswith(f"train.device is {device}, and ")
    assert "train.device=auto" in remedy
