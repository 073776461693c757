"""A model registered from the folder that an imported execution made: traced and exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import test_verifier_attacks as attacks
from exported_files import Files, envelopes, exported, unpacked, verified
from imported_history import history, import_into
from second_verdict import found_by_second

from components.audit.keys import SigningKey
from components.audit.notary import open_notary
from components.audit.tlog_proof import TlogProof
from components.audit.trace import trace
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.artifacts import write_json
from components.core.errors import IntegrityError
from components.register_models.impact import impact
from pipelines.cli import main

MODEL = "flight-delay@3"
STAGES = (
    ("ingest_examples", ("examples",), ()),
    ("validate_examples", ("validation",), ("examples",)),
    ("import_model", ("imported_model",), ("examples", "validation")),
    ("evaluate_models", ("evaluation",), ("examples", "imported_model")),
    ("decide_release", ("decision",), ("evaluation",)),
    ("register_models", ("registration",), ("imported_model", "evaluation", "decision")),
    ("seal_run", ("closing",), ()),
)


def registered(story: Any, given: str, *artifacts: str) -> None:
    """Tell the run that registers a model of that digest, which lay in artifacts of others."""
    facts = story.facts

    def of_import(stage: str) -> dict[str, Any]:
        if stage == "import_model":
            said = {"name": "2", "format": "saved_model", "sha256": given}
            return {"given": said | ({"artifacts": list(artifacts)} if artifacts else {})}
        if stage != "register_models":
            return dict(facts(stage))
        bundle = story.refs["imported_model"]["sha256"]
        version = {"framework": "imported", "version": "3", "bundle_sha256": bundle}
        return {"model_name": "flight-delay", "versions": {"candidate": version}}

    story.facts = of_import
    for stage, outputs, inputs in STAGES:
        story.stage(stage, outputs, inputs)


@pytest.fixture(params=["the artifact", "a part of it"])
def home_with_both(
    home: Path, clock: Any, new_story: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> Path:
    """Two models were imported before one of them, or a file in it, was registered."""
    told = history(tmp_path / "tfx")
    with open_notary(home, clock) as notary:
        made = import_into(notary, told)
        story = new_story(notary, home / "runs" / "run-1")
        model = made[1].outputs[0]["sha256"]
        registered(story, *([model] if request.param == "the artifact" else ["5" * 64, model]))
        said = {"version": 1, "run": {"id": "run-1"}, "state": "SUCCEEDED"}
        write_json(story.folder / "run.json", said | {"tasks": story.tasks})
    return home


def test_the_trace_of_a_registered_model_leads_to_what_was_imported(home_with_both: Path) -> None:
    assert verify_log(home_with_both) == []
    found = trace(home_with_both, MODEL)
    given = {step.stage: step.given_by for step in found.steps if step.given_by is not None}
    assert given == {"import_model": 1}
    assert [step.index for step in found.steps if step.event == "IMPORTED"] == [0, 1]
    text = found.to_text()
    assert "given what #1 made, which was only imported" in text
    assert "claimed: tfx.components.Trainer COMPLETE" in text
    assert "claimed: examples/1 is of span 7" in text


def test_the_trace_of_an_imported_model_cites_its_ancestors_and_the_checkpoint(
    home_with_both: Path,
) -> None:
    registered_one = trace(home_with_both, MODEL)
    pushed = VerifiedLog.of(home_with_both).views[2].subjects["claimed/pushed_model/3"]
    found = trace(home_with_both, pushed)
    assert [(step.index, step.parents) for step in found.steps] == [(0, ()), (1, (0,)), (2, (1,))]
    assert all(len(step.record) == 64 for step in found.steps)
    assert found.checkpoint == registered_one.checkpoint


@pytest.mark.parametrize("what", ["7", "taxi", "digest"])
def test_the_imported_models_that_claim_to_stand_on_data_are_found(
    home_with_both: Path, what: str
) -> None:
    views = VerifiedLog.of(home_with_both).views
    named = views[0].outputs["examples/1"] if what == "digest" else what
    found = impact(home_with_both, named)
    assert [(model.name, model.index, model.data) for model in found.imported] == [
        ("model/2", 1, (0,)),
        ("pushed_model/3", 2, (0,)),
    ]
    assert [model.registered_as for model in found.imported] == [(MODEL,), ()]
    assert found.models == ()
    assert f"registered as {MODEL}\n    #1 record  {views[1].record}" in found.to_text()
    assert found.to_dict()["imported"][0]["sha256"] == views[1].outputs["model/2"]


def test_data_that_no_imported_model_stands_on_gives_none(home_with_both: Path) -> None:
    assert impact(home_with_both, "8").imported == ()


@pytest.mark.parametrize("command", ["trace", "impact"])
def test_what_was_imported_empty_is_not_asked_for_by_the_digest_of_every_empty_artifact(
    home: Path, clock: Any, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = history(tmp_path / "tfx")
    for place, name in (
        ("CsvExampleGen/examples/1", "rows.json"),
        ("Trainer/model/2", "weights.json"),
    ):
        (tmp_path / "tfx" / place / name).unlink()
    with open_notary(home, clock) as notary:
        empty, other = (item.outputs[0]["sha256"] for item in import_into(notary, told)[:2])
    assert empty == other
    assert main(["audit", command, empty, "--home", str(home)]) == 2
    said = capsys.readouterr()
    assert "all such artifacts have it" in said.err
    assert "record" not in said.out
    assert main(["audit", "impact", "taxi", "--home", str(home)]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "verify",
        f"trace {MODEL}",
        "impact taxi",
        "gates",
        "inventory --at 2026-12-31",
        f"approvals {MODEL}",
        "keys list",
    ],
)
def test_every_answer_takes_a_log_with_imported_records(home_with_both: Path, words: str) -> None:
    assert main(["audit", *words.split(), "--home", str(home_with_both)]) == 0


def test_a_catalogue_is_told_nothing_of_what_was_imported(
    home_with_both: Path, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    words = ["openlineage", "-o", str(file), "--home", str(home_with_both)]
    assert main(["audit", *words]) == 0
    assert "flights.register_models" in file.read_text()
    assert "import_execution" not in file.read_text()


def test_a_thief_cannot_put_what_was_imported_in_the_place_of_what_a_stage_made(
    home_with_both: Path, key: SigningKey
) -> None:
    views = VerifiedLog.of(home_with_both).views
    claimed = {"name": "examples", "sha256": views[0].outputs["examples/1"]}

    def exchange(said: list[dict[str, Any]]) -> None:
        for view in views:
            block = attacks.block(said[view.index])
            if view.stage == "validate_examples":
                block["inputs"] = [claimed | {"record": views[0].record}]
                block["parents"] = [views[0].record]
                for item in said[view.index]["predicate"].get("dependencies", [])[:1]:
                    item["digest"]["sha256"] = claimed["sha256"]

    attacks.with_records(home_with_both.parent, key, lambda said: None, len(views))
    assert trace(home_with_both, MODEL).steps
    attacks.with_records(home_with_both.parent, key, exchange, len(views))
    messages = [finding.message for finding in verify_log(home_with_both)]
    assert messages.count("no parent of it made its examples") == 2
    with pytest.raises(IntegrityError, match="stands on what was only imported"):
        trace(home_with_both, MODEL)
    assert "no parent made what it stands on" in found_by_second(home_with_both)


@pytest.fixture
def export_of_both(home_with_both: Path) -> Files:
    return unpacked(exported(home_with_both))


@pytest.mark.slow
def test_an_export_holds_what_was_imported_and_its_verifier_says_so(
    export_of_both: Files, tmp_path: Path, capsys: Any
) -> None:
    assert verified(export_of_both, tmp_path, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["imported"] == [0, 1]
    assert verified(export_of_both, tmp_path) == 0
    assert "records 0, 1 were only imported: what another system claims" in capsys.readouterr().out


@pytest.mark.slow
def test_a_byte_changed_in_an_imported_record_of_an_export_is_a_finding(
    export_of_both: Files, tmp_path: Path
) -> None:
    for name in [n for n, s in envelopes(export_of_both).items() if is_imported(s)]:
        data = bytearray(export_of_both[name])
        data[len(data) // 2] ^= 1
        assert verified({**export_of_both, name: bytes(data)}, tmp_path / name) == 4


@pytest.mark.slow
def test_an_export_without_what_an_imported_record_stands_on_is_refused(
    export_of_both: Files, tmp_path: Path, capsys: Any
) -> None:
    gone = ("records/000000000.json", "records/000000000.tlog-proof")
    left = {name: data for name, data in export_of_both.items() if name not in gone}
    assert verified(left, tmp_path) == 4
    assert "is not here" in capsys.readouterr().out


@pytest.mark.slow
def test_an_imported_record_of_another_model_is_no_part_of_an_export(
    home_with_both: Path, export_of_both: Files, tmp_path: Path, capsys: Any
) -> None:
    log = VerifiedLog.of(home_with_both)
    proof = log.inclusion(log.views[2])
    text = TlogProof(2, proof.hashes, export_of_both["checkpoint"].decode()).to_text()
    more = {"records/000000002.json": proof.envelope, "records/000000002.tlog-proof": text.encode()}
    assert verified({**export_of_both, **more}, tmp_path) == 4
    assert "the imported record 2 is of no model that was given" in capsys.readouterr().out


def is_imported(statement: dict[str, Any]) -> bool:
    return bool(statement["predicate"]["tandem_audit"]["event"] == "IMPORTED")
