"""What the log needs of a store, held by files and by a bucket over HTTP alike."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from strict_s3 import BUCKET, StrictS3, strict_s3, variables

from components.audit.folder import AuditFolder
from components.audit.keyring import Keyring
from components.audit.log import checkpoint_key, entry_key
from components.audit.log_place import log_storage
from components.audit.notary import LocalNotary, open_notary, utc_now
from components.audit.s3_storage import S3Storage
from components.audit.spool import folder_spool
from components.audit.storage import ObjectExists, PosixStorage, Storage
from components.audit.verify import verify_log
from components.core.errors import PlatformError, SettingsError
from pipelines.cli import main

pytestmark = pytest.mark.slow

_PREFIXES = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[StrictS3]:
    import boto3

    with strict_s3() as strict, pytest.MonkeyPatch.context() as patch:
        for name, value in variables(strict).items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield strict


@pytest.fixture
def bucket(server: StrictS3) -> S3Storage:
    return S3Storage.at(f"s3://{BUCKET}/home-{next(_PREFIXES)}")


@pytest.fixture(params=["files", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "files":
        return PosixStorage(tmp_path / "log")
    return request.getfixturevalue("bucket")


def test_an_object_is_made_once_and_read_as_it_was_made(storage: Storage) -> None:
    storage.create("entries/a", b"\x00first\xff")
    with pytest.raises(ObjectExists, match="entries/a"):
        storage.create("entries/a", b"second")
    with pytest.raises(ObjectExists):
        storage.create("entries/a", b"\x00first\xff")
    assert storage.read("entries/a") == b"\x00first\xff"
    assert storage.read("entries/b") is None
    assert list(storage.keys("nothing")) == []


def test_of_several_objects_those_before_one_that_is_there_are_made(storage: Storage) -> None:
    storage.create("entries/2", b"taken")
    with pytest.raises(ObjectExists, match="entries/2"):
        storage.create_all([(f"entries/{i}", b"new") for i in range(5)])
    assert list(storage.keys("entries")) == ["entries/0", "entries/1", "entries/2"]
    assert storage.read("entries/2") == b"taken"


def test_keys_come_in_order_over_several_pages_and_of_one_prefix_only(storage: Storage) -> None:
    wanted = [entry_key(i) for i in range(1005)]
    storage.create_all([(key, b"") for key in (*wanted[1000:], *wanted[:1000])])
    storage.create("entries2/000000/000000000.json", b"")
    assert list(storage.keys("entries")) == wanted


def test_of_many_who_make_one_object_at_once_one_does(storage: Storage) -> None:
    made, refused = [], []

    def make(number: int) -> None:
        try:
            storage.create("entries/contested", str(number).encode())
            made.append(number)
        except ObjectExists:
            refused.append(number)

    writers = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (len(made), len(refused)) == (1, 7)
    assert storage.read("entries/contested") == str(made[0]).encode()


def test_sweeping_a_store_leaves_its_objects(storage: Storage) -> None:
    storage.create("entries/a", b"a")
    storage.sweep()
    storage.sweep()
    assert storage.read("entries/a") == b"a"
    assert list(storage.keys("entries")) == ["entries/a"]


def test_a_write_whose_answer_was_lost_knows_its_own_object(
    bucket: S3Storage, server: StrictS3
) -> None:
    server.lost = 2
    bucket.create("entries/a", b"mine")
    assert server.lost == 0
    assert bucket.read("entries/a") == b"mine"
    server.lost = 1
    with pytest.raises(ObjectExists):
        bucket.create("entries/a", b"mine")
    server.lost = 0


def test_a_write_beside_another_is_asked_again_and_then_given_up(
    bucket: S3Storage, server: StrictS3
) -> None:
    server.conflicts = 3
    bucket.create("entries/a", b"mine")
    assert bucket.read("entries/a") == b"mine"
    server.conflicts = 1
    with pytest.raises(ObjectExists):
        bucket.create("entries/a", b"other")
    server.conflicts = 1000
    with pytest.raises(PlatformError, match="being written by someone else"):
        bucket.create("entries/b", b"mine")
    server.conflicts = 0
    assert bucket.read("entries/b") is None


def test_a_server_that_replaces_objects_is_refused(bucket: S3Storage, server: StrictS3) -> None:
    server.conditions = False
    try:
        with pytest.raises(PlatformError, match="in spite of If-None-Match"):
            bucket.sweep()
    finally:
        server.conditions = True


def test_a_bucket_that_is_not_there_is_the_operators_to_mend(server: StrictS3) -> None:
    storage = S3Storage.at("s3://nowhere/log")
    with pytest.raises(PlatformError, match="s3://nowhere/log/ cannot be used"):
        storage.create("entries/a", b"")
    with pytest.raises(PlatformError, match="s3://nowhere/log/ cannot be used"):
        storage.read("entries/a")
    with pytest.raises(PlatformError, match="s3://nowhere/log/ cannot be used"):
        list(storage.keys("entries"))


@pytest.mark.parametrize("address", ["bucket", "s3://", "http://host/bucket", "s3://b/p?q"])
def test_an_address_of_another_form_is_a_wrong_setting(address: str) -> None:
    with pytest.raises(SettingsError, match="not an address of a bucket"):
        S3Storage.at(address)


def test_a_log_in_a_bucket_is_written_and_verified_as_one_in_files(
    bucket: S3Storage, home: Path, draft: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cause = {"kind": "DataError", "message": "no rows", "remedy": "look"}
    monkeypatch.setenv("TANDEM_AUDIT_LOG", f"s3://{bucket.bucket}/{bucket.prefix}")
    for attempt in (1, 2):
        with open_notary(home) as notary:
            assert notary.submit(draft("FAIL", attempt=attempt, cause=cause)).index == attempt - 1
    assert not AuditFolder(home).log.exists()
    assert verify_log(home) == []
    assert list(bucket.keys("entries")) == [entry_key(0), entry_key(1)]
    bucket.client.put_object(
        Bucket=BUCKET, Key=bucket.prefix + entry_key(0), Body=bucket.read(entry_key(1))
    )
    assert verify_log(home) != []


def test_of_two_sequencers_without_a_lock_the_second_loses_and_forks_nothing(
    storage: Storage, home: Path, draft: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both began on the same log: its objects alone, made once, say who is second."""
    if isinstance(storage, S3Storage):
        monkeypatch.setenv("TANDEM_AUDIT_LOG", f"s3://{storage.bucket}/{storage.prefix}")
    storage = log_storage(AuditFolder(home))
    cause = {"kind": "DataError", "message": "no rows", "remedy": "look"}
    spool, key = folder_spool(AuditFolder(home).spool), Keyring(AuditFolder(home))
    first, second = (LocalNotary(storage, spool, key, utc_now) for _ in range(2))
    one, two, three = (draft("FAIL", attempt=number, cause=cause) for number in (1, 2, 3))
    assert first.submit(one).index == 0
    with pytest.raises(PlatformError, match="this one has lost"):
        second.submit(two)
    assert first.submit(three).index == 1
    with pytest.raises(PlatformError, match="this one has lost"):
        second.submit(two)
    third = LocalNotary(storage, spool, key, utc_now)
    assert third.submit(two).index == 2
    assert list(storage.keys("entries")) == [entry_key(index) for index in range(3)]
    assert verify_log(home) == []


