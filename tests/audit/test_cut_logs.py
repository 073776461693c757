"""A log cut together with its checkpoints, and one whose newest entries nobody signed for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
