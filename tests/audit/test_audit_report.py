"""`tandem audit report`: what it writes, what it cites, and how it ends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from acts_of_people import ANN, MODEL, People, entry
from test_attacks_on_acts import (
    approve_as_the_submitter,
    decide_after_the_approval,
    everywhere,
    expire_the_approval,
    rewritten,
    work_alone,
)

from components.audit.checkpoint import Checkpoint, open_checkpoint, origin_of
from components.audit.envelope import Envelope
from components.audit.folder import AuditFolder
from components.audit.keys import SigningKey, read_public_key
from components.audit.merkle import Tree, leaf_hash
from pipelines.cli import main
from pipelines.cli.audit_report_parser import TEMPLATES

HOSTILE = "<script>alert('x')</script>&\""
Said = tuple[int, dict[str, Any]]
Report = Callable[..., Said]


@pytest.fixture
def report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Report:
    """Write a report and return the exit code and what was said, as JSON."""

    def call(home: Path, *words: str, version: str = f"{MODEL}@3") -> Said:
        given = words or ("--template", "annex-iv")
        page = ("-o", str(tmp_path / "page.html"))
        code = main(["audit", "report", version, *given, *page, "--home", str(home), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return call


def trust(home: Path) -> None:
    keys = AuditFolder(home).approver_keys
    keys.mkdir(parents=True)
    (keys / "ann.pub").write_bytes(ANN.public.to_pem())


def sign_checkpoints_again(home: Path, key: SigningKey) -> None:
    """Let the log's own key sign over whatever the entries are."""
    log, tree = AuditFolder(home).log, Tree()
    for index in range(len(list((log / "entries").rglob("*.json")))):
        tree.append(leaf_hash(entry(home, index).read_bytes()))
        note = Checkpoint(origin_of(key.public), index + 1, tree.root()).sign(key)
        (log / f"checkpoints/000000/{index + 1:09d}").write_text(note)


def page(tmp_path: Path) -> str:
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_version_that_nobody_approved_is_reported_with_its_gaps(
    people: People, report: Report, tmp_path: Path
) -> None:
    code, said = report(people.home, "--template", "part11")
    assert code == 0
    assert said["findings"] == []
    status = {control["clause"]: control["status"] for control in said["controls"]}
    assert status["21 CFR 11.50(a)(3)"] == status["21 CFR 11.70"] == "gap"
    assert said["people"]["lacking"] == ["1 people must have signed with meaning approval, 0 have"]
    text = page(tmp_path)
    assert "Nobody has signed for this version." in text
    assert f"Lacking: {said['people']['lacking'][0]}" in text
    assert text.count('<td class="bad">gap</td>') == said["tally"]["gap"] > 0
    assert f"the log verifies, {said['tally']['gap']} of" in text.split("<h1")[1]


def test_an_approval_that_counts_fills_its_gap_and_is_shown_with_its_key(
    people: People, report: Report, tmp_path: Path
) -> None:
    trust(people.home)
    people.approve(name=HOSTILE, until=date(2999, 1, 1))
    code, said = report(people.home, "--template", "part11")
    (one,) = said["people"]["approvals"]
    assert (code, one["counts"], one["keyid"]) == (0, True, ANN.public.keyid)
    status = {control["clause"]: control["status"] for control in said["controls"]}
    assert status["21 CFR 11.50(a)(3)"] == "answered"
    text = page(tmp_path)
    assert HOSTILE not in text
    assert "&lt;script&gt;alert(&#39;x&#39;)" in text
    assert ANN.public.keyid in text


def test_a_promoted_version_is_told_as_champion_and_what_it_took_the_place_of(
    promoted: People, report: Report
) -> None:
    _, said = report(promoted.home)
    assert "By the records it is the champion." in said["verdict"]
    assert [act["what"] for act in said["acts"]] == [
        "approve model",
        "approve model",
        "promote model",
    ]
    assert (
        "By the records it is not the champion." in report(promoted.home, version="4")[1]["verdict"]
    )


