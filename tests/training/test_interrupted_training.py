"""A training that was stopped or killed goes on to the weights of one that was not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
ROOT = Path(__file__).parents[2]
FRAMEWORKS = ("pytorch", "tensorflow")
# Each way to interrupt, and the step that a training goes on from after it.
STEPS = {"whole": "None", "SIGTERM": "15", "SIGKILL": "12", "cut in half": "12"}


def start(framework: str, features: Path, *words: object) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("held_training.py")
    command = [sys.executable, script, framework, features, *words]
    return subprocess.Popen(
        list(map(str, command)),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def interrupt(framework: str, features: Path, folder: Path, number: signal.Signals) -> None:
    """Send a signal in the middle of the 15th of 24 steps; two checkpoints are left."""
    place = folder.with_name("place")
    place.mkdir(parents=True)
    for name in ("held", "go"):
        os.mkfifo(place / name)
    with start(framework, features, folder, "--hold", 15, place) as process:
        (place / "held").read_text()
        process.send_signal(number)
        if number is not signal.SIGKILL:
            (place / "go").write_text("go on")
    assert process.returncode == -number
    assert len(list(folder.iterdir())) == 2


def cut_in_half(whole: Path, folder: Path) -> None:
    """Copy checkpoints, the last of them cut."""
    shutil.copytree(whole, folder)
    last = max(folder.iterdir())
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])


@pytest.fixture(scope="module", params=FRAMEWORKS)
def ends(
    request: pytest.FixtureRequest, small_features: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[str]]:
    """Return, by how it was interrupted, the step gone on from, the weights, the kept epoch.

    A new process trains to the end from each, for starting one takes longer than its training.
    """
    given = request.param, small_features
    base = tmp_path_factory.mktemp("interrupted")
    folders = {name: base / name / "key" for name in STEPS}
    for number in (signal.SIGTERM, signal.SIGKILL):
        interrupt(*given, folders[number.name], number)
    cut_in_half(folders["SIGTERM"], folders["cut in half"])
    with start(*given, *folders.values()) as process:
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
    assert process.returncode == 0
    return {name: line.split() for name, line in zip(STEPS, lines, strict=True)}


@pytest.mark.parametrize("number", ["SIGTERM", "SIGKILL"])
def test_an_interrupted_training_ends_with_the_weights_of_one_that_was_not(
    ends: dict[str, list[str]], number: str
) -> None:
    assert ends["whole"][0] == STEPS["whole"]
    assert ends[number] == [STEPS[number], *ends["whole"][1:]]


def test_a_checkpoint_cut_in_half_is_skipped_for_the_one_before_it(
    ends: dict[str, list[str]],
) -> None:
    assert ends["cut in half"] == [STEPS["cut in half"], *ends["whole"][1:]]
