"""`tandem audit report`: findings are cited, erased artifacts and imported records are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from imported_history import history, import_into
from test_a_model_that_was_imported_before import MODEL as GIVEN
from test_a_model_that_was_imported_before import registered
from test_failed_gates import GATE, LOW
from test_failed_gates import told as over_a_failed_gate

from components.audit.log import entry_key
from components.audit.notary import open_notary
from components.audit.verified_log import VerifiedLog
from components.core.artifacts import write_json
from components.core.canonical import sha256_bytes
from pipelines.cli import main
from pipelines.cli.audit_report_parser import TEMPLATES

pytestmark = pytest.mark.slow
MODEL = "flight-delay@3"


def report(capsys: Any, home: Path, template: str, version: str = MODEL) -> tuple[int, Any, str]:
    page = home.parent / "page.html"
    words = ["audit", "report", version, "--template", template, "-o", str(page)]
    code = main([*words, "--home", str(home), "--json"])
    return code, json.loads(capsys.readouterr().out), page.read_text(encoding="utf-8")


@pytest.mark.parametrize("template", TEMPLATES)
def test_an_artifact_that_was_erased_is_told_with_its_digest_and_the_record_of_the_erasure(
    recorded: Path, capsys: Any, template: str
) -> None:
    _, before, page = report(capsys, recorded, template)
    assert before["erased"] == []
    assert "No record says that an artifact behind it was erased." in before["verdict"]
    erase = ["audit", "erase", "run-1", "statistics", "--reason", "request of 12 May"]
    assert main([*erase, "--home", str(recorded)]) == 0
    capsys.readouterr()
    code, said, page = report(capsys, recorded, template)
    assert (code, said["findings"]) == (0, [])
    last = VerifiedLog.of(recorded).views[-1]
    (one,) = said["erased"]
    (made,) = (step for step in said["lineage"] if "statistics" in step["made"])
    assert (one["index"], one["record"], one["reason"]) == (
        last.index,
        last.record,
        "request of 12 May",
    )
    assert (one["made_by"], one["sha256"]) == (made["index"], made["made"]["statistics"])
    assert f"#{last.index} {last.record}" in page
    assert any(
        sentence.startswith("1 artifacts behind it were erased") for sentence in said["verdict"]
    )


def test_what_was_erased_and_does_not_stand_behind_the_version_is_not_told_of_it(
    recorded: Path, capsys: Any
) -> None:
    erase = ["audit", "erase", "run-1", "closing", "--reason", "request of 12 May"]
    assert main([*erase, "--home", str(recorded)]) == 0
    capsys.readouterr()
    _, said, _ = report(capsys, recorded, "part11")
    assert said["erased"] == []


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_was_imported_of_a_model_is_told_as_a_claim_with_its_records(
    home: Path, clock: Any, new_story: Any, tmp_path: Path, capsys: Any, template: str
) -> None:
    with open_notary(home, clock) as notary:
        made = import_into(notary, history(tmp_path / "tfx"))
        story = new_story(notary, home / "runs" / "run-1")
        registered(story, made[1].outputs[0]["sha256"])
        said = {"version": 1, "run": {"id": "run-1"}, "state": "SUCCEEDED"}
        write_json(story.folder / "run.json", said | {"tasks": story.tasks})
    _, said, page = report(capsys, home, template, GIVEN)
    views = VerifiedLog.of(home).views
    assert [(one["index"], one["record"]) for one in said["imported"]] == [
        (view.index, view.record) for view in views[:2]
    ]
    assert "model/2" in said["imported"][1]["made"]
    assert all(view.record in page for view in views[:2])
    assert views[2].record not in page
    assert "store claims of the model that was given" in page
    assert any("2 imported records tell: claims" in sentence for sentence in said["verdict"])


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_finding_cites_its_entry_the_digest_it_has_now_and_the_checkpoint(
    home: Path, new_story: Any, capsys: Any, template: str
) -> None:
    over_a_failed_gate(home, new_story, "evaluate_models", {"name": "auc", **GATE, **LOW})
    code, said, page = report(capsys, home, template)
    (finding,) = said["findings"]
    assert (code, finding["check"], finding["where"]) == (4, "gate", "entry 15")
    leaf = home / "audit/log" / entry_key(15)
    assert (finding["index"], finding["record"]) == (15, sha256_bytes(leaf.read_bytes()))
    assert f"#15 {finding['record']}" in page
    assert said["checkpoint"]["note"].splitlines()[2] in page
