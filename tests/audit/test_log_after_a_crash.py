"""kill -9 at every point where the sequencer touches the disk, and a full disk."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from second_verdict import second

from components.audit.client import Notary
from components.audit.folder import AuditFolder
from components.audit.keyring import Keyring
from components.audit.log import Log
from components.audit.notary import LocalNotary, open_notary, utc_now
from components.audit.process import NotaryProcess
from components.audit.spool import folder_spool
from components.audit.storage import ObjectExists, PosixStorage
from components.audit.verify import verify_log
from components.audit.writer_lock import WriterLock
from components.core.errors import IntegrityError, PlatformError

pytestmark = pytest.mark.slow

FORK = multiprocessing.get_context("fork")
CALLS = ("mkdir", "open", "write", "fsync", "link", "unlink")
"""What create_files and the spool ask of the disk; a rename is not among it."""
Draft = Callable[..., dict[str, Any]]


class Disk:
    """Stands before the calls of `os` in one process: counts them, and kills it before one."""

    def __init__(self, patch: pytest.MonkeyPatch, deadly: int | None = None) -> None:
        self.calls: list[str] = []
        self._deadly = deadly
        for name in CALLS:
            if name != "write":
                patch.setattr(os, name, self._counted(name, getattr(os, name)))
        patch.setattr(os, "fdopen", self._opened)
        patch.setattr(os, "rename", None)
        patch.setattr(os, "replace", None)

    def _counted(self, name: str, call: Any) -> Any:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.reach(name)
            return call(*arguments, **options)

        return counted

    def _opened(self, descriptor: int, mode: str) -> Any:
        return Stream(self, open(descriptor, mode))

    def reach(self, name: str) -> None:
        self.calls.append(name)
        if len(self.calls) - 1 == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)


class Stream:
    """A file that is written in two halves, with a call of the disk's before each."""

    def __init__(self, disk: Disk, file: Any) -> None:
        self._disk, self._file = disk, file

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        for part in (data[: len(data) // 2], data[len(data) // 2 :]):
            self._disk.reach("write")
            self._file.write(part)
            self._file.flush()

    def flush(self) -> None:
        self._file.flush()


def three(draft: Draft) -> list[dict[str, Any]]:
    cause = {"kind": "DataError", "message": "no rows", "remedy": "look"}
    return [draft("FAIL", attempt=i, cause=cause) for i in (1, 2, 3)]


def work(home: Path, drafts: list[dict[str, Any]]) -> None:
    """Record one draft that a stage hands in, and two that wait in the spool, in one batch."""
    spool = folder_spool(AuditFolder(home).spool)
    with open_notary(home) as notary:
        notary.submit(drafts[0])
    for value in drafts[1:]:
        spool.put(json.dumps(value).encode())
    with open_notary(home) as notary:
        assert [view.attempt for view in notary.records("run-1")] == [1, 2, 3]


def work_and_die(home: Path, drafts: list[dict[str, Any]], deadly: int) -> None:
    Disk(pytest.MonkeyPatch(), deadly)
    work(home, drafts)


def calls_of_the_work(home: Path, drafts: list[dict[str, Any]]) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        work(home, drafts)
    return disk.calls


def test_a_sequencer_killed_before_any_call_of_the_disk_leaves_a_log_that_verifies_and_goes_on(
    tmp_path: Path, draft: Draft, new_home: Callable[[Path], None]
) -> None:
    drafts = three(draft)
    new_home(tmp_path / "counted")
    calls = calls_of_the_work(tmp_path / "counted", drafts)
    assert set(calls) == set(CALLS)
    # Of 3 drafts, 3 entries, 3 checkpoints, the public key and 2 settled drafts.
    assert calls.count("link") == 12
    for deadly, name in enumerate(calls):
        home = tmp_path / f"{deadly}-{name}"
        new_home(home)
        child = FORK.Process(target=work_and_die, args=(home, drafts, deadly))
        child.start()
        child.join()
        assert child.exitcode == -signal.SIGKILL, (deadly, name)
        check_goes_on(home, drafts)


def check_goes_on(home: Path, drafts: list[dict[str, Any]]) -> None:
    folder = AuditFolder(home)
    if any((folder.log / "checkpoints").rglob("0????????")):
        assert verify_log(home) == []
        assert "checkpoints verify" in second(home)
    with open_notary(home) as notary:
        log = Log(PosixStorage(folder.log))
        assert max(log.sizes()) == len(list(log.indexes()))
        for value in drafts:
            notary.submit(value)
        assert [view.attempt for view in notary.records("run-1")] == [1, 2, 3]
    assert verify_log(home) == []
    assert "checkpoints verify" in second(home)
    assert list((folder.log / "unfinished").iterdir()) == []
    assert list((folder.spool / "waiting").iterdir()) == []


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
    assert "checkpoints verify" in second(home)
    with open_notary(home) as again:
        kept = [view.record for view in again.records("run-1")]
        assert [receipt.record for receipt in receipts] == kept[: len(receipts)]
        assert len(kept) <= len(receipts) + 1
    assert verify_log(home) == []
    assert "checkpoints verify" in second(home)


def kill_soon(pid: int) -> None:
    time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)


class FullStorage(PosixStorage):
    """Refuses creations whose key starts with `full`, as a full disk does."""

    full = "nothing"

    def create_all(self, objects: Sequence[tuple[str, bytes]]) -> None:
        if any(key.startswith(type(self).full) for key, _ in objects):
            raise PlatformError(os.strerror(errno.ENOSPC), remedy="make room")
        super().create_all(objects)


@pytest.mark.parametrize("full", ["entries", "checkpoints"])
def test_a_full_disk_is_reported_and_the_same_draft_goes_in_later(
    home: Path, draft: Draft, full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = FullStorage(AuditFolder(home).log)
    first, later, _ = three(draft)
    with WriterLock(AuditFolder(home)):
        spool = folder_spool(AuditFolder(home).spool)
        notary = LocalNotary(storage, spool, Keyring(AuditFolder(home)), utc_now)
        monkeypatch.setattr(FullStorage, "full", full)
        for _ in range(2):
            with pytest.raises(PlatformError):
                notary.submit(first)
        with pytest.raises(PlatformError):
            notary.submit(later)
        assert verify_log(home) == []
        assert "checkpoints verify" in second(home)
        monkeypatch.setattr(FullStorage, "full", "nothing")
        assert notary.submit(first).index == 0
        assert notary.submit(later).index == 1
    assert verify_log(home) == []
    assert "checkpoints verify" in second(home)


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
