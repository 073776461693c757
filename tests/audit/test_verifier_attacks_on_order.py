"""Records reordered or deleted, and all that follows signed anew with the stolen key.

What contradicts itself then is found by the log alone; what does not, only by an anchor.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from second_verdict import found_by_second, second
from test_verifier_attacks import block

from components.audit.anchors.anchoring import anchor, compare
from components.audit.checkpoint import Checkpoint, origin_of
from components.audit.envelope import Envelope
from components.audit.folder import AuditFolder
from components.audit.keys import SigningKey
from components.audit.log import Log, checkpoint_key, entry_key
from components.audit.merkle import Tree, leaf_hash
from components.audit.notary import open_notary
from components.audit.verify import verify_log
from pipelines.cli import main

Statements = list[dict[str, Any]]
CAUSE = {"kind": "DataError", "message": "no rows", "remedy": "look"}
ENTRIES = 6


@pytest.fixture
def failed(home: Path, draft: Callable[..., dict[str, Any]], clock: Any) -> Path:
    """A home with failures that do not name each other, of which an anchor has the checkpoint."""
    with open_notary(home, clock) as notary:
        for attempt in range(1, ENTRIES + 1):
            notary.submit(draft("FAIL", attempt=attempt, cause=CAUSE))
        anchor(home, notary.checkpoint())
    return home


@pytest.fixture
def whole_run(told: Path, tmp_path: Path) -> Path:
    """The home of a whole run, of which an anchor has the checkpoint."""
    home = Path(shutil.copytree(told, tmp_path / "copy")) / "home"
    with open_notary(home) as notary:
        anchor(home, notary.checkpoint())
    return home


def rewrite(home: Path, key: SigningKey, change: Callable[[Statements], None]) -> None:
    """Write the log anew with the stolen key; a checkpoint over each entry that is left."""
    folder = AuditFolder(home).log
    size = max(Log.at(AuditFolder(home)).sizes())
    leaves = [(folder / entry_key(index)).read_bytes() for index in range(size)]
    statements = [json.loads(Envelope.from_bytes(leaf).payload) for leaf in leaves]
    change(statements)
    tree = Tree()
    for index in range(size):
        (folder / entry_key(index)).unlink()
        (folder / checkpoint_key(index + 1)).unlink()
    for index, statement in enumerate(statements):
        leaf = Envelope.sign(statement, key).to_bytes()
        (folder / entry_key(index)).write_bytes(leaf)
        tree.append(leaf_hash(leaf))
        note = Checkpoint(origin_of(key.public), index + 1, tree.root()).sign(key)
        (folder / checkpoint_key(index + 1)).write_text(note)


def reorder(statements: Statements) -> None:
    statements[1], statements[3] = statements[3], statements[1]


def reorder_with_their_times(statements: Statements) -> None:
    reorder(statements)
    one, other = block(statements[1]), block(statements[3])
    for name in ("clocks", "retain_until"):
        one[name], other[name] = other[name], one[name]


def delete_one(statements: Statements) -> None:
    del statements[2]


def delete_the_newest(statements: Statements) -> None:
    del statements[-1]


def monitored(home: Path) -> int:
    return main(["audit", "monitor", "--home", str(home)])


@pytest.mark.parametrize("name", ["failed", "whole_run"])
def test_a_log_signed_anew_in_its_order_gives_no_finding_and_no_trouble(
    name: str, key: SigningKey, request: pytest.FixtureRequest
) -> None:
    home = request.getfixturevalue(name)
    rewrite(home, key, lambda statements: None)
    assert verify_log(home) == []
    assert "checkpoints verify" in second(home)
    assert compare(home).compared == {"git": 1}
    assert monitored(home) == 0


@pytest.mark.parametrize("change", [reorder_with_their_times, delete_one, delete_the_newest])
def test_what_the_thief_of_the_key_left_without_a_contradiction_is_seen_by_the_anchor(
    failed: Path, key: SigningKey, change: Callable[[Statements], None]
) -> None:
    rewrite(failed, key, change)
    assert verify_log(failed) == []
    assert "checkpoints verify" in second(failed)
    (trouble,) = compare(failed).trouble
    kept = change is reorder_with_their_times
    assert ("are not those" if kept else f"had {ENTRIES} entries and has") in trouble.message
    assert monitored(failed) == 1


def test_records_reordered_without_their_times_are_found_by_the_clock(
    failed: Path, key: SigningKey
) -> None:
    rewrite(failed, key, reorder)
    assert {finding.check for finding in verify_log(failed)} == {"clock"}
    assert found_by_second(failed).startswith("entry ")


@pytest.mark.parametrize("change", [reorder, reorder_with_their_times, delete_one])
def test_a_record_that_others_stand_on_is_missed_by_the_log_itself(
    whole_run: Path, key: SigningKey, change: Callable[[Statements], None]
) -> None:
    rewrite(whole_run, key, change)
    assert "parents" in {finding.check for finding in verify_log(whole_run)}
    assert found_by_second(whole_run).startswith("entry ")
