"""`tandem audit trace`: the data, code, gates and people that it promises, each with its record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from acts_of_people import ANN, People, change
from test_failed_gates import GATE, LOW, WAIVED
from test_failed_gates import told as tell

from components.audit.acts import WITHDRAW
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.canonical import sha256_bytes
from pipelines.cli import main

MODEL = "flight-delay@3"


def ask(capsys: pytest.CaptureFixture[str], home: Path, what: str) -> tuple[int, Any]:
    code = main(["audit", "trace", what, "--home", str(home), "--json"])
    return code, json.loads(capsys.readouterr().out)


def printed(capsys: pytest.CaptureFixture[str], home: Path, what: str = MODEL) -> str:
    main(["audit", "trace", what, "--home", str(home)])
    return capsys.readouterr().out


def test_each_step_has_its_attempt_its_actor_its_code_and_its_outputs(
    promoted: People, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = ask(capsys, promoted.home, MODEL)
    step = next(item for item in answer["steps"] if item["stage"] == "train_pytorch")
    assert (code, step["index"], step["attempt"], step["event"]) == (0, 7, 1, "COMPLETE")
    assert step["actor"] == {"id": "actor-7", "assurance": "self-asserted", "trigger": "manual"}
    assert list(step["outputs"]) == ["pytorch_model"]
    assert step["code"] == {
        "commit": "ab" * 20,
        "dirty": False,
        "modules_sha256": "56" * 32,
        "ir_sha256": "12" * 32,
        "run_settings_sha256": "34" * 32,
        "settings_sha256": step["code"]["settings_sha256"],
        "lock": "cpu-py311",
        "lock_sha256": "78" * 32,
    }
    text = printed(capsys, promoted.home)
    assert f"commit {'ab' * 20}, nothing uncommitted (#1 #3 #5" in text
    assert "pipeline 121212121212, settings 343434343434, lock cpu-py311 787878787878" in text
    assert "run run-1 submitted by actor-7, self-asserted, trigger manual" in text


def test_a_tree_with_uncommitted_changes_is_said_to_be_one(
    home: Path, new_story: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from components.audit.notary import open_notary

    class Dirty:
        def __init__(self, notary: Any) -> None:
            self.notary = notary

        def submit(self, draft: dict[str, Any]) -> Any:
            code = draft["run"]["code"] | {"dirty": True}
            return self.notary.submit({**draft, "run": draft["run"] | {"code": code}})

    with open_notary(home) as notary:
        new_story(Dirty(notary), home / "runs" / "run-1").tell()
    assert f"commit {'ab' * 20}, with uncommitted changes" in printed(capsys, home)
    assert ask(capsys, home, MODEL)[1]["steps"][0]["code"]["dirty"] is True


def test_the_data_and_every_gate_cite_the_record_that_has_them(
    promoted: People, capsys: pytest.CaptureFixture[str]
) -> None:
    views = VerifiedLog.of(promoted.home).views
    answer = ask(capsys, promoted.home, MODEL)[1]
    (data,) = answer["data"]
    assert (data["index"], data["record"]) == (1, views[1].record)
    assert (data["dataset"], data["rows"]) == ("flights", 327346)
    assert data["files"] == [{"location": "flights.csv"}]
    assert data["examples_sha256"] == views[1].outputs["examples"]
    gates = [(item["index"], item["stage"], item["result"]) for item in answer["gates"]]
    assert gates == [(3, "validate_examples", "passed"), (11, "evaluate_models", "passed")]
    gate = answer["gates"][0]
    assert [gate[name] for name in ("metric", "slice", "value", "operator", "threshold")] == [
        "auc",
        "overall",
        0.71,
        ">=",
        0.7,
    ]
    assert gate["record"] == views[3].record


def test_a_waived_gate_is_told_with_the_waiver_that_let_it_by(
    home: Path, new_story: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = sha256_bytes(WAIVED.encode())
    gate = {"name": "minimum_auc", **GATE, **LOW, "waived_by": digest}
    said = {"sha256": digest, "keyid": "5" * 64, "counts": True, "gate": "minimum_auc"}
    said |= {"reason": "few rows", "until": "2026-06-01", "refused": None}

    class Knowing(new_story):  # type: ignore[misc]
        def facts(self, stage: str) -> dict[str, Any]:
            found: dict[str, Any] = super().facts(stage)
            return found | {"waivers": [said]} if stage == "validate_examples" else found

    tell(home, Knowing, "validate_examples", gate, settings={"waivers": [WAIVED]})
    assert verify_log(home) == []
    answer = ask(capsys, home, MODEL)[1]
    (waiver,) = answer["people"]["waivers"]
    assert (waiver["index"], waiver["sha256"], waiver["keyid"]) == (3, digest, "5" * 64)
    text = printed(capsys, home)
    assert f"minimum_auc waived: 0.5 >= 0.7, n 25000, waiver {digest[:12]}" in text
    assert "waiver of minimum_auc by key 555555555555 until 2026-06-01: few rows (#3)" in text


def test_what_people_did_is_told_with_signer_meaning_and_time(
    promoted: People, capsys: pytest.CaptureFixture[str]
) -> None:
    views = VerifiedLog.of(promoted.home).views
    people = ask(capsys, promoted.home, MODEL)[1]["people"]
    assert [(item["run"], item["id"]) for item in people["submitted"]] == [("run-1", "actor-7")]
    approval, review, promotion = people["acts"]
    assert (approval["name"], approval["meaning"]) == ("Ann, model risk", "approval")
    assert approval["keyid"] == ANN.public.keyid
    assert approval["signed"] == "2026-05-04T03:05:00+00:00"
    assert review["meaning"] == "review"
    assert (promotion["id"], promotion["reason"]) == ("actor-8", "as agreed")
    for item in people["acts"]:
        assert item["record"] == views[item["index"]].record
    text = printed(capsys, promoted.home)
    assert f"by Ann, model risk, signed {approval['signed']} until 2026-06-03 (#18)" in text
    assert f"record {approval['record']}, key {ANN.public.keyid[:12]}" in text
    assert f"promoted by actor-8 at {promotion['time']} (#20)" in text
    assert f"record {promotion['record']}\n           as agreed" in text
    assert "no act on it omitted: 1 runs started, 1 closed" in text


def test_a_withdrawal_is_told_and_an_act_on_another_version_is_not(
    promoted: People, capsys: pytest.CaptureFixture[str]
) -> None:
    promoted.act(WITHDRAW, change("3", None, reason="wrong labels"))
    assert "withdrawn by actor-8" in printed(capsys, promoted.home)
    other = ask(capsys, promoted.home, "flight-delay@4")[1]
    assert other["people"]["acts"] == []
    assert other["versions"][0]["framework"] == "tensorflow"


def test_a_version_is_named_by_alias_number_or_digest_as_elsewhere(
    promoted: People, capsys: pytest.CaptureFixture[str]
) -> None:
    code, expected = ask(capsys, promoted.home, MODEL)
    names = ("champion", "flight-delay@champion", "candidate", "3", expected["bundle_sha256"])
    for what in names:
        assert ask(capsys, promoted.home, what) == (code, expected), what
    challenger = ask(capsys, promoted.home, "challenger")[1]
    assert challenger["versions"][0]["version"] == "4"
    for what in ("flight-delay@best", "best", "9", "flight-delay@9", "0" * 64):
        code, answer = ask(capsys, promoted.home, what)
        assert (code, answer["error"]["kind"]) == (2, "NotRecordedError"), what
        assert answer["checkpoint"] == expected["checkpoint"]


def test_a_bundle_that_nobody_registered_has_no_acts_and_says_of_no_log(
    promoted: People, capsys: pytest.CaptureFixture[str]
) -> None:
    log = VerifiedLog.of(promoted.home)
    code, answer = ask(capsys, promoted.home, log.views[1].outputs["examples"])
    assert (code, answer["versions"], answer["completeness"]) == (0, [], None)
    assert [step["index"] for step in answer["steps"]] == [1]
