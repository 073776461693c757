"""Which waivers count, and every way to get one that does not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from components.audit import base64_strict
from components.audit.envelope import PAYLOAD_TYPE, Envelope, Signature, pre_authentication_encoding
from components.audit.keys import SigningKey, open_personal_key
from components.audit.records import Stamp, statement
from components.audit.schema import check_statement, check_waiver
from components.core.canonical import canonical_json, sha256_bytes
from components.core.errors import DataError, PlatformError, SettingsError
from components.core.outcome import Gate
from components.waivers import (
    KEYS_VARIABLE,
    Judged,
    Scope,
    Waiver,
    day_of_run,
    judge,
    keys_folder,
    trusted_keys,
    waive,
)

KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
TRUSTED = {KEY.public.keyid: KEY.public}
SCHEMA = "ab" * 32
WAIVER = Waiver(
    use_case="shop",
    schema_sha256=SCHEMA,
    gate="drift:kind",
    slice=None,
    reason="the catalogue was renewed, as announced",
    issued=date(2026, 11, 1),
    until=date(2026, 11, 30),
)
SCOPE = Scope("shop", SCHEMA, date(2026, 11, 15))
FAILED = Gate("drift:kind", "l_infinity_distance", 0.5, "<=", 0.1, "2026-10 against 2026-09")


def judged(waiver: Waiver = WAIVER, key: SigningKey = KEY, scope: Scope = SCOPE) -> Judged:
    return judge(waiver.sign(key).decode(), TRUSTED, scope)


def test_a_waiver_that_counts_is_beside_the_gate_that_stays_failed() -> None:
    item = judged()
    gate = waive(FAILED, [item])

    assert item.counts and item.keyid == KEY.public.keyid
    assert gate.waived_by == sha256_bytes(WAIVER.sign(KEY))
    assert gate.accepted and not gate.passed
    assert gate.to_dict()["passed"] is False


def test_a_gate_that_passed_needs_no_waiver() -> None:
    passing = replace(FAILED, value=0.05)
    assert waive(passing, [judged()]) == passing


@pytest.mark.parametrize(
    "gate",
    [
        replace(FAILED, name="drift:kinds"),
        replace(FAILED, name="drift"),
        replace(FAILED, name="skew:kind"),
    ],
)
def test_a_waiver_covers_the_gate_that_it_names_alone(gate: Gate) -> None:
    assert not waive(gate, [judged()]).accepted


def test_a_waiver_of_one_slice_covers_no_other() -> None:
    narrow = judged(replace(WAIVER, slice=FAILED.slice))
    assert waive(FAILED, [narrow]).accepted
    assert not waive(replace(FAILED, slice="2026-11 against 2026-10"), [narrow]).accepted


@pytest.mark.parametrize("day", [date(2026, 11, 1), date(2026, 11, 30)])
def test_both_the_first_and_the_last_day_count(day: date) -> None:
    assert judged(scope=replace(SCOPE, day=day)).counts


@pytest.mark.parametrize(
    ("scope", "why"),
    [
        (replace(SCOPE, day=date(2026, 12, 1)), "holds from 2026-11-01 to 2026-11-30"),
        (replace(SCOPE, day=date(2026, 10, 31)), "holds from"),
        (replace(SCOPE, day=None), "does not say when the run started"),
        (replace(SCOPE, use_case="bank"), "another use case"),
        (replace(SCOPE, use_case=""), "another use case"),
        (replace(SCOPE, schema_sha256="cd" * 32), "another schema"),
    ],
)
def test_out_of_its_scope_a_waiver_does_not_count_and_says_why(scope: Scope, why: str) -> None:
    item = judged(scope=scope)
    assert why in str(item.refused)
    assert not waive(FAILED, [item]).accepted


def test_a_key_that_is_not_trusted_signs_nothing() -> None:
    item = judged(key=OTHER)
    assert item.refused == "no key that is trusted here signed it"
    assert item.waiver is None and not waive(FAILED, [item]).accepted


def test_a_foreign_signature_under_a_trusted_name_is_refused() -> None:
    envelope = Envelope.from_bytes(WAIVER.sign(OTHER))
    claimed = Signature(KEY.public.keyid, envelope.signatures[0].sig)
    forged = replace(envelope, signatures=(claimed,)).to_bytes().decode()
    item = judge(forged, TRUSTED, SCOPE)
    assert "signature is wrong" in str(item.refused)
    assert not waive(FAILED, [item]).accepted


def test_a_second_signature_beside_a_trusted_one_is_refused() -> None:
    ours = Envelope.from_bytes(WAIVER.sign(KEY))
    theirs = Envelope.from_bytes(WAIVER.sign(OTHER))
    for both in (ours.signatures + theirs.signatures, theirs.signatures + ours.signatures, ()):
        item = judge(replace(ours, signatures=both).to_bytes().decode(), TRUSTED, SCOPE)
        assert not item.counts


def test_a_signature_moved_to_another_waiver_is_refused() -> None:
    signed = Envelope.from_bytes(WAIVER.sign(KEY))
    longer = canonical_json(replace(WAIVER, until=date(2036, 1, 1)).statement())
    item = judge(replace(signed, payload=longer).to_bytes().decode(), TRUSTED, SCOPE)
    assert "signature is wrong" in str(item.refused)


def test_another_payload_type_is_refused_although_signed() -> None:
    payload = canonical_json(WAIVER.statement())
    sig = KEY.sign(pre_authentication_encoding("application/json", payload))
    envelope = Envelope(payload, "application/json", (Signature(KEY.public.keyid, sig),))
    assert not judge(envelope.to_bytes().decode(), TRUSTED, SCOPE).counts


def signed(value: Any) -> str:
    return Envelope.sign(value, KEY).to_bytes().decode()


def changed(**parts: Any) -> dict[str, Any]:
    value = WAIVER.statement()
    return value | {"predicate": value["predicate"] | parts}


@pytest.mark.parametrize(
    "value",
    [
        changed(unknown=1),
        changed(until="2026-11-31"),
        changed(until="9999-99-99"),
        changed(until="2026-11-30\n"),
        changed(until=None),
        changed(reason=""),
        changed(reason=" \n"),
        changed(gate={"slice": "eval"}),
        changed(gate={"name": "drift:kind", "slice": None}),
        changed(gate=["drift:kind"]),
        WAIVER.statement() | {"predicateType": "https://tandem.invalid/stage-event/v1"},
        WAIVER.statement() | {"subject": []},
        WAIVER.statement() | {"subject": WAIVER.statement()["subject"] * 2},
        WAIVER.statement() | {"extra": 1},
        {},
    ],
)
def test_a_statement_of_another_form_is_refused_although_signed(value: dict[str, Any]) -> None:
    item = judge(signed(value), TRUSTED, SCOPE)
    assert item.waiver is None and item.refused
    assert not waive(FAILED, [item]).accepted


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", "not json", '{"payload":"","payload":""}', "\udcff", "[" * 100_000],
)
def test_what_is_no_envelope_is_refused_and_no_error(text: str) -> None:
    item = judge(text, TRUSTED, SCOPE)
    assert item.refused and not item.counts


def test_an_unsigned_statement_is_refused() -> None:
    assert not judge(canonical_json(WAIVER.statement()).decode(), TRUSTED, SCOPE).counts
    bare = Envelope(canonical_json(WAIVER.statement()), PAYLOAD_TYPE, ())
    assert not judge(bare.to_bytes().decode(), TRUSTED, SCOPE).counts


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_waiver_with_a_changed_bit_counts(place: int, bit: int) -> None:
    data = bytearray(WAIVER.sign(KEY))
    data[place % len(data)] ^= 1 << bit
    item = judge(data.decode("utf-8", "surrogateescape"), TRUSTED, SCOPE)
    assert not item.counts


def test_the_same_waiver_in_another_form_is_refused() -> None:
    value = json.loads(WAIVER.sign(KEY))
    assert not judge(json.dumps(value, indent=2), TRUSTED, SCOPE).counts
    value["payload"] = base64_strict.encode(json.dumps(WAIVER.statement()).encode())
    assert not judge(canonical_json(value).decode(), TRUSTED, SCOPE).counts


def test_without_trusted_keys_nothing_counts() -> None:
    assert not judge(WAIVER.sign(KEY).decode(), {}, SCOPE).counts


DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=50)


@given(
    gate=TEXTS,
    where=st.none() | TEXTS,
    reason=TEXTS.filter(lambda text: text.strip() != ""),
    issued=DAYS,
    until=DAYS,
)
def test_a_waiver_reads_what_it_writes(
    gate: str, where: str | None, reason: str, issued: date, until: date
) -> None:
    waiver = Waiver("shop", SCHEMA, gate, where, reason, issued, until)
    assert Waiver.from_statement(waiver.statement()) == waiver
    item = judge(waiver.sign(KEY).decode(), TRUSTED, SCOPE)
    assert item.waiver == waiver
    assert item.counts == (SCOPE.day is not None and issued <= SCOPE.day <= until)


def test_the_keys_of_a_folder_are_trusted_and_a_file_that_is_none_is_an_error(
    tmp_path: Path,
) -> None:
    (tmp_path / "ann.pub").write_bytes(KEY.public.to_pem())
    (tmp_path / "ann.key").write_bytes(KEY.to_pem())
    assert trusted_keys(tmp_path) == TRUSTED
    assert trusted_keys(tmp_path / "absent") == {} and trusted_keys(None) == {}

    (tmp_path / "bob.pub").write_text("not a key")
    with pytest.raises(SettingsError, match=r"bob\.pub"):
        trusted_keys(tmp_path)


def test_the_folder_of_keys_comes_from_the_environment_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEYS_VARIABLE, raising=False)
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    assert keys_folder() == tmp_path / "audit" / "keys" / "waivers"
    monkeypatch.setenv(KEYS_VARIABLE, str(tmp_path / "mounted"))
    assert keys_folder() == tmp_path / "mounted"
    monkeypatch.delenv(KEYS_VARIABLE)
    monkeypatch.delenv("TANDEM_HOME")
    assert keys_folder() is None


@pytest.mark.parametrize(
    ("run", "day"),
    [
        ({"id": "20261115T235959Z-ab12cd"}, date(2026, 11, 15)),
        ({"id": "20261399T000000Z-ab12cd"}, None),
        ({"id": "nightly-7"}, None),
        ({"id": "x20261115T235959Z-ab12cd"}, None),
        ({}, None),
    ],
)
def test_the_day_of_a_run_is_what_its_id_begins_with(run: dict[str, str], day: date | None) -> None:
    assert day_of_run(run) == day


def test_a_personal_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    path = tmp_path / "config" / "signing.key"
    key = open_personal_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_personal_key(path).public == key.public
    assert trusted_keys(path.parent) == {key.public.keyid: key.public}
    path.chmod(0o644)
    with pytest.raises(PlatformError, match="may be read by others"):
        open_personal_key(path)


def record(event: str, *gates: Gate) -> dict[str, Any]:
    """Return the notary's statement of a validation with these gates."""
    from datetime import UTC, datetime

    outputs = [{"name": "validation", "sha256": "1" * 64, "path": "x"}]
    draft = {
        "event": event,
        "run": {"id": "20261115T235959Z-ab12cd", "name": "shop"},
        "stage": "validate_examples",
        "attempt": 1,
        "inputs": [],
        "outputs": outputs if event == "COMPLETE" else [],
        "settings": {},
        "settings_sha256": "2" * 64,
        "code_sha256": None,
        "environment": {},
        "cache_key": None,
        "facts": {},
        "gates": [gate.to_dict() for gate in gates],
        "cause": None,
        "resources": None,
        "claimed_time": "2026-11-15T23:59:59.000+00:00",
    }
    if event == "FAIL":
        draft["cause"] = {"kind": "GateError", "message": "m", "remedy": "r"}
    return statement(draft, Stamp(datetime(2026, 11, 16, tzinfo=UTC), "id", ()))


