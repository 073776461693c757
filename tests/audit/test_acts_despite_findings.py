"""Keys are not rotated and nothing is erased by a log with findings; a revocation always is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_failed_gates import GATE, LOW, told

from components.audit.folder import AuditFolder
from components.audit.keys import SigningKey
from components.audit.log import entry_key
from components.audit.notary import open_notary
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from pipelines.cli import main

ACTS = ("keys rotate", "keys rotate --second", "erase run-1 statistics")
STATISTICS = "runs/run-1/artifacts/validate_examples/statistics"
GATES = {True: [{"name": "minimum_auc", **GATE, **LOW}], False: []}


@pytest.fixture
def homes(
    home: Path, new_story: Any, careless: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[[bool], Path]:
    """Give a home whose log has a finding, or none."""
    monkeypatch.delenv("TANDEM_NOTARY", raising=False)

    def made(has_finding: bool) -> Path:
        told(home, new_story, "decide_release", *GATES[has_finding])
        return home

    return made


def act(
    capsys: pytest.CaptureFixture[str], home: Path, words: str, *more: str
) -> tuple[int, dict[str, Any]]:
    line = ["audit", *words.split(), "--reason", "yearly", "--home", str(home), "--json", *more]
    code = main(line)
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, answer


def reason(home: Path, record: str) -> str:
    predicate = VerifiedLog.of(home).statement(record)["predicate"]
    found = predicate.get("reason") or predicate["tandem_audit"]["settings"]["reason"]
    return str(found)


@pytest.mark.parametrize("words", ACTS)
def test_an_act_on_a_log_with_a_finding_is_refused_and_cites_it(
    homes: Callable[[bool], Path], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    home = homes(True)
    before = sorted(path for path in home.rglob("*"))
    code, answer = act(capsys, home, words)
    views = VerifiedLog.of(home).views
    assert (code, answer["error"]["kind"], len(views)) == (4, "IntegrityError", 18)
    (finding,) = answer["findings"]
    assert (finding["check"], finding["index"]) == ("gate", 15)
    assert finding["record"] == views[15].record
    assert answer["checkpoint"] == VerifiedLog.of(home).checkpoint
    assert sorted(path for path in home.rglob("*")) == before
    line = ["audit", *words.split(), "--reason", "yearly", "--home", str(home)]
    assert main(line) == 4
    told = capsys.readouterr().err
    assert f"    record  {finding['record']}" in told
    assert "--despite-findings" in told


@pytest.mark.parametrize("words", ACTS)
def test_an_act_that_is_done_despite_a_finding_says_so_in_its_record(
    homes: Callable[[bool], Path], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    home = homes(True)
    code, answer = act(capsys, home, words, "--despite-findings")
    assert code == 0
    said = "yearly (despite findings: gate of entry 15)"
    assert reason(home, answer["record"]) == said
    assert [(item.check, item.where) for item in verify_log(home)] == [("gate", "entry 15")]
    assert (home / STATISTICS).exists() is not words.startswith("erase")


@pytest.mark.parametrize("words", ACTS)
@pytest.mark.parametrize("more", [(), ("--despite-findings",)])
def test_an_act_on_an_untouched_log_is_done_and_says_nothing(
    homes: Callable[[bool], Path],
    words: str,
    more: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = homes(False)
    code, answer = act(capsys, home, words, *more)
    assert (code, answer.get("findings", [])) == (0, [])
    assert reason(home, answer["record"]) == "yearly"


def test_a_revocation_is_never_refused_for_a_finding_and_cites_it(
    homes: Callable[[bool], Path], key: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    home = homes(True)
    assert act(capsys, home, "keys rotate", "--despite-findings")[0] == 0
    code, answer = act(capsys, home, f"keys revoke {key.public.keyid[:8]}", "--from", "18")
    assert code == 0
    assert [(item["check"], item["index"]) for item in answer["findings"]] == [("gate", 15)]
    assert reason(home, answer["record"]) == "yearly"
    line = ["audit", "keys", "revoke", key.public.keyid[:8], "--from", "17", "--home", str(home)]
    assert main([*line, "--reason", "earlier"]) == 0
    told = capsys.readouterr().out
    assert "is revoked: record 20" in told
    assert "done despite what verifying the log finds:\ngate: entry 15: it registers" in told


@pytest.mark.parametrize("words", ["keys rotate", "erase run-1 statistics"])
def test_what_a_crash_left_and_what_a_revoked_key_signed_hinder_nothing(
    homes: Callable[[bool], Path],
    words: str,
    draft: Callable[..., dict[str, Any]],
    key: SigningKey,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = homes(False)
    with open_notary(home) as notary:
        notary.submit(draft("START", run=draft("START")["run"] | {"id": "run-2"}))
    assert act(capsys, home, "keys rotate")[0] == 0
    assert act(capsys, home, f"keys revoke {key.public.keyid[:8]}", "--from", "18")[0] == 0
    assert {finding.check for finding in verify_log(home)} == {"open", "key"}
    assert act(capsys, home, words)[0] == 0


@pytest.mark.parametrize("words", [*ACTS, "keys revoke 63d0"])
def test_to_a_log_that_is_not_as_signed_nothing_is_added(
    homes: Callable[[bool], Path], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    home = homes(False)
    entry = AuditFolder(home).log / entry_key(7)
    entry.write_bytes(entry.read_bytes().replace(b"A", b"B", 1))
    more = () if "revoke" in words else ("--despite-findings",)
    assert act(capsys, home, words, *more)[0] == 4
    assert not (AuditFolder(home).log / entry_key(18)).exists()
