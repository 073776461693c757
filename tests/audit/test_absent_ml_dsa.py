"""A machine whose `cryptography` is older than ML-DSA-44: what it can verify, and what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from changed_keys import SECOND, Draft, failed

from components.audit.notary import open_notary
from components.audit.verify import verify_log
from components.core.errors import PlatformError

pytestmark = pytest.mark.slow

OLDER = '''
import sys

class Older:
    """Finds no module that cryptography 47 does not have."""

    def find_spec(self, name, path=None, target=None):
        if name == "cryptography.hazmat.primitives.asymmetric.mldsa":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Older())
'''
INSTALL = "install cryptography 48 or newer"


@pytest.fixture
def older(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that sees an older cryptography."""
    place = tmp_path / "older"
    place.mkdir()
    (place / "sitecustomize.py").write_text(OLDER)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(place), *sys.path])}


def tandem(older: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipelines.cli", *words]
    return subprocess.run(
        command, env=older, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_log_with_a_second_key_cannot_be_verified_there_and_the_remedy_is_said(
    seconded: Path, older: dict[str, str]
) -> None:
    done = tandem(older, "audit", "verify", "--home", str(seconded))
    assert (done.returncode, done.stdout) == (5, ""), done.stderr
    assert "no ML-DSA-44" in done.stderr
    assert f"remedy: {INSTALL}" in done.stderr
    assert verify_log(seconded) == []


@pytest.mark.parametrize(
    "words",
    [
        ("audit", "verify"),
        ("audit", "keys", "list"),
        ("audit", "gates"),
        ("audit", "trace", "flights@1"),
    ],
    ids=" ".join,
)
def test_no_answer_is_given_there_from_a_log_with_a_second_key(
    seconded: Path, older: dict[str, str], words: tuple[str, ...]
) -> None:
    done = tandem(older, *words, "--home", str(seconded), "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["exit_code"]) == (5, 5)
    assert said["error"]["kind"] == "UnverifiableError"
    assert said["error"]["remedy"] == INSTALL


def test_a_log_without_a_second_key_is_verified_there_and_gets_none(
    home: Path, draft: Draft, older: dict[str, str]
) -> None:
    with open_notary(home) as notary:
        notary.submit(failed(draft, 1))
    assert tandem(older, "audit", "verify", "--home", str(home)).returncode == 0
    rotate = ("audit", "keys", "rotate", "--second", "--reason", "for the long run")
    done = tandem(older, *rotate, "--home", str(home))
    assert done.returncode == PlatformError.exit_code
    assert INSTALL in done.stderr
    assert verify_log(home) == []
    with open_notary(home) as notary:
        assert notary.change_keys(SECOND).index == 1