def test_a_waived_gate_is_a_warning_in_the_record_and_never_a_pass() -> None:
    passing = replace(FAILED, value=0.05)
    waived = waive(FAILED, [judged()])

    value = record("COMPLETE", passing, waived)["predicate"]
    assert (value["result"], value["failedTests"]) == ("WARNED", [])
    assert value["warnedTests"] == ["drift:kind (2026-10 against 2026-09)"]
    assert value["tandem_audit"]["gates"][1]["waived_by"] == waived.waived_by
    assert value["tandem_audit"]["gates"][1]["passed"] is False

    value = record("FAIL", waived, replace(FAILED, name="other"))["predicate"]
    assert (value["result"], len(value["warnedTests"]), len(value["failedTests"])) == (
        "FAILED",
        1,
        1,
    )
    assert record("COMPLETE", passing)["predicate"]["result"] == "PASSED"


def test_a_record_cannot_call_a_gate_passed_and_waived() -> None:
    value = record("COMPLETE", waive(FAILED, [judged()]))
    check_statement(value)
    value["predicate"]["tandem_audit"]["gates"][0]["passed"] = True
    with pytest.raises(DataError):
        check_statement(value)


def test_a_waiver_is_no_record_and_a_record_no_waiver() -> None:
    with pytest.raises(DataError, match="no schema"):
        check_statement(WAIVER.statement())
    with pytest.raises(DataError):
        check_waiver(record("COMPLETE", FAILED))
