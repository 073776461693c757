"""What the notary signs, and what it refuses to sign."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from components.audit.answers import AUDIT, RecordView
from components.audit.completeness import completeness
from components.audit.envelope import Envelope
from components.audit.folder import AuditFolder
from components.audit.keys import SigningKey, open_key, read_public_key
from components.audit.notary import LocalNotary, open_notary
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.errors import (
    DataError,
    IntegrityError,
    PlatformError,
    UnverifiableError,
)

Draft = Callable[..., dict[str, Any]]
AS_STARTED = {"settings": {"seed": 13, "learning_rate": 0.001}, "code_sha256": "56" * 32}
Artifact = Callable[[Path, Any], str]


def audit_block(home: Path, index: int) -> dict[str, Any]:
    file = home / f"audit/log/entries/000000/{index:09d}.json"
    block: dict[str, Any] = json.loads(Envelope.from_bytes(file.read_bytes()).payload)["predicate"]
    return dict(block[AUDIT])


def claim(artifact: Artifact, folder: Path, content: str = "rows") -> list[dict[str, str]]:
    return [{"name": "examples", "sha256": artifact(folder, content), "path": str(folder)}]


def made(
    notary: LocalNotary, draft: Draft, artifact: Artifact, folder: Path, **parts: Any
) -> dict[str, str]:
    """Record a stage that made examples; return the reference to them."""
    notary.submit(draft("START", **parts))
    outputs = claim(artifact, folder)
    receipt = notary.submit(draft("COMPLETE", outputs=outputs, **parts))
    return {"name": "examples", "sha256": outputs[0]["sha256"], "record": receipt.record}


def test_the_same_draft_gives_the_same_record(notary: LocalNotary, draft: Draft) -> None:
    first = notary.submit(draft("START"))
    assert notary.submit(draft("START")) == first
    assert notary.submit(draft("START", attempt=2)).index == first.index + 1
    assert len(notary.records("run-1")) == 2


def test_a_draft_is_known_again_after_a_restart(home: Path, draft: Draft) -> None:
    with open_notary(home) as notary:
        first = notary.submit(draft("START"))
    with open_notary(home) as notary:
        assert notary.submit(draft("START")) == first
        assert notary.submit(draft("START", attempt=2)).index == 1


def test_a_stage_that_runs_again_has_records_of_its_own(notary: LocalNotary, draft: Draft) -> None:
    notary.submit(draft("START"))
    notary.submit(draft("START", claimed_time="2026-05-04T03:09:00.000+00:00"))
    names = [view.record_id for view in notary.records("run-1")]
    assert names == ["run-1/ingest_examples/1/START", "run-1/ingest_examples/1/START~2"]


def test_an_output_that_is_not_what_the_stage_claims_is_refused(
    notary: LocalNotary, draft: Draft, artifact: Artifact, tmp_path: Path
) -> None:
    notary.submit(draft("START"))
    outputs = claim(artifact, tmp_path / "examples")
    (tmp_path / "examples" / "content.json").write_text("other rows")
    with pytest.raises(IntegrityError, match="examples of ingest_examples is not what"):
        notary.submit(draft("COMPLETE", outputs=outputs))
    outputs[0]["path"] = str(tmp_path / "gone")
    with pytest.raises(IntegrityError, match="gone is missing"):
        notary.submit(draft("COMPLETE", outputs=outputs))
    assert [view.event for view in notary.records("run-1")] == ["START"]


def test_done_without_outputs_and_start_with_outputs_are_refused(
    notary: LocalNotary, draft: Draft, artifact: Artifact, tmp_path: Path
) -> None:
    for event, outputs in (("COMPLETE", []), ("START", claim(artifact, tmp_path / "examples"))):
        with pytest.raises(DataError, match="outputs"):
            notary.submit(draft(event, outputs=outputs))


def test_a_failure_says_why_and_nothing_else_has_a_cause(notary: LocalNotary, draft: Draft) -> None:
    cause = {"kind": "DataError", "message": "no rows", "remedy": "look"}
    for event in ("FAIL", "ABORT"):
        with pytest.raises(DataError, match=f"{event} of ingest_examples has no cause"):
            notary.submit(draft(event))
    with pytest.raises(DataError, match="START of ingest_examples has a cause"):
        notary.submit(draft("START", cause=cause))
    notary.submit(draft("FAIL", cause=cause))
    assert [view.event for view in notary.records("run-1")] == ["FAIL"]


def test_complete_without_an_open_start_is_refused(
    notary: LocalNotary, draft: Draft, artifact: Artifact, tmp_path: Path
) -> None:
    outputs = claim(artifact, tmp_path / "examples")
    with pytest.raises(IntegrityError, match="is not open"):
        notary.submit(draft("COMPLETE", outputs=outputs))
    made(notary, draft, artifact, tmp_path / "examples")
    with pytest.raises(IntegrityError, match="is not open"):
        notary.submit(draft("COMPLETE", outputs=outputs, facts={"rows": 2}))


@pytest.mark.parametrize(
    ("event", "parts", "what"),
    [
        ("COMPLETE", {"settings": {"seed": 14}}, "settings_sha256"),
        ("COMPLETE", {"code_sha256": "00" * 32}, "code_sha256"),
        ("COMPLETE", {"inputs": []}, "inputs"),
        ("FAIL", {"inputs": []}, "inputs"),
        ("ABORT", {"settings": {}}, "settings_sha256"),
    ],
)
def test_what_closes_a_start_says_what_the_start_said(
    notary: LocalNotary, draft: Draft, artifact: Artifact, tmp_path: Path, home: Path,
    event: str, parts: dict[str, Any], what: str,
) -> None:  # fmt: skip
    ref = made(notary, draft, artifact, tmp_path / "examples")
    notary.submit(draft("START", "train_pytorch", inputs=[ref]))
    rest: dict[str, Any] = {"cause": {"kind": "DataError", "message": "m", "remedy": "r"}}
    if event == "COMPLETE":
        rest = {"outputs": claim(artifact, tmp_path / "model")}
    rest |= {"inputs": [ref]} | parts
    with pytest.raises(IntegrityError, match=f"has other {what} than its START"):
        notary.submit(draft(event, "train_pytorch", **rest))
    notary.submit(draft(event, "train_pytorch", **rest | {"inputs": [ref]} | AS_STARTED))
    assert verify_log(home) == []


def test_a_failure_may_leave_out_the_settings_that_could_not_be_recorded(
    notary: LocalNotary, draft: Draft
) -> None:
    notary.submit(draft("START"))
    cause = {"kind": "DataError", "message": "m", "remedy": "r"}
    notary.submit(draft("FAIL", settings={}, cause=cause))
    assert [view.start is not None for view in notary.records("run-1")] == [False, True]


def test_a_claimed_digest_of_settings_is_held_to_them(
    notary: LocalNotary, draft: Draft, home: Path
) -> None:
    with pytest.raises(DataError, match="settings_sha256 of ingest_examples is not the digest"):
        notary.submit(draft("START", settings_sha256="00" * 32))
    cause = {"kind": "DataError", "message": "m", "remedy": "r"}
    notary.submit(draft("FAIL", settings={"rows": 2.0**60}, cause=cause))
    assert audit_block(home, 0)["settings"] == {"rows": str(2.0**60)}
    assert verify_log(home) == []


def test_a_record_names_its_start_and_its_parents(
    notary: LocalNotary, draft: Draft, artifact: Artifact, tmp_path: Path, home: Path
) -> None:
    ref = made(notary, draft, artifact, tmp_path / "examples")
    start, done = notary.records("run-1")
    notary.submit(draft("START", "train_pytorch", inputs=[ref]))
    block = audit_block(home, 2)
    assert done.start == start.record
    assert block["parents"] == [ref["record"]]
    assert block["inputs"] == [ref]
    assert audit_block(home, 1)["observed"] == [
        "clocks.notary",
        "parents",
        "start",
        "subject.examples",
    ]
    assert block["actor"] == {"id": "actor-7", "assurance": "self-asserted"}


def test_an_input_that_its_record_did_not_make_is_refused(
    notary: LocalNotary, draft: Draft, artifact: Artifact, tmp_path: Path
) -> None:
    ref = made(notary, draft, artifact, tmp_path / "examples")
    start = notary.records("run-1")[0].record
    nothing, unrecorded = {"sha256": "", "record": ""}, {"record": ""}
    changes = ({"sha256": "0" * 64}, {"record": start}, {"record": "1" * 64}, nothing, unrecorded)
    for change in changes:
        with pytest.raises(IntegrityError):
            notary.submit(draft("START", "train_pytorch", inputs=[ref | change]))
    assert len(notary.records("run-1")) == 2


def test_a_stage_that_failed_over_a_wrong_input_gets_its_record_without_that_parent(
    notary: LocalNotary, draft: Draft, artifact: Artifact, tmp_path: Path, home: Path
) -> None:
    ref = made(notary, draft, artifact, tmp_path / "examples")
    cause = {"kind": "IntegrityError", "message": "input differs", "remedy": "find out who"}
    wrong = [ref, ref | {"sha256": "0" * 64}, {"name": "features", "sha256": "", "record": ""}]
    notary.submit(draft("FAIL", "train_pytorch", inputs=wrong, cause=cause))
    block = audit_block(home, 2)
    assert (block["parents"], block["inputs"]) == ([ref["record"]], wrong)
    foreign = [ref | {"record": "1" * 64}]
    notary.submit(draft("FAIL", "train_pytorch", attempt=2, inputs=foreign, cause=cause))
    assert audit_block(home, 3)["parents"] == []


def test_what_comes_from_the_cache_needs_the_record_of_who_made_it(
    notary: LocalNotary, draft: Draft, artifact: Artifact, tmp_path: Path
) -> None:
    ref = made(notary, draft, artifact, tmp_path / "examples")
    outputs = claim(artifact, tmp_path / "copy")
    other = claim(artifact, tmp_path / "other", "other rows")
    again = draft("START")["run"] | {"id": "run-2"}
    cached = {"run": again, "outputs": outputs, "facts": {"origin": {"examples": ref["record"]}}}
    more = {"origin": cached["facts"]["origin"] | {"features": ref["record"]}}
    for wrong in (cached | {"facts": {}}, cached | {"outputs": other}, cached | {"facts": more}):
        with pytest.raises(IntegrityError):
            notary.submit(draft("CACHED", **wrong))
    notary.submit(draft("CACHED", **cached))
    assert notary.records("run-2")[0].parents == (ref["record"],)


def test_closing_a_run_aborts_what_is_open_and_leaves_the_asking_stage(
    notary: LocalNotary, draft: Draft, artifact: Artifact, tmp_path: Path, home: Path
) -> None:
    made(notary, draft, artifact, tmp_path / "examples")
    notary.submit(draft("START", "train_pytorch"))
    notary.submit(draft("START", "train_tensorflow"))
    notary.submit(draft("START", "seal_run"))
    other = draft("START")["run"] | {"id": "run-2"}
    notary.submit(draft("START", "train_pytorch", run=other))
    closed = notary.close_run("run-1", "FAILED")
    assert [(view.stage, view.event) for view in closed] == [
        ("train_pytorch", "ABORT"),
        ("train_tensorflow", "ABORT"),
    ]
    assert closed[0].cause is not None
    assert "ended FAILED" in closed[0].cause["message"]
    assert notary.close_run("run-1", "FAILED") == []
    where = [finding.where for finding in verify_log(home) if finding.check == "open"]
    assert where == []  # a notary works here, and neither run is sealed


def test_a_run_that_goes_on_after_its_closing_record_is_open_until_it_is_closed_again(
    notary: LocalNotary, draft: Draft, artifact: Artifact, tmp_path: Path, home: Path
) -> None:
    def sealed(attempt: int) -> None:
        notary.submit(draft("START", "seal_run", attempt=attempt))
        parts = {
            "facts": {"state": "FAILED", "records": 1, "events": {}, "stages": {}},
            "outputs": claim(artifact, tmp_path / f"closing-{attempt}"),
        }
        notary.submit(draft("COMPLETE", "seal_run", attempt=attempt, **parts))

    def unclosed() -> tuple[str, ...]:
        return completeness(home, VerifiedLog.of(home)).unclosed

    def open_ones() -> list[str]:
        return [finding.where for finding in verify_log(home) if finding.check == "open"]

    sealed(1)
    assert (unclosed(), open_ones()) == ((), [])
    notary.submit(draft("START", "train_pytorch", attempt=2))  # by a retry
    assert (unclosed(), open_ones()) == (("run-1",), [])
    assert completeness(home, VerifiedLog.of(home)).open == ()
    sealed(2)
    assert unclosed() == ()
    (left,) = completeness(home, VerifiedLog.of(home)).open
    assert (left.stage, open_ones()) == ("train_pytorch", [f"entry {left.index}"])


def test_a_gate_that_fails_gives_a_failed_test_result(
    notary: LocalNotary, draft: Draft, home: Path
) -> None:
    gate = {"name": "rows", "metric": "rows", "value": None, "operator": ">=", "threshold": 5}
    cause = {"kind": "GateError", "message": "too few rows", "remedy": "a larger window"}
    notary.submit(draft("START", "validate_examples"))
    failed = draft("FAIL", "validate_examples", gates=[gate | {"passed": False}], cause=cause)
    notary.submit(failed)
    payload = json.loads(
        Envelope.from_bytes((home / "audit/log/entries/000000/000000001.json").read_bytes()).payload
    )
    assert payload["predicate"]["result"] == "FAILED"
    assert payload["predicate"]["failedTests"] == ["rows"]
    with pytest.raises(DataError):
        notary.submit(
            draft("FAIL", "validate_examples", cause=cause, gates=[gate | {"passed": True}])
        )


@pytest.mark.parametrize(
    "parts",
    [
        {"unknown": 1},
        {"event": "DONE"},
        {"stage": "Ingest Examples"},
        {"attempt": 0},
        {"run": {"id": "../run"}},
        {"run": {"id": "run\n"}},
        {"run": {}},
        {"run": {"id": "r", "password": "x"}},
        {"settings_sha256": "12"},
        {"inputs": [{"name": "examples", "sha256": "0" * 64}]},
        {"gates": [{"name": "auc"}]},
        {"claimed_time": "yesterday"},
        {"facts": []},
    ],
)
def test_a_draft_that_breaks_its_schema_is_refused(
    notary: LocalNotary, draft: Draft, parts: dict[str, Any]
) -> None:
    with pytest.raises(DataError):
        notary.submit(draft("START") | parts)
    assert notary.records("run-1") == []


def test_a_registration_without_its_model_and_version_is_refused(
    notary: LocalNotary, draft: Draft, artifact: Artifact, tmp_path: Path
) -> None:
    notary.submit(draft("START", "register_models"))
    outputs = claim(artifact, tmp_path / "registration")
    with pytest.raises(DataError, match=r"release\.json"):
        notary.submit(draft("COMPLETE", "register_models", outputs=outputs, facts={"rows": 1}))


def test_a_clock_that_was_set_back_stops_the_notary(home: Path, draft: Draft) -> None:
    now = datetime(2026, 5, 4, tzinfo=UTC)
    with open_notary(home, lambda: now) as notary:
        notary.submit(draft("START"))
    with open_notary(home, lambda: now - timedelta(seconds=1)) as notary:
        notary.submit(draft("START", attempt=2))
        first, second = notary.records("run-1")
        assert first.time == second.time
    with (
        open_notary(home, lambda: now - timedelta(minutes=1)) as notary,
        pytest.raises(PlatformError, match="set back"),
    ):
        notary.submit(draft("START", attempt=3))


def test_a_second_notary_of_a_home_is_refused_while_the_first_works(
    notary: LocalNotary, home: Path, draft: Draft
) -> None:
    with pytest.raises(PlatformError, match="another notary"), open_notary(home):
        pass
    assert notary.submit(draft("START")).index == 0


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    folder = AuditFolder(tmp_path)
    key = open_key(folder)
    assert open_key(folder).public == key.public == read_public_key(folder)
    assert folder.private_key.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in folder.public_key.read_bytes()


def test_a_key_that_others_may_read_is_not_used(home: Path) -> None:
    AuditFolder(home).private_key.chmod(0o640)
    with pytest.raises(PlatformError, match="may be read by others"), open_notary(home):
        pass


def test_a_lost_or_foreign_private_key_is_not_replaced(home: Path, tmp_path: Path) -> None:
    folder = AuditFolder(home)
    open_key(folder)
    kept = folder.private_key.read_bytes()
    folder.private_key.unlink()
    with pytest.raises(IntegrityError, match="is gone"):
        open_key(folder)
    open_key(AuditFolder(tmp_path / "other"))
    folder.private_key.write_bytes(AuditFolder(tmp_path / "other").private_key.read_bytes())
    folder.private_key.chmod(0o600)
    with pytest.raises(IntegrityError, match="is not that of its private key"):
        open_key(folder)
    folder.private_key.write_bytes(kept)
    folder.public_key.write_bytes(b"no key")
    with pytest.raises(UnverifiableError):
        open_key(folder)


def test_a_view_tells_what_the_record_says(
    notary: LocalNotary, draft: Draft, artifact: Artifact, tmp_path: Path
) -> None:
    ref = made(notary, draft, artifact, tmp_path / "examples")
    view: RecordView = notary.records("run-1")[-1]
    assert (view.index, view.record) == (1, ref["record"])
    assert view.outputs == {"examples": ref["sha256"]}
    assert (view.stage, view.attempt, view.event) == ("ingest_examples", 1, "COMPLETE")


def test_the_notary_appends_nothing_to_a_log_that_was_changed(
    home: Path, draft: Draft, key: SigningKey
) -> None:
    with open_notary(home) as notary:
        notary.submit(draft("START"))
        notary.submit(draft("START", attempt=2))
    entry = home / "audit/log/entries/000000/000000000.json"
    other = Envelope.sign({"other": 1}, key).to_bytes()
    original = entry.read_bytes()
    for damage in (other, b""):
        entry.write_bytes(damage)
        with pytest.raises((IntegrityError, KeyError)), open_notary(home):
            pass
    entry.write_bytes(original)
    second = entry.with_name("000000001.json")
    swapped = second.read_bytes()
    for first, last in ((swapped, original), (original, None)):
        entry.write_bytes(first)
        second.write_bytes(last) if last else second.unlink()
        with pytest.raises(IntegrityError, match="is not what was signed"), open_notary(home):
            pass
    second.write_bytes(swapped)
    with open_notary(home) as notary:
        assert notary.submit(draft("START", attempt=3)).index == 2