def test_that_nobody_was_asked_to_sign_is_told_as_that(
    promoted: People, report: Report, key: SigningKey
) -> None:
    rewritten(promoted.home, key, everywhere(work_alone))
    code, said = report(promoted.home, "--template", "sr26-2")
    assert code == 0
    assert "0 of 2 signed approvals count; none was asked for." in said["verdict"]
    status = {control["clause"]: control["status"] for control in said["controls"]}
    assert status["SR 26-2, model validation and monitoring: before use"] == "gap"


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_answer_cites_a_record_under_the_checkpoint_that_verifies(
    promoted: People, report: Report, template: str, tmp_path: Path
) -> None:
    _, said = report(promoted.home, "--template", template)
    checkpoint = open_checkpoint(
        said["checkpoint"]["note"], read_public_key(AuditFolder(promoted.home))
    )
    assert (checkpoint.size, checkpoint.root.hex()) == (
        said["checkpoint"]["size"],
        said["checkpoint"]["root"],
    )
    records = {step["index"]: step["record"] for step in [*said["lineage"], *said["acts"]]}
    answers = [answer for control in said["controls"] for answer in control["answers"]]
    for answer in answers:
        if answer["record"]:
            assert records[answer["index"]] == answer["record"]
        else:
            assert answer["index"] == checkpoint.size
    text = page(tmp_path)
    assert all(record in text for record in records.values())
    assert said["checkpoint"]["note"].splitlines()[2] in text


def test_a_page_needs_no_script_and_no_network_and_says_how_to_verify(
    promoted: People, report: Report, tmp_path: Path
) -> None:
    report(promoted.home)
    text = page(tmp_path)
    for part in ("<script", "<img", "<iframe", "<object", "javascript:", " src=", "@import"):
        assert part not in text
    assert text.count("href=") == 1
    for command in ("verify", f"trace {MODEL}@3", f"approvals {MODEL}@3", f"reproduce {MODEL}@3"):
        assert f"audit {command} --" in text
    headings = [part.split("</h2>")[0] for part in text.split("<h2>")[1:]]
    assert headings == [
        "Lineage",
        "Gates",
        "People and independence",
        "Data",
        "Environment, and how to reproduce it",
        "Control matrix",
        "How to verify it yourself",
    ]


def test_findings_come_first_and_end_with_4(
    people: People, report: Report, tmp_path: Path, draft: Callable[..., dict[str, Any]]
) -> None:
    people.notary.submit(draft("START", "evaluate_models"))
    people.notary.submit(draft("START", "seal_run", attempt=2))
    cause = {"kind": "PlatformError", "message": "no disk", "remedy": "make room"}
    people.notary.submit(draft("FAIL", "seal_run", attempt=2, cause=cause))
    code, said = report(people.home)
    assert code == 4
    assert said["findings"][0]["check"] == "open"
    assert said["verdict"][0].startswith("The log has findings (1)")
    text = page(tmp_path)
    assert "the log has findings" in text.split("</h1>")[0]
    assert said["findings"][0]["message"] in text


@pytest.mark.parametrize(
    ("attack", "why"),
    [
        (approve_as_the_submitter, "its signer submitted the run"),
        (decide_after_the_approval, "it was signed before the run's gates were decided on"),
        (expire_the_approval, "it held until 2026-06-03"),
    ],
)
def test_an_approval_that_should_not_have_counted_fills_no_gap_whatever_a_promotion_says(
    promoted: People, report: Report, key: SigningKey, attack: Any, why: str
) -> None:
    trust(promoted.home)
    rewritten(promoted.home, key, attack)
    code, said = report(promoted.home, "--template", "part11")
    assert code == 4
    status = {control["clause"]: control["status"] for control in said["controls"]}
    assert status["21 CFR 11.50(a)(3)"] == "gap"
    approval = said["people"]["approvals"][0]
    assert (approval["counts"], approval["why_not"]) == (False, why)


