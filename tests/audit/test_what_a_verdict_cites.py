"""`tandem audit verify | monitor | keys list`: a verdict cites what it stands on, and a way on."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import components
from components.audit.anchors.anchoring import anchor
from components.audit.folder import AuditFolder
from components.audit.key_changes import KeyOrder
from components.audit.log import entry_key
from components.audit.notary import open_notary
from components.audit.verified_log import VerifiedLog
from components.core.canonical import sha256_bytes
from pipelines.cli import main
from pipelines.cli.remedies import REMEDIES

CAUSE = {"kind": "DataError", "message": "no rows", "remedy": "look"}
COMMANDS = (("verify",), ("monitor",), ("keys", "list"))
PRODUCERS = (
    "audit/verify.py",
    "audit/record_checks.py",
    "audit/findings.py",
    "register_models/reconcile.py",
)


@pytest.fixture
def kept(home: Path, draft: Callable[..., dict[str, Any]]) -> Path:
    """A home whose log has three records, one of them a change of keys, all anchored."""
    with open_notary(home) as notary:
        notary.submit(draft("FAIL", attempt=1, cause=CAUSE))
        notary.change_keys(KeyOrder("actor-7", "yearly"))
        notary.submit(draft("FAIL", attempt=2, cause=CAUSE))
        anchor(home, notary.checkpoint())
    return home


def ask(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, Any, str]:
    code = main(["audit", *words, "--json", "--home", str(home)])
    answer = json.loads(capsys.readouterr().out)
    assert main(["audit", *words, "--home", str(home)]) == code
    return code, answer, capsys.readouterr().out


@pytest.mark.parametrize("words", COMMANDS)
def test_a_verdict_on_an_untouched_log_cites_its_newest_checkpoint(
    kept: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer, printed = ask(capsys, kept, *words)
    assert code == 0
    assert answer["checkpoint"] == VerifiedLog.of(kept).checkpoint
    assert answer["checkpoint"] in printed
    assert "remedy" not in printed


def test_no_finding_says_of_how_many_runs_and_of_which_sizes(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, answer, printed = ask(capsys, kept, "verify")
    assert answer["checkpoints"] == {"first": 1, "last": 3}
    assert "no finding in 3 records of 1 runs, log consistent from 1 to 3 entries" in printed


def test_a_finding_cites_the_digest_that_the_entry_has_now_and_says_what_to_do(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = AuditFolder(kept).log / entry_key(2)
    path.write_bytes(path.read_bytes().replace(b"A", b"B", 1))
    code, answer, printed = ask(capsys, kept, "verify")
    assert code == 4
    (found,) = (item for item in answer["findings"] if item["check"] == "signature")
    assert (found["index"], found["record"]) == (2, sha256_bytes(path.read_bytes()))
    assert found["remedy"] == REMEDIES["signature"]
    assert found["record"] in printed
    assert f"remedy (signature): {REMEDIES['signature']}" in printed
    assert "log consistent" not in printed
    path.unlink()
    _, answer, printed = ask(capsys, kept, "verify")
    assert answer["findings"][0]["check"] == "checkpoint"


def test_a_checkpoint_that_cannot_be_read_is_a_finding_and_not_cited(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (AuditFolder(kept).log / "checkpoints/000000/000000003").write_bytes(b"\xff")
    code, answer, printed = ask(capsys, kept, "verify")
    assert (code, answer["checkpoint"]) == (4, None)
    assert "none that can be read" in printed


def test_the_list_of_keys_cites_the_record_of_each_rotation(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, answer, printed = ask(capsys, kept, "keys", "list")
    first, second = answer["keys"]
    assert "record" not in first
    assert "named by no record: the log's first key" in printed
    record = VerifiedLog.of(kept).views[1].record
    assert (second["index"], second["record"], second["first"]) == (1, record, 2)
    assert f"#1 record  {record}" in printed


def test_the_list_of_keys_cites_the_record_of_each_revocation(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    former = VerifiedLog.of(kept).snapshot.keys.tenures[0].key.keyid
    with open_notary(kept) as notary:
        notary.change_keys(KeyOrder("actor-7", "stolen", former))
        notary.change_keys(KeyOrder("actor-7", "stolen earlier", former[:16], 1))
    views = [view for view in VerifiedLog.of(kept).views if view.event == "KEY"]
    _, answer, printed = ask(capsys, kept, "keys", "list")
    first, second = answer["keys"]
    assert (first["revoked_from"], second["revocations"]) == (1, [])
    assert first["revocations"] == [
        {"index": view.index, "record": view.record, "from": start}
        for view, start in zip(views[1:], (2, 1), strict=True)
    ]
    for view in views[1:]:
        assert f"revoked  #{view.index} record  {view.record}, from entry" in printed


def test_trouble_with_an_anchor_says_what_to_do(
    kept: Path, draft: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    stored = kept / "anchors" / "git"
    (note,) = (path for path in stored.glob("*/*") if ".git" not in path.parts)
    note.write_text("nothing")
    log = AuditFolder(kept).log
    for name in ("entries/000000/000000002.json", "checkpoints/000000/000000003"):
        (log / name).unlink()
    code, answer, printed = ask(capsys, kept, "monitor")
    assert code == 1
    assert answer["trouble"]
    assert "remedy: " in printed


def test_every_check_that_can_find_something_has_a_remedy() -> None:
    found = set()
    for name in PRODUCERS:
        tree = ast.parse((Path(components.__file__).parent / name).read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding":
                (check, *_) = node.args
                assert isinstance(check, ast.Constant)
                found.add(check.value)
    assert found == set(REMEDIES)


@pytest.mark.parametrize("more", [(), ("--second",)])
def test_a_change_of_keys_cites_its_record_and_the_checkpoint_over_it(
    kept: Path, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "keys", "rotate", "--reason", "yearly", *more, "--home", str(kept)]) == 0
    printed = capsys.readouterr().out
    log = VerifiedLog.of(kept)
    newest = log.snapshot.entries[-1]
    assert f"record {newest.index}, sha256 {newest.record}" in printed
    assert log.checkpoint in printed
    _, answer, printed = ask(capsys, kept, "keys", "list")
    named = (answer["second_keys"] if more else answer["keys"])[-1]
    assert (named["index"], named["record"]) == (newest.index, newest.record)
    assert f"#{newest.index} record  {newest.record}" in printed
