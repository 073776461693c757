"""`tandem audit reconcile`: what a crash left open gets its ABORT, and what may go on does not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from second_verdict import second

from components.audit.process import NotaryProcess
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.errors import PlatformError
from pipelines.cli import main
from pipelines.runners.run_folder import locked

pytestmark = pytest.mark.slow

Draft = Callable[..., dict[str, Any]]


@pytest.fixture
def left(home: Path, draft: Draft, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which two attempts and a closing were killed; one attempt ended well."""
    for name in ("TANDEM_NOTARY", "TANDEM_HOME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    from components.audit.notary import open_notary

    with open_notary(home) as notary:
        notary.submit(draft("START", "train_pytorch"))
        notary.submit(draft("START", "train_tensorflow"))
        cause = {"kind": "DataError", "message": "no rows", "remedy": "look"}
        notary.submit(draft("FAIL", "train_tensorflow", cause=cause))
        notary.submit(draft("START", "train_tensorflow", attempt=2))
        notary.submit(draft("START", "seal_run"))
    return home


def ask(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, Any]:
    code = main(["audit", *words, "--json", "--home", str(home)])
    return code, json.loads(capsys.readouterr().out)


def test_every_start_that_a_crash_left_open_is_closed_and_the_log_then_verifies(
    left: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [finding.message for finding in verify_log(left)]
    assert len(before) == 3
    assert all("`tandem audit reconcile`" in message for message in before)

    code, answer = ask(capsys, left, "reconcile")
    assert code == 0
    closed = {(item["stage"], item["attempt"], item["start"]["index"]) for item in answer["closed"]}
    assert closed == {("train_pytorch", 1, 0), ("train_tensorflow", 2, 3), ("seal_run", 1, 4)}
    assert verify_log(left) == []
    assert "checkpoints verify" in second(left)
    assert ask(capsys, left, "verify")[0] == 0


def test_an_abort_claims_nothing_but_that_nobody_saw_the_end(
    left: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (item, *_) = ask(capsys, left, "reconcile")[1]["closed"]
    view = VerifiedLog.of(left).ledger.find(item["record"])
    assert (view.index, view.event, view.start) == (5, "ABORT", item["start"]["record"])
    assert (view.outputs, view.facts, view.gates) == ({}, {}, ())
    assert view.cause is not None
    assert "nobody saw how it ended" in view.cause["message"]


def test_closing_again_closes_nothing(left: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(capsys, left, "reconcile")
    size = VerifiedLog.of(left).snapshot.size
    code, answer = ask(capsys, left, "reconcile")
    assert (code, answer["closed"]) == (0, [])
    complete = answer["completeness"]
    assert (complete["runs_started"], complete["runs_closed"], complete["open"]) == (1, 1, [])
    assert complete["consistent_to"] == size
    assert VerifiedLog.of(left).snapshot.size == size


def test_an_entry_that_a_crash_left_unsigned_is_signed_and_closed_too(
    left: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (left / "audit/log/checkpoints/000000/000000005").unlink()
    assert len(ask(capsys, left, "reconcile")[1]["closed"]) == 3
    assert verify_log(left) == []
    assert "checkpoints verify" in second(left)


def test_a_run_that_may_be_going_on_is_left_alone(
    left: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = left / "runs" / "run-1"
    with NotaryProcess(left) as process:
        assert main(["audit", "reconcile", "--home", str(left)]) == PlatformError.exit_code
        capsys.readouterr()
        monkeypatch.setenv("TANDEM_NOTARY", process.address)
        elsewhere = ask(capsys, left, "reconcile")[1]
        with locked(folder):
            running = ask(capsys, left, "reconcile")[1]
        ended = ask(capsys, left, "reconcile")[1]
    assert (elsewhere["closed"], elsewhere["going_on"]) == ([], ["run-1"])
    assert (running["closed"], running["going_on"]) == ([], ["run-1"])
    assert (len(ended["closed"]), ended["going_on"]) == (3, [])


def test_what_mlflow_lacks_is_a_finding(
    told: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TANDEM_NOTARY", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    home = Path(shutil.copytree(told / "home", tmp_path / "copy"))
    code, answer = ask(capsys, home, "reconcile")
    assert code == 4
    assert answer["closed"] == []
    assert {item["check"] for item in answer["findings"]} >= {"missing version"}


def test_without_a_log_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(capsys, tmp_path / "nothing", "reconcile")[0] == 5
    assert not (tmp_path / "nothing").exists()