@pytest.mark.parametrize("index", [15, 20])  # the registration, and the promotion
def test_a_record_under_the_checkpoint_that_another_key_signed_gives_no_page(
    promoted: People, report: Report, key: SigningKey, tmp_path: Path, index: int
) -> None:
    leaf = entry(promoted.home, index)
    statement = json.loads(Envelope.from_bytes(leaf.read_bytes()).payload)
    leaf.write_bytes(Envelope.sign(statement, ANN).to_bytes())
    sign_checkpoints_again(promoted.home, key)
    code, said = report(promoted.home)
    assert (code, said["error"]["kind"]) == (4, "IntegrityError")
    assert "not signed by the log's key" in said["error"]["message"]
    assert not (tmp_path / "page.html").exists()


def test_a_log_that_is_not_what_was_signed_gives_no_page_and_ends_with_4(
    told: Path, report: Report, tmp_path: Path
) -> None:
    home = Path(shutil.copytree(told / "home", tmp_path / "home"))
    leaf = home / "audit/log/entries/000000/000000001.json"
    leaf.write_bytes(leaf.read_bytes().replace(b"A", b"B", 1))
    code, said = report(home)
    assert (code, said["error"]["kind"]) == (4, "IntegrityError")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("gone", ["audit/log", "audit/keys/notary.pub", "audit/log/checkpoints"])
def test_what_cannot_be_verified_gives_no_page_and_ends_with_5(
    told: Path, report: Report, tmp_path: Path, gone: str
) -> None:
    home = Path(shutil.copytree(told / "home", tmp_path / "home"))
    path = home / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    code, said = report(home)
    assert (code, said["error"]["kind"]) == (5, "UnverifiableError")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("words", "version"),
    [
        (("--template", "iso"), f"{MODEL}@3"),
        (("--verbose",), f"{MODEL}@3"),
        (("--template", "part11"), f"{MODEL}@9"),
        (("--template", "part11"), "other@3"),
        (("--template", "part11"), f"{MODEL}@champion"),
    ],
)
def test_wrong_usage_ends_with_2(
    told: Path, report: Report, words: tuple[str, ...], version: str
) -> None:
    code, said = report(told / "home", *words, version=version)
    assert code == 2
    assert said["error"]["remedy"]


def test_what_run_json_says_changes_nothing_but_the_findings(
    told: Path, report: Report, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(told, tmp_path / "state"))
    shutil.move(root / "runs", root / "home" / "runs")
    code, before = report(root / "home")
    assert code == 0
    file = root / "home/runs/run-1/run.json"
    file.write_text(file.read_text().replace("flights", "another").replace("actor-7", "nobody"))
    stored = json.loads(file.read_text())
    output = stored["tasks"]["ingest_examples"]["outputs"]["examples"]
    output["sha256"] = output["metadata"]["sha256"] = "0" * 64
    file.write_text(json.dumps(stored))
    code, after = report(root / "home")
    assert code == 4
    different = {key for key in before if before[key] != after[key]}
    assert different == {"findings", "verdict"}


def test_without_a_name_the_page_is_called_by_the_version_and_the_template(
    told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--template", "sr26-2", "--home", str(told / "home")]
    assert main(["audit", "report", "3", *words]) == 0
    assert (tmp_path / f"{MODEL}@3-sr26-2.html").is_file()
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("The log verifies: no finding in 18 records")
    assert out[1].startswith("Of what it speaks: 1 runs started, 1 closed, log consistent from")
    assert out[-1] == f"report      {MODEL}@3-sr26-2.html"


def test_a_page_that_cannot_be_written_is_the_operators_to_mend(
    told: Path, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "file").touch()
    words = ["--template", "sr26-2", "--home", str(told / "home"), "--json"]
    code = main(["audit", "report", "3", *words, "-o", str(tmp_path / "file" / "page.html")])
    said = json.loads(capsys.readouterr().out)
    assert (code, said["error"]["kind"]) == (1, "PlatformError")
    assert said["error"]["remedy"] == "name another file with -o"
