"""What is wrong with a version is said by every answer on it, and by no answer on another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from acts_of_people import late_clock
from test_failed_gates import GATE, LOW

from components.audit.notary import open_notary
from components.audit.verified_log import VerifiedLog
from components.core.artifacts import write_json
from components.core.canonical import sha256_value
from pipelines.cli import main

Claim = dict[str, Any]
GOOD, BAD = "flight-delay", "other"
OF_A_VERSION = (
    "trace {}@3",
    "export {}@3 -o FOLDER/out.zip",
    "approvals {}@3",
    "diff {}@3 {}@4",
    "report {}@3 --template part11 -o FOLDER/out.html",
    "openlineage {}@3 -o FOLDER/out.jsonl",
)
OF_ALL = ("verify", "gates", "gates --failed", "inventory --at 2027-01-01", "impact flights")
AUC = {"metric": "auc", "operator": ">=", "threshold": 0.7}
CLAIMS: dict[str, tuple[Claim, Claim]] = {
    "failed": ({"gates": [{"name": "minimum_auc", **GATE, **LOW}]}, {}),
    "left out": ({}, {"policy": {"gates": [AUC]}}),
    "unheld": ({"gates": [{"name": "auc", **GATE, **LOW, "waived_by": "0" * 64}]}, {}),
}


def telling(new_story: Any, model: str, claims: Claim, settings: Claim) -> Callable[..., None]:
    """Return what tells a run that registers a model by a decision that claims this."""

    class Told(new_story):  # type: ignore[misc]
        def facts(self, stage: str) -> Claim:
            found: Claim = super().facts(stage)
            return found | {"model_name": model} if stage == "register_models" else found

    class Notary:
        """The notary, and before it a run of another name whose decision claims what it likes."""

        def __init__(self, notary: Any) -> None:
            self.notary = notary

        def submit(self, draft: Claim) -> Any:
            run = draft["run"] | {"id": f"run-of-{model}"}
            draft = {**draft, "run": run}
            if draft["stage"] == "decide_release":
                said = settings or draft["settings"]
                draft |= {"settings": said, "settings_sha256": sha256_value(said)}
                draft |= claims if draft["event"] == "COMPLETE" else {}
            return self.notary.submit(draft)

    def tell(home: Path, notary: Any) -> None:
        story = Told(Notary(notary), home / "runs" / f"run-of-{model}")
        story.tell()
        told = json.loads((story.folder / "run.json").read_text())
        told["run"]["id"] = f"run-of-{model}"
        write_json(story.folder / "run.json", told)

    return tell


@pytest.fixture
def homes(home: Path, new_story: Any, careless: None) -> Callable[[str | None], Path]:
    """Give a home with two models, of which the second one's decision is wrong in some way."""

    def told(wrong: str | None) -> Path:
        claims, settings = CLAIMS[wrong] if wrong else ({}, {})
        with open_notary(home, late_clock()) as notary:
            telling(new_story, GOOD, {}, {})(home, notary)
            telling(new_story, BAD, claims, settings)(home, notary)
        return home

    return told


def ask(home: Path, folder: Path, words: str, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return the exit code, and the findings of the answer as JSON."""
    line = ["audit", *words.replace("FOLDER", str(folder)).split(), "--home", str(home)]
    code = main([*line, "--json"])
    answer = json.loads(capsys.readouterr().out)
    again = main(line)
    printed = capsys.readouterr().out
    assert again == code, words
    for finding in answer["findings"]:
        assert words.startswith("report") or finding["message"] in printed, words
    return code, [(item["check"], item["index"], item["record"]) for item in answer["findings"]]


@pytest.mark.parametrize("wrong", [None, *CLAIMS])
def test_every_answer_on_a_version_ends_with_what_is_wrong_with_it(
    homes: Callable[[str | None], Path],
    wrong: str | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = homes(wrong)
    code, expected = ask(home, tmp_path, "verify", capsys)
    assert code == (4 if wrong else 0)
    views = VerifiedLog.of(home).views
    assert all(views[index].record == record for _, index, record in expected)
    of_bad = [words.format(BAD, BAD) for words in OF_A_VERSION]
    for words in (*OF_ALL, *of_bad):
        assert ask(home, tmp_path, words, capsys) == (code, expected), words


def test_answers_on_another_version_stay_as_they_were(
    homes: Callable[[str | None], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = homes("failed")
    for words in (words.format(GOOD, GOOD) for words in OF_A_VERSION):
        if not words.startswith("report"):  # which has the whole log's verdict first
            assert ask(home, tmp_path, words, capsys) == (0, []), words
    assert ask(home, tmp_path, "gates --until 2026-05-04T03:06:15Z", capsys) == (0, [])
    assert ask(home, tmp_path, "inventory --at 2026-05-04T03:06:18Z", capsys) == (0, [])


def test_what_was_asked_to_be_reproduced_carries_the_finding_too(
    homes: Callable[[str | None], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = homes("failed")
    for model, found in ((GOOD, []), (BAD, [("gate", 33)])):
        code = main(["audit", "reproduce", f"{model}@3", "--home", str(home), "--json"])
        answer = json.loads(capsys.readouterr().out)
        assert code == (4 if found else 5)
        assert [(item["check"], item["index"]) for item in answer["findings"]] == found
