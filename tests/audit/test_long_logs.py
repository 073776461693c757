"""Verification of a log that is long, or that a notary writes to meanwhile."""

from __future__ import annotations

import gc
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from second_verdict import found_by_second

from components.audit.artifacts import artifact_problems, runs_on_disk
from components.audit.folder import AuditFolder
from components.audit.log import entry_key
from components.audit.notary import open_notary
from components.audit.spool import folder_spool
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify, verify_log
from components.audit.writer_lock import WriterLock
from components.core.artifacts import read_json, write_json
from components.core.canonical import canonical_json

Draft = Callable[..., dict[str, Any]]
CAUSE = {"kind": "DataError", "message": "no rows", "remedy": "look at the source"}


def fill(home: Path, draft: Draft, first: int, end: int) -> None:
    """Record failed attempts of several runs, in the order in which the spool gives them."""
    spool = folder_spool(AuditFolder(home).spool, durable=False)
    for number in range(first, end):
        run = draft("FAIL")["run"] | {"id": f"run-{number // 7}"}
        spool.put(canonical_json(draft("FAIL", run=run, attempt=number % 7 + 1, cause=CAUSE)))
    with open_notary(home):
        pass


def peak_of_verifying(home: Path, records: int) -> int:
    """Return the most bytes that Python held at once, above what it held before.

    What waits for a collection would else count in one and not in the other.
    """
    gc.collect()
    tracemalloc.start()
    try:
        assert verify(home).records == records
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_log_half_as_long_again_takes_no_more_memory(home: Path, draft: Draft) -> None:
    fill(home, draft, 0, 1000)  # names of entries are read by the thousand
    verify(home)
    short = peak_of_verifying(home, 1000)
    fill(home, draft, 1000, 1500)
    assert peak_of_verifying(home, 1500) < short + 100 * 500, "100 bytes for each further record"


def test_what_a_notary_at_work_has_not_signed_yet_is_not_looked_at(
    home: Path, draft: Draft
) -> None:
    fill(home, draft, 0, 3)
    log = AuditFolder(home).log
    (log / entry_key(3)).write_bytes((log / entry_key(2)).read_bytes()[:-9])
    lock = WriterLock(AuditFolder(home))
    try:
        assert verify_log(home) == []
        (log / entry_key(1)).write_bytes(b"{}")
        assert {finding.where for finding in verify_log(home)} == {"entry 1", "checkpoint 3"}
    finally:
        lock.release()
    assert "entry 3" in {finding.where for finding in verify_log(home)}


def test_what_ends_the_reading_hides_nothing_of_the_entries_before_it(
    home: Path, draft: Draft
) -> None:
    fill(home, draft, 0, 10)
    assert verify_log(home) == []
    entries = AuditFolder(home).log / entry_key(0)
    (entries.parent / "notes.txt").write_text("mine")
    third = AuditFolder(home).log / entry_key(3)
    third.write_bytes(third.read_bytes().replace(b'"sig":"', b'"sig":"A'))
    assert [finding.check for finding in verify_log(home)] == ["signature", "log"]
    assert found_by_second(home) == "entries: a gap or a stranger"
    (entries.parent / "notes.txt").unlink()
    assert found_by_second(home).startswith("entry 3: ")


def test_a_stage_that_ends_while_its_log_is_read_is_no_finding(told: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(told, tmp_path / "copy"))
    file = root / "runs/run-1/run.json"
    ended = file.read_bytes()
    value = read_json(file)
    value["tasks"]["seal_run"] = {"state": "RUNNING"}
    write_json(file, value)
    found = runs_on_disk(root / "runs")
    file.write_bytes(ended)
    views = VerifiedLog.of(root / "home").views
    before = [view for view in views if view.stage != "seal_run"]
    for known in (before, views):
        assert list(artifact_problems(found, known, ())) == []
    assert len(list(artifact_problems(runs_on_disk(root / "runs"), before, ()))) == 1
    shutil.rmtree(root / "runs/run-1")
    assert list(artifact_problems(found, views, ())) == [], "it was removed meanwhile"
