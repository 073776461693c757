"""Imported records: frozen bytes, one record an execution, and what stands on what."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import test_verifier_attacks as attacks
from imported_history import STORE, drafts, execution, history, import_into
from second_verdict import found_by_second, second

from components.audit.answers import AUDIT, RecordView
from components.audit.completeness import completeness
from components.audit.envelope import Envelope
from components.audit.keys import SigningKey
from components.audit.notary import LocalNotary, open_notary
from components.audit.schema import check_statement
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.canonical import sha256_bytes
from components.core.errors import DataError, IntegrityError
from components.tfx_history.executions import History

GOLDEN = Path(__file__).parent / "golden"
ENTRIES = 5
Draft = Callable[..., dict[str, Any]]


@pytest.fixture
def told(tmp_path: Path) -> History:
    return history(tmp_path / "tfx")


@pytest.fixture
def imported_home(home: Path, clock: Any, told: History) -> Path:
    with open_notary(home, clock) as notary:
        import_into(notary, told)
    return home


def leaf(home: Path, index: int) -> bytes:
    return (home / f"audit/log/entries/000000/{index:09d}.json").read_bytes()


def statement(home: Path, index: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Envelope.from_bytes(leaf(home, index)).payload)
    return found


def test_an_imported_record_has_the_bytes_that_version_1_froze(imported_home: Path) -> None:
    assert leaf(imported_home, 1) == (GOLDEN / "imported-execution.json").read_bytes()


def test_both_verifiers_take_a_log_of_imported_records(imported_home: Path) -> None:
    assert verify_log(imported_home) == []
    assert second(imported_home).startswith(f"{ENTRIES} entries and ")


def test_bytes_that_were_there_are_hashed_by_the_notary_and_the_rest_is_a_claim(
    imported_home: Path,
) -> None:
    model, pushed = statement(imported_home, 1), statement(imported_home, 2)
    assert [item["name"] for item in model["subject"]] == ["model/2"]
    assert model["predicate"][AUDIT]["observed"][-1] == "subject.model/2"
    assert [item["name"] for item in pushed["subject"]] == ["claimed/pushed_model/3"]
    assert pushed["predicate"]["outputs"][0]["sha256"] is None
    assert pushed["predicate"][AUDIT]["observed"] == ["clocks.notary", "parents", "start"]


def test_an_execution_stands_on_the_makers_of_its_inputs_and_of_what_was_cached(
    imported_home: Path,
) -> None:
    records = [sha256_bytes(leaf(imported_home, index)) for index in range(ENTRIES)]
    parents = [statement(imported_home, i)["predicate"][AUDIT]["parents"] for i in range(ENTRIES)]
    assert parents == [[], [records[0]], [records[1]], [records[0]], [records[1]]]


def test_an_execution_that_failed_is_about_itself(imported_home: Path) -> None:
    failed = statement(imported_home, 4)
    assert [item["name"] for item in failed["subject"]] == ["execution/5"]
    assert failed["predicate"]["execution"]["state"] == "FAILED"


def test_the_same_history_again_gives_the_same_records_whoever_reads_which_file(
    notary: LocalNotary, told: History
) -> None:
    first = import_into(notary, told)
    again = import_into(notary, told, store=STORE | {"sha256": "ef" * 32})
    assert [item.is_new for item in first] == [True] * ENTRIES
    assert [item.is_new for item in again] == [False] * ENTRIES
    assert [item.record for item in again] == [item.record for item in first]
    receipts = [notary.submit(drafts(notary, told).draft(told.executions[0])) for _ in range(2)]
    assert {item.index for item in receipts} == {0}


def test_a_history_that_grew_adds_only_what_is_new(notary: LocalNotary, told: History) -> None:
    import_into(notary, told)
    more = execution(6, "StatisticsGen", inputs=(("examples", 1),))
    grown = replace(told, executions=(*told.executions, more))
    found = import_into(notary, grown, store=STORE | {"sha256": "ef" * 32})
    assert [item.is_new for item in found] == [False] * ENTRIES + [True]
    assert found[-1].index == ENTRIES


def test_a_store_that_tells_another_story_of_an_execution_is_refused(
    notary: LocalNotary, told: History
) -> None:
    import_into(notary, told)
    second_one = told.executions[1]
    said = {**second_one.said, "stored_sha256": "0" * 64}
    changed = (told.executions[0], replace(second_one, said=said))
    with pytest.raises(IntegrityError, match=r"otherwise of execution 2 than .* record 1"):
        import_into(notary, replace(told, executions=changed))


def test_bytes_that_were_exchanged_since_they_were_imported_are_found(
    notary: LocalNotary, told: History, tmp_path: Path
) -> None:
    import_into(notary, told)
    (tmp_path / "tfx/Trainer/model/2/weights.json").write_text("[0.6]")
    with pytest.raises(IntegrityError, match="artifact 2 of the store has other bytes"):
        import_into(notary, told)


def test_what_is_gone_since_it_was_imported_keeps_its_digest(
    notary: LocalNotary, told: History, tmp_path: Path, home: Path
) -> None:
    import_into(notary, told)
    shutil.rmtree(tmp_path / "tfx")
    more = execution(6, "InfraValidator", inputs=(("model", 2),), outputs=(("model", 2),))
    import_into(notary, replace(told, executions=(*told.executions, more)))
    before, after = statement(home, 1), statement(home, ENTRIES)
    assert after["subject"] == before["subject"]
    assert after["predicate"][AUDIT]["outputs"] == []
    assert verify_log(home) == []
    assert "verify" in second(home)


def test_nothing_is_recorded_where_one_execution_may_not_be(
    notary: LocalNotary, told: History
) -> None:
    bad = execution(6, "Trainer", pipeline={"name": "jane.doe@example.com"})
    made = replace(told, executions=(*told.executions, bad))
    with pytest.raises(DataError, match=r"execution 6 of the store: .* an e-mail address"):
        import_into(notary, made)
    assert notary.checkpoint().split("\n")[1] == "0"


def test_a_stage_does_not_stand_on_what_was_only_imported(
    notary: LocalNotary, told: History, draft: Draft
) -> None:
    model = import_into(notary, told)[1]
    named = {"name": "model", "sha256": model.outputs[0]["sha256"], "record": model.record}
    with pytest.raises(IntegrityError, match="did not make model"):
        notary.submit(draft("START", "evaluate_models", inputs=[named]))


def test_an_imported_execution_does_not_stand_on_what_a_stage_made(
    notary: LocalNotary, told: History, draft: Draft, artifact: Any, tmp_path: Path
) -> None:
    sha256 = artifact(tmp_path / "made", [1])
    claim = {"name": "examples", "sha256": sha256, "path": str(tmp_path / "made")}
    notary.submit(draft("START"))
    made = notary.submit(draft("COMPLETE", outputs=[claim]))
    imported = drafts(notary, told).draft(told.executions[1])
    imported["facts"]["inputs"][0]["sha256"] = sha256
    stands_on = {"name": "examples/1", "sha256": sha256, "record": made.record}
    with pytest.raises(IntegrityError, match="did not make examples/1"):
        notary.submit(imported | {"inputs": [stands_on]})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"run": {"id": "run-1", "actor": "actor-7", "trigger": "import"}}, "its run"),
        ({"claimed_time": "2026-05-04T03:02:01.000Z"}, "its claimed time"),
        ({"outputs": []}, "nobody hashed its examples/1"),
        ({"facts": {}}, "'store' is a required property"),
        ({"attempt": 2}, "1 was expected"),
        ({"stage": "train_pytorch"}, "'import_execution' was expected"),
    ],
    ids=lambda item: next(iter(item)) if isinstance(item, dict) else "",
)
def test_a_draft_that_contradicts_itself_is_refused(
    notary: LocalNotary, told: History, wrong: dict[str, Any], said: str
) -> None:
    good = drafts(notary, told).draft(told.executions[0])
    with pytest.raises(DataError, match=said):
        notary.submit(good | wrong)
    notary.submit(good)


def test_an_output_that_is_not_what_the_importer_says_is_refused(
    notary: LocalNotary, told: History, tmp_path: Path
) -> None:
    made = drafts(notary, told).draft(told.executions[0])
    (tmp_path / "tfx/CsvExampleGen/examples/1/rows.json").write_text("[]")
    with pytest.raises(IntegrityError, match="is not what the stage claims"):
        notary.submit(made)


def test_imported_runs_are_no_runs_that_were_never_closed(imported_home: Path) -> None:
    found = completeness(imported_home, VerifiedLog.of(imported_home))
    assert (found.runs_started, found.unclosed, found.records) == (0, (), ENTRIES)
    assert found.findings == []


def test_a_view_of_an_imported_record_survives_the_wire(imported_home: Path) -> None:
    view = RecordView.from_statement(statement(imported_home, 1), 1, "ab" * 32)
    assert view.facts["execution"]["id"] == 2
    assert RecordView.from_dict(json.loads(json.dumps(view.to_dict()))) == view


def test_an_unknown_field_in_any_object_of_an_imported_record_is_refused(
    imported_home: Path,
) -> None:
    good = statement(imported_home, 1)
    check_statement(good)
    for path in (("store",), ("pipeline",), ("execution",), ("inputs", 0), ("outputs", 0), ()):
        value = statement(imported_home, 1)
        target = value["predicate"]
        for step in path:
            target = target[step]
        target["unknown"] = 1
        with pytest.raises(DataError):
            check_statement(value)


def exchange_a_digest(said: list[dict[str, Any]]) -> None:
    said[1]["predicate"]["outputs"][0]["sha256"] = "0" * 64


def claim_a_digest(said: list[dict[str, Any]]) -> None:
    said[2]["predicate"]["outputs"][0]["sha256"] = "0" * 64
    said[2]["subject"] = [{"name": "pushed_model/3", "digest": {"sha256": "0" * 64}}]


def change_what_a_claim_is_of(said: list[dict[str, Any]]) -> None:
    said[2]["predicate"]["outputs"][0]["type"] = "Model"


def move_to_another_run(said: list[dict[str, Any]]) -> None:
    said[1]["predicate"]["pipeline"]["run"] = "another"


def hide_the_parent(said: list[dict[str, Any]]) -> None:
    attacks.block(said[1])["parents"] = []


def stand_on_another(said: list[dict[str, Any]]) -> None:
    attacks.block(said[2])["inputs"][0]["record"] = attacks.block(said[1])["parents"][0]
    attacks.block(said[2])["parents"] = attacks.block(said[1])["parents"]


def stand_under_another_name(said: list[dict[str, Any]]) -> None:
    attacks.block(said[1])["inputs"][0]["name"] = "schema/1"


def change_the_time(said: list[dict[str, Any]]) -> None:
    said[1]["predicate"]["execution"]["updated"] = "2026-01-01T00:00:00.000Z"


def observe_more(said: list[dict[str, Any]]) -> None:
    attacks.block(said[2])["observed"].append("subject.claimed/pushed_model/3")


def call_it_a_stage(said: list[dict[str, Any]]) -> None:
    attacks.block(said[1])["event"] = "COMPLETE"


def name_an_artifact_twice(said: list[dict[str, Any]]) -> None:
    said[1]["predicate"]["inputs"] *= 2


def say_a_failure_was_none(said: list[dict[str, Any]]) -> None:
    said[4]["predicate"]["execution"]["state"] = "COMPLETE"


THEFTS = (
    exchange_a_digest,
    claim_a_digest,
    change_what_a_claim_is_of,
    move_to_another_run,
    hide_the_parent,
    stand_on_another,
    stand_under_another_name,
    change_the_time,
    observe_more,
    call_it_a_stage,
    name_an_artifact_twice,
    say_a_failure_was_none,
)


@pytest.mark.parametrize("change", THEFTS, ids=lambda change: change.__name__)
def test_both_verifiers_find_what_a_thief_of_the_key_contradicts(
    imported_home: Path, key: SigningKey, change: Callable[[list[dict[str, Any]]], None]
) -> None:
    root = imported_home.parent
    attacks.with_records(root, key, lambda statements: None, ENTRIES)
    assert verify_log(imported_home) == []
    attacks.with_records(root, key, change, ENTRIES)
    assert verify_log(imported_home)
    assert found_by_second(imported_home)


RAW = (attacks.edit_a_byte, attacks.empty_a_record, attacks.move_a_signature,
       attacks.change_the_payload_type, attacks.sign_with_a_stranger)  # fmt: skip


@pytest.mark.parametrize("attack", RAW, ids=lambda attack: attack.__name__)
def test_both_verifiers_find_bytes_that_were_changed(
    imported_home: Path, attack: Callable[[Path], None]
) -> None:
    attack(imported_home.parent)
    assert verify_log(imported_home)
    assert found_by_second(imported_home)
