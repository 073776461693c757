"""A log cut together with its checkpoints, and one whose newest entries nobody signed for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from second_verdict import found_by_second, second

from components.audit.anchors.anchoring import anchor, compare
from components.audit.folder import AuditFolder
from components.audit.log import checkpoint_key, entry_key
from components.audit.notary import open_notary
from components.audit.sequencer import MAX_BATCH
from components.audit.verify import verify_log
from components.core.errors import IntegrityError
from pipelines.cli import main

Draft = Callable[..., dict[str, Any]]
CAUSE = {"kind": "DataError", "message": "no rows", "remedy": "look"}


def told(home: Path, draft: Draft, count: int) -> Path:
    """Record so many failures, of which none names another; return the log's folder."""
    with open_notary(home) as notary:
        for attempt in range(1, count + 1):
            notary.submit(draft("FAIL", attempt=attempt, cause=CAUSE))
        anchor(home, notary.checkpoint())
    return AuditFolder(home).log


@pytest.mark.parametrize(("unsigned", "found"), [(MAX_BATCH, []), (MAX_BATCH + 1, ["tree"])])
def test_more_entries_without_a_checkpoint_than_a_crash_leaves_are_found(
    home: Path, draft: Draft, unsigned: int, found: list[str]
) -> None:
    size = MAX_BATCH + 3
    log = told(home, draft, size)
    for covered in range(size - unsigned + 1, size + 1):
        (log / checkpoint_key(covered)).unlink()
    assert [finding.check for finding in verify_log(home)] == found
    if found:
        assert found_by_second(home) == "entries without checkpoint"
    else:
        assert "checkpoints verify" in second(home)


def test_entries_that_nobody_signed_for_are_counted_by_every_answer(
    home: Path, draft: Draft, capsys: pytest.CaptureFixture[str]
) -> None:
    log = told(home, draft, 4)
    for size in (3, 4):
        (log / checkpoint_key(size)).unlink()
    place = ("--home", str(home))
    text = "to 2 entries, and 2 entries after these under no checkpoint"
    for words in (("verify",), ("inventory", "--at", "2027-01-01"), ("gates",)):
        assert main(["audit", *words, *place]) == 0
        assert text in capsys.readouterr().out
        assert main(["audit", *words, "--json", *place]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said.get("completeness", said)["unsigned"] == 2
    assert main(["audit", "keys", "list", *place]) == 0
    assert "the log has 2 entries, and 2 entries after" in capsys.readouterr().out


def test_a_change_of_keys_cut_with_its_checkpoint_is_seen_by_the_anchor(
    home: Path, draft: Draft
) -> None:
    log = told(home, draft, 2)
    assert main(["audit", "keys", "rotate", "--reason", "yearly", "--home", str(home)]) == 0
    assert main(["audit", "monitor", "--home", str(home)]) == 0
    (log / entry_key(2)).unlink()
    (log / checkpoint_key(3)).unlink()
    assert verify_log(home) == []
    (trouble,) = compare(home).trouble
    assert trouble.message == "the log had 3 entries and has 2"


@pytest.mark.parametrize("kept", [1, 3])
def test_a_tail_cut_with_its_checkpoints_verifies_by_itself_and_not_by_its_anchor(
    home: Path, draft: Draft, kept: int
) -> None:
    log = told(home, draft, 4)
    assert compare(home).trouble == ()
    assert main(["audit", "monitor", "--home", str(home)]) == 0
    for size in range(kept + 1, 5):
        (log / entry_key(size - 1)).unlink()
        (log / checkpoint_key(size)).unlink()
    assert verify_log(home) == []
    (trouble,) = compare(home).trouble
    assert trouble.message == f"the log had 4 entries and has {kept}"
    assert main(["audit", "monitor", "--home", str(home)]) == 1


@pytest.mark.parametrize("copied", [0, 2])
def test_a_copy_of_a_record_behind_the_last_checkpoint_is_not_signed_for(
    home: Path, draft: Draft, copied: int
) -> None:
    log = told(home, draft, 4)
    record = (log / entry_key(copied)).read_bytes()
    (log / entry_key(4)).write_bytes(record)
    with pytest.raises(IntegrityError, match=f"entry 4 is a copy of entry {copied}"):
        open_notary(home).__enter__()
    assert not (log / checkpoint_key(5)).exists()
    (log / entry_key(4)).unlink()
    with open_notary(home) as notary:
        notary.submit(draft("FAIL", attempt=5, cause=CAUSE))
    assert verify_log(home) == []
