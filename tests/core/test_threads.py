"""Threads follow the cores that a process may use, whatever the machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.core.threads import VARIABLE, allowed_threads, as_variables, usable_cores

ALL = len(os.sched_getaffinity(0))
PROGRAM = "import pyarrow, numpy; print(pyarrow.cpu_count())"


def group(root: Path, **quotas: str) -> Path:
    """Write the files of control groups (cgroup-v2.rst), and that of a process in the inner one."""
    folder = root / "kubepods" / "pod"
    folder.mkdir(parents=True)
    for name, quota in quotas.items():
        place = {"machine": root, "pods": folder.parent, "pod": folder}[name]
        (place / "cpu.max").write_text(f"{quota}\n")
    own = root / "own"
    own.write_text("1:name=systemd:/\n0::/kubepods/pod\n")
    return own


@pytest.mark.parametrize(
    ("quotas", "cores"),
    [
        ({}, ALL),
        ({"pod": "max 100000"}, ALL),
        ({"pod": "100000 100000"}, 1),
        ({"pod": "20000 100000"}, 1),
        ({"pods": "100000 100000", "pod": "max 100000"}, 1),
        ({"machine": "100000 100000"}, 1),
        ({"pod": "6400000 100000"}, ALL),
        ({"pod": "150000 100000"}, min(2, ALL)),
        ({"pod": "nonsense"}, ALL),
    ],
)
def test_the_cores_are_those_of_the_quota_of_the_group_or_of_one_above(
    tmp_path: Path, quotas: dict[str, str], cores: int
) -> None:
    assert usable_cores(tmp_path, group(tmp_path, **quotas)) == cores


def test_a_group_outside_of_what_is_mounted_is_not_asked(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/../../elsewhere\n")
    (tmp_path / "cpu.max").write_text("max 100000")
    assert usable_cores(tmp_path, own) == ALL
    assert usable_cores(tmp_path, tmp_path / "nothing") == ALL


@pytest.mark.parametrize(("said", "threads"), [("7", 7), ("0", ALL), ("", ALL), ("many", ALL)])
def test_what_the_starter_says_counts(
    monkeypatch: pytest.MonkeyPatch, said: str, threads: int
) -> None:
    monkeypatch.setenv(VARIABLE, said)
    assert allowed_threads() == threads


def test_one_core_of_the_affinity_is_one_thread() -> None:
    done = subprocess.run(
        ["taskset", "--cpu-list", "0", sys.executable, "-c",
         "from components.core.threads import usable_cores; print(usable_cores())"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "1"


def test_a_library_takes_as_many_as_it_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | as_variables(3),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "3"
