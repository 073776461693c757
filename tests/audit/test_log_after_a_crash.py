"""kill -9 at every point where the sequencer touches the disk, and a full disk."""

from __future__ import annotations

import errno
import itertools
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.audit.client import Notary
from components.audit.folder import AuditFolder
from components.audit.keys import open_key
from components.audit.log import Log
from components.audit.notary import LocalNotary, open_notary, utc_now
from components.audit.process import NotaryProcess
from components.audit.sequencer import WriterLock
from components.audit.storage import ObjectExists, PosixStorage, create_file
from components.audit.verify import verify_log
from components.core.errors import IntegrityError, PlatformError, UnverifiableError

FORK = multiprocessing.get_context("fork")
POINTS = ("before", "half-written", "written", "linked", "after")
# Creations: checkpoint 0, then for each of three records its entry and its checkpoint.
CREATIONS = 7
Draft = Callable[..., dict[str, Any]]


class KillingStorage(PosixStorage):
    """Kills its process with signal 9 at one point of one creation."""

    def __init__(self, folder: Path, creation: int, point: str) -> None:
        super().__init__(folder)
        object.__setattr__(self, "_left", itertools.count(creation, -1))
        object.__setattr__(self, "_point", point)

    def create(self, key: str, data: bytes) -> None:
        if next(self._left) != 0:  # type: ignore[attr-defined]
            super().create(key, data)
            return
        point: str = self._point  # type: ignore[attr-defined]
        unfinished = self.folder / "unfinished" / f".{Path(key).name}.killed"
        if point == "half-written":
            create_file(unfinished, data[: len(data) // 2], mode=0o644)
        elif point == "written":
            create_file(unfinished, data, mode=0o644)
        elif point == "linked":
            create_file(unfinished, data, mode=0o644)
            (self.folder / key).parent.mkdir(parents=True, exist_ok=True)
            os.link(unfinished, self.folder / key)
        elif point == "after":
            super().create(key, data)
        os.kill(os.getpid(), signal.SIGKILL)


def three(draft: Draft) -> list[dict[str, Any]]:
    cause = {"kind": "DataError", "message": "no rows", "remedy": "look"}
    return [draft("FAIL", attempt=i, cause=cause) for i in (1, 2, 3)]


def submit_all(home: Path, storage: PosixStorage, drafts: list[dict[str, Any]]) -> None:
    with WriterLock(AuditFolder(home)):
        notary = LocalNotary(storage, open_key(AuditFolder(home)), utc_now)
        for draft in drafts:
            notary.submit(draft)


@pytest.mark.parametrize("creation", range(CREATIONS))
@pytest.mark.parametrize("point", POINTS)
def test_a_notary_killed_at_any_point_leaves_a_log_that_verifies_and_goes_on(
    home: Path, draft: Draft, creation: int, point: str
) -> None:
    storage = KillingStorage(AuditFolder(home).log, creation, point)
    child = FORK.Process(target=submit_all, args=(home, storage, three(draft)))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    if creation == 0 and point not in ("linked", "after"):
        with pytest.raises(UnverifiableError):
            verify_log(home)
    else:
        assert verify_log(home) == []
    with open_notary(home):
        log = Log(storage)
        assert max(log.sizes()) == len(list(log.indexes()))
    with open_notary(home) as notary:
        for value in three(draft):
            notary.submit(value)
        assert [view.attempt for view in notary.records("run-1")] == [1, 2, 3]
    assert verify_log(home) == []
    assert list((AuditFolder(home).log / "unfinished").iterdir()) == []


def test_a_notary_killed_at_work_loses_nothing_that_it_acknowledged(
    home: Path, draft: Draft
) -> None:
    cause = {"kind": "DataError", "message": "no rows", "remedy": "look"}
    process = NotaryProcess(home)
    receipts = []
    with process:
        notary = Notary(process.address)
        for attempt in range(1, 6):
            receipts.append(notary.submit(draft("FAIL", attempt=attempt, cause=cause)))
        killer = FORK.Process(target=kill_soon, args=(process.pid,))
        killer.start()
        with pytest.raises(PlatformError, match="does not answer"):
            for attempt in range(6, 2000):
                receipts.append(notary.submit(draft("FAIL", attempt=attempt, cause=cause)))
        killer.join()
    assert verify_log(home) == []
    with open_notary(home) as again:
        kept = [view.record for view in again.records("run-1")]
        assert [receipt.record for receipt in receipts] == kept[: len(receipts)]
        assert len(kept) <= len(receipts) + 1
    assert verify_log(home) == []


def kill_soon(pid: int) -> None:
    time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)


class FullStorage(PosixStorage):
    """Refuses creations whose key starts with `full`, as a full disk does."""

    full = "nothing"

    def create(self, key: str, data: bytes) -> None:
        if key.startswith(type(self).full):
            raise PlatformError(os.strerror(errno.ENOSPC), remedy="make room")
        super().create(key, data)


@pytest.mark.parametrize("full", ["entries", "checkpoints"])
def test_a_full_disk_is_reported_and_the_same_draft_goes_in_later(
    home: Path, draft: Draft, full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = FullStorage(AuditFolder(home).log)
    first, second, _ = three(draft)
    with WriterLock(AuditFolder(home)):
        notary = LocalNotary(storage, open_key(AuditFolder(home)), utc_now)
        monkeypatch.setattr(FullStorage, "full", full)
        for _ in range(2):
            with pytest.raises(PlatformError):
                notary.submit(first)
        with pytest.raises(PlatformError):
            notary.submit(second)
        assert verify_log(home) == []
        monkeypatch.setattr(FullStorage, "full", "nothing")
        assert notary.submit(first).index == 0
        assert notary.submit(second).index == 1
    assert verify_log(home) == []


def test_an_object_is_created_once_and_never_replaced(tmp_path: Path) -> None:
    storage = PosixStorage(tmp_path)
    storage.create("entries/a", b"first")
    with pytest.raises(ObjectExists):
        storage.create("entries/a", b"second")
    assert storage.read("entries/a") == b"first"
    assert storage.read("entries/b") is None
    assert list(storage.keys("entries")) == ["entries/a"]
    assert list((tmp_path / "unfinished").iterdir()) == []


def test_a_writer_beside_the_sequencer_is_noticed(home: Path, draft: Draft) -> None:
    first, second, third = three(draft)
    with open_notary(home) as notary:
        notary.submit(first)
        PosixStorage(AuditFolder(home).log).create("entries/000000/000000001.json", b"{}")
        for value in (second, third):
            with pytest.raises(IntegrityError, match="something else wrote"):
                notary.submit(value)
