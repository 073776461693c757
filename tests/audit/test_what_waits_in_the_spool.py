"""Drafts that are in no log: the answers of a home say how many wait and how many were refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.audit.folder import AuditFolder
from components.audit.notary import open_notary
from components.audit.spool import folder_spool
from components.audit.unrecorded import drafts
from pipelines.cli import main

pytestmark = pytest.mark.slow
Draft = Callable[..., dict[str, Any]]
CAUSE = {"kind": "DataError", "message": "no rows", "remedy": "look"}
SAID = "in no record: {} drafts wait, {} were refused"


@pytest.fixture
def home(told: Path, tmp_path: Path) -> Path:
    shutil.copytree(told, tmp_path / "copy")
    return tmp_path / "copy" / "home"


@pytest.fixture
def put(home: Path) -> Callable[..., None]:
    def put(*made: dict[str, Any]) -> None:
        for draft in made:
            folder_spool(AuditFolder(home).spool).put(json.dumps(draft).encode())

    return put


def _wait(put: Callable[..., None], draft: Draft, count: int) -> None:
    run = draft("START")["run"] | {"id": "run-9"}
    put(*(draft("FAIL", run=run, attempt=n, cause=CAUSE) for n in range(1, count + 1)))


def _refuse(home: Path, put: Callable[..., None], draft: Draft, count: int) -> None:
    """Have a notary refuse drafts: a COMPLETE that made nothing."""
    run = draft("START")["run"] | {"id": "run-8"}
    put(*(draft("COMPLETE", "train_pytorch", run=run, attempt=n) for n in range(1, count + 1)))
    with open_notary(home):
        pass


def _said(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, str]:
    code = main(["audit", *words, "--home", str(home)])
    return code, capsys.readouterr().out


def test_verify_and_monitor_name_each_draft_and_find_nothing_against_the_log(
    home: Path, put: Callable[..., None], draft: Draft, capsys: pytest.CaptureFixture[str]
) -> None:
    _said(capsys, home, "monitor", "--keep")
    _refuse(home, put, draft, 2)
    _wait(put, draft, 3)
    spooled = AuditFolder(home).spool
    for command in ("verify", "monitor"):
        code, printed = _said(capsys, home, command)
        assert code == 0, printed
        assert printed.count("waiting: FAIL of ingest_examples of run run-9, claimed at 20") == 3
        refused = "refused: COMPLETE of train_pytorch of run run-8: "
        assert printed.count(refused) == 2
        for path in (*(spooled / "waiting").iterdir(), *(spooled / "refused").iterdir()):
            assert f"({path})" in printed
        code, printed = _said(capsys, home, command, "--json")
        answer = json.loads(printed)
        assert code == 0
        found = answer["drafts"]
        assert [item["attempt"] for item in found["waiting"]].count("1") == 1
        assert (len(found["waiting"]), len(found["refused"])) == (3, 2)
        assert {item["reason"] for item in found["refused"]} == {
            "DataError: COMPLETE of train_pytorch has 0 outputs"
        }
    assert SAID.format(3, 2) in _said(capsys, home, "verify")[1]


@pytest.mark.parametrize("words", [["gates", "--failed"], ["impact", "2014-01"]])
def test_what_stands_in_no_record_is_told_beside_what_was_not_omitted(
    home: Path,
    put: Callable[..., None],
    draft: Draft,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    _refuse(home, put, draft, 2)
    _wait(put, draft, 3)
    printed = _said(capsys, home, *words)[1]
    assert SAID.format(3, 2) in printed
    answer = json.loads(_said(capsys, home, *words, "--json")[1])["completeness"]
    assert (answer["waiting"], answer["refused"]) == (3, 2)


@pytest.mark.parametrize("words", [["verify"], ["gates", "--failed"]])
def test_where_nothing_waits_nothing_is_said(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    code, printed = _said(capsys, home, *words)
    assert code == 0
    assert "draft" not in printed


def test_what_was_taken_up_is_no_longer_told(
    home: Path, put: Callable[..., None], draft: Draft
) -> None:
    put(draft("FAIL", "train_pytorch", attempt=7, cause=CAUSE))
    assert len(drafts(home).waiting) == 1
    with open_notary(home):
        pass
    assert (drafts(home).waiting, drafts(home).refused) == ((), ())


def test_what_is_no_draft_is_told_by_its_place_alone_and_left_there(
    home: Path, put: Callable[..., None], draft: Draft
) -> None:
    put(draft("FAIL", stage="a\n0 findings", cause=CAUSE), {"colour": "red"})
    folder = AuditFolder(home).spool / "waiting"
    (folder / ("0" * 64)).write_text("half")
    before = sorted(folder.iterdir())
    found = drafts(home)
    assert {item.stage for item in found.waiting} == {None}
    assert all("\n" not in line for line in found.lines())
    assert [item.place for item in found.waiting] == [str(path) for path in before]
    assert sorted(folder.iterdir()) == before


def test_a_spool_that_cannot_be_read_is_said_and_fails_no_answer(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_AUDIT_SPOOL", "file:///no-bucket")
    code, printed = _said(capsys, home, "verify")
    assert code == 0
    assert "the spool could not be read: TANDEM_AUDIT_SPOOL is not the address" in printed
    assert "whether drafts wait for a notary could not be seen" in printed
