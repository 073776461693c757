"""Commands that read a log, and judge its gates, no more often than they need."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from changed_keys import Draft, failed

from components.audit.left_out import left_out
from components.audit.notary import open_notary
from components.audit.storage import PosixStorage
from pipelines.cli import main
from pipelines.cli.doubts import Doubts
from pipelines.home import Home


def calls(function: Callable[..., Any], work: Callable[[], Any]) -> int:
    """Return how often a function is called, or its generator begun or gone on with, by work."""
    profile = cProfile.Profile()
    profile.runcall(work)
    code = function.__code__
    found = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    counted = found.get((code.co_filename, code.co_firstlineno, code.co_name), (0, 0))
    return int(counted[1])


def test_a_trace_judges_the_gates_behind_a_version_once(recorded: Path, capsys: Any) -> None:
    line = ["audit", "trace", "flight-delay@3", "--home", str(recorded)]
    assert main(line) == 0
    judged = ("validate_examples", "evaluate_models", "decide_release", "register_models")
    assert calls(left_out, lambda: main(line)) == len(judged)
    assert "flight-delay" in capsys.readouterr().out


def test_what_speaks_against_an_act_is_found_by_reading_each_entry_once(
    home: Path, draft: Draft
) -> None:
    with open_notary(home) as notary:
        for attempt in range(1, 21):
            notary.submit(failed(draft, attempt))
    entries, checkpoints, newest = 20, 21, 1
    read = calls(PosixStorage.read, lambda: Doubts.of(Home.at(str(home))))
    assert read == entries + checkpoints + newest


@pytest.mark.parametrize("words", ["rotate", "rotate --second", "revoke 63d0"])
def test_a_change_of_keys_beside_a_notary_is_refused_before_the_log_is_read(
    home: Path, draft: Draft, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["audit", "keys", *words.split(), "--reason", "yearly", "--home", str(home)]
    with open_notary(home) as notary:
        notary.submit(failed(draft, 1))
        assert calls(PosixStorage.read, lambda: main(line)) == 0
        assert main(line) == 1
    assert "another notary writes" in capsys.readouterr().err
