"""The index of the log: made again whenever it is not the log's, and believed by nobody."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.audit.folder import AuditFolder
from components.audit.index import origin_of
from components.audit.key_changes import KeyOrder
from components.audit.log import entry_key
from components.audit.merkle import Tree, leaf_hash
from components.audit.notary import open_notary
from components.audit.stored_tree import StoredTree
from components.audit.trace import trace
from components.audit.verified_log import VerifiedLog
from components.core.errors import IntegrityError, SettingsError
from components.register_models.logbook import Logbook

Draft = Callable[..., dict[str, Any]]
MODEL = "flight-delay@3"


@pytest.fixture
def copied(told: Path, tmp_path: Path) -> Path:
    """A home with a told run and no index yet."""
    home = Path(shutil.copytree(told / "home", tmp_path / "home"))
    AuditFolder(home).index.unlink(missing_ok=True)
    return home


def index(home: Path) -> Path:
    return AuditFolder(home).index


def changed(home: Path, *statements: str) -> None:
    with sqlite3.connect(index(home)) as store:
        for statement in statements:
            store.execute(statement)
    store.close()


def test_what_is_found_is_what_the_whole_log_says(copied: Path) -> None:
    log = VerifiedLog.of(copied)
    release = Logbook.of(log).releases["flight-delay", "3"]
    for what in (MODEL, release.bundle_sha256):
        found = origin_of(copied, what)
        assert found is not None
        bundle, proof = found
        assert bundle == release.bundle_sha256
        assert proof.records == log.proven([release.record]).records
        assert proof.checkpoint == log.checkpoint
    assert index(copied).is_file()


def test_only_new_entries_are_read_once_it_is_there(
    copied: Path, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace(copied, MODEL)
    cause = {"kind": "DataError", "message": "no rows", "remedy": "look"}
    with open_notary(copied) as notary:
        notary.submit(draft("FAIL", "train_pytorch", attempt=9, cause=cause))
    unneeded = AuditFolder(copied).log / entry_key(16)
    unneeded.rename(unneeded.with_suffix(".away"))
    unneeded.with_suffix(".away").replace(copied / "away")
    assert trace(copied, MODEL).checkpoint.split("\n")[1] == "19"
    with pytest.raises(IntegrityError, match="entry 16 is missing"):
        VerifiedLog.of(copied)


def test_that_there_is_nothing_is_said_by_the_log_alone(copied: Path) -> None:
    trace(copied, MODEL)
    changed(copied, "DELETE FROM versions")
    assert trace(copied, MODEL).bundle_sha256
    with pytest.raises(SettingsError, match="no record in the log names"):
        trace(copied, "flight-delay@9")


@pytest.mark.parametrize(
    "lie",
    [
        "UPDATE nodes SET hash = zeroblob(32) WHERE level = 0 AND number = 3",
        "UPDATE nodes SET hash = zeroblob(32) WHERE level = 4",
        "DELETE FROM nodes WHERE level = 1",
        "DELETE FROM records WHERE place = 5",
        "UPDATE records SET place = 40 WHERE place = 17",
        "DELETE FROM parents",
        "UPDATE versions SET place = 3",
        "PRAGMA user_version = 9",
        "DROP TABLE made",
    ],
)
def test_an_index_that_lies_is_made_anew(copied: Path, lie: str) -> None:
    expected = trace(copied, MODEL)
    changed(copied, lie)
    assert trace(copied, MODEL) == expected
    assert trace(copied, expected.bundle_sha256) == expected


def test_a_file_that_is_no_index_is_made_anew(copied: Path) -> None:
    expected = trace(copied, MODEL)
    for data in (b"no index", b"", random.Random(7).randbytes(8192)):
        index(copied).write_bytes(data)
        assert trace(copied, MODEL) == expected


def test_an_index_of_another_log_is_made_anew(copied: Path, tmp_path: Path, draft: Draft) -> None:
    home = tmp_path / "another"
    cause = {"kind": "DataError", "message": "no rows", "remedy": "look"}
    with open_notary(home) as notary:
        for attempt in range(1, 24):
            notary.submit(draft("FAIL", attempt=attempt, cause=cause))
    with pytest.raises(SettingsError):
        trace(home, MODEL)
    expected = trace(copied, MODEL)
    shutil.copy(index(home), index(copied))
    assert trace(copied, MODEL) == expected


def test_where_no_index_can_be_written_the_answer_is_the_same(copied: Path) -> None:
    expected = trace(copied, MODEL)
    index(copied).unlink()
    index(copied).mkdir()
    assert trace(copied, MODEL) == expected
    with pytest.raises(SettingsError, match="no record in the log names"):
        trace(copied, "flight-delay@9")
    assert [*index(copied).iterdir()] == []


def test_records_of_a_second_key_are_proven_with_the_change_of_keys(copied: Path) -> None:
    trace(copied, MODEL)
    with open_notary(copied) as notary:
        notary.change_keys(KeyOrder("actor-7", "yearly"))
    found = origin_of(copied, MODEL)
    assert found is not None
    assert len(found[1].bundle.proofs) == len(found[1].records) + 1


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 70), st.data())
def test_the_stored_tree_is_the_tree(size: int, data: st.DataObject) -> None:
    store = sqlite3.connect(":memory:")
    store.execute("CREATE TABLE nodes (level, number, hash, PRIMARY KEY (level, number))")
    store.execute("CREATE TABLE records (place)")
    stored, tree = StoredTree(store), Tree()
    for number in range(size):
        leaf = leaf_hash(bytes([number]))
        store.execute("INSERT INTO records VALUES (?)", (number,))
        stored.grow(number, leaf)
        tree.append(leaf)
    smaller = data.draw(st.integers(1, size))
    place = data.draw(st.integers(0, smaller - 1))
    assert (stored.size, stored.root(), stored.root(smaller)) == (
        tree.size,
        tree.root(),
        tree.root(smaller),
    )
    assert stored.inclusion_proof(place, smaller) == tree.inclusion_proof(place, smaller)
    assert stored.consistency_proof(smaller) == tree.consistency_proof(smaller)
    store.close()