def test_a_log_is_in_a_folder_or_a_bucket(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_AUDIT_LOG", "https://example.com/log")
    with pytest.raises(SettingsError, match="TANDEM_AUDIT_LOG"):
        log_storage(AuditFolder(home))


def unanswered(words: str, home: Path) -> int:
    return main(["audit", *words.split(), "--home", str(home)])


ANSWERS = ("verify", "gates --failed", "keys list", "monitor", "trace flight-delay@3")


@pytest.mark.parametrize("words", ANSWERS)
def test_a_log_whose_bucket_does_not_answer_is_not_verified_and_is_no_trouble(
    words: str, told: Path, server: StrictS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = told / "home"
    assert unanswered("verify", home) == 0
    monkeypatch.setenv("TANDEM_AUDIT_LOG", "s3://nowhere/log")
    assert unanswered(words, home) == 5


@pytest.mark.parametrize("words", ANSWERS)
@pytest.mark.parametrize("key", [entry_key(3), checkpoint_key(18)])
def test_a_file_of_the_log_that_cannot_be_read_is_no_verdict(
    words: str, key: str, told: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Path(shutil.copytree(told / "home", tmp_path / "home"))
    unread = home / "audit/log" / key
    unread.unlink()
    unread.symlink_to(unread)  # reading it fails, for a superuser too
    assert unanswered(words, home) == 5
    assert "cannot be read" in capsys.readouterr().err
    assert not (home / "tandem.log").exists()


def test_a_folder_of_the_log_that_cannot_be_listed_is_no_empty_one(tmp_path: Path) -> None:
    storage = PosixStorage(tmp_path)
    assert list(storage.keys("entries")) == []
    (tmp_path / "entries").symlink_to(tmp_path / "entries")
    with pytest.raises(PlatformError, match="entries of the audit log cannot be read"):
        list(storage.keys("entries"))
