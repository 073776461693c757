"""A training that was stopped or killed goes on to the weights of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
ROOT = Path(__file__).parents[2]
FRAMEWORKS = ("pytorch", "tensorflow")


def start(framework: str, features: Path, folder: Path, *hold: object) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("held_training.py")
    command = [sys.executable, script, framework, features, folder, *hold]
    return subprocess.Popen(
        list(map(str, command)),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(framework: str, features: Path, folder: Path) -> list[str]:
    """Train to the end; return the step gone on from, the weights' digest, the kept epoch."""
    with start(framework, features, folder) as process:
        assert process.stdout is not None
        words = process.stdout.read().split()
    assert process.returncode == 0
    return words


def interrupt(
    framework: str, features: Path, folder: Path, place: Path, number: signal.Signals
) -> int:
    """Send a signal in the middle of the 15th of 24 steps; return the exit status."""
    place.mkdir()
    for name in ("held", "go"):
        os.mkfifo(place / name)
    with start(framework, features, folder, 15, place) as process:
        (place / "held").read_text()
        process.send_signal(number)
        if number is not signal.SIGKILL:
            (place / "go").write_text("go on")
    return process.returncode


@pytest.fixture(scope="module", params=FRAMEWORKS)
def whole(
    request: pytest.FixtureRequest, small_features: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[str]]:
    """A framework, and what its uninterrupted training ends with."""
    folder = tmp_path_factory.mktemp("whole") / "key"
    return request.param, finish(request.param, small_features, folder)


@pytest.mark.parametrize(
    ("number", "step"), [(signal.SIGTERM, "15"), (signal.SIGKILL, "12")], ids=["SIGTERM", "SIGKILL"]
)
def test_an_interrupted_training_ends_with_the_weights_of_one_that_was_not(
    whole: tuple[str, list[str]],
    small_features: Path,
    tmp_path: Path,
    number: signal.Signals,
    step: str,
) -> None:
    framework, expected = whole
    folder = tmp_path / "key"
    assert interrupt(framework, small_features, folder, tmp_path / "place", number) == -number
    assert len(list(folder.iterdir())) == 2
    assert expected[0] == "None"
    assert finish(framework, small_features, folder) == [step, *expected[1:]]


def test_a_checkpoint_cut_in_half_is_skipped_for_the_one_before_it(
    whole: tuple[str, list[str]], small_features: Path, tmp_path: Path
) -> None:
    framework, expected = whole
    folder = tmp_path / "key"
    interrupt(framework, small_features, folder, tmp_path / "place", signal.SIGTERM)
    last = max(folder.iterdir())
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    assert finish(framework, small_features, folder) == ["12", *expected[1:]]
