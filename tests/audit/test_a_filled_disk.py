"""A disk that is full, at a real notary: the stage stops, the log is whole, and records go on.

The log lies on a small file system of its own, which the tests mount in a user namespace.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MAY_MOUNT = ("unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt")


def may_mount() -> bool:
    try:
        return subprocess.run(MAY_MOUNT, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What filled_disk.py tells; it is done once."""
    if not may_mount():
        pytest.skip("this machine lets nobody mount a file system in a user namespace")
    home = tmp_path_factory.mktemp("full") / "home"
    search = f"import sys; sys.path[:0] = {[str(ROOT), str(HERE.parent), str(HERE)]}; "
    program = search + "from filled_disk import main; main()"
    command = ["unshare", "-rm", sys.executable, "-c", program, str(home)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def stopped(told: dict[str, Any]) -> list[dict[str, Any]]:
    found = [story for story in told["stories"] if story["error"]]
    assert {story["at_work"] for story in found} == {True, False}
    return found


def test_a_stage_whose_records_have_no_room_stops_with_the_cause_and_what_to_do(
    told: dict[str, Any],
) -> None:
    for story in stopped(told):
        error = story["error"]
        assert (error["kind"], error["exit_code"]) == ("PlatformError", 1)
        assert error["message"].endswith("cannot be written: No space left on device")
        assert error["remedy"].startswith("make room or fix permissions in ")
        assert "/audit/" in error["remedy"]
        assert error["record"] == {}
    places = {story["error"]["message"].partition(" cannot")[0] for story in stopped(told)}
    assert places == {"the spool", "the audit log"}


def test_a_stage_that_has_no_room_for_its_start_does_no_work(told: dict[str, Any]) -> None:
    (story,) = [s for s in told["stories"] if (s["at_work"], s["left"]) == (False, 0)]
    assert story["worked"] is False
    assert story["events"] == [[1, "START"], [1, "COMPLETE"]]


def test_the_log_is_whole_while_the_disk_is_full_and_afterwards(told: dict[str, Any]) -> None:
    assert [story["while_full"] for story in told["stories"]] == [[]] * len(told["stories"])
    assert [story["after"] for story in told["stories"]] == [[]] * len(told["stories"])
    assert told["at_the_end"] == []


def test_records_go_on_where_there_is_room_again(told: dict[str, Any]) -> None:
    assert [story["again"] for story in stopped(told)] == [None] * len(stopped(told))
    for story in told["stories"]:
        done = [event for _, event in story["events"]]
        assert done.count("START") == done.count("COMPLETE") + done.count("ABORT")
        assert done.count("COMPLETE") >= 1


def test_a_disk_with_just_enough_room_stops_nothing(told: dict[str, Any]) -> None:
    most = [story["error"] for story in told["stories"] if story["left"] == 5]
    assert most == [None, None]
