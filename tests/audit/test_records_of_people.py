"""Approvals and changes in the registry as records: their bytes, their schemas, their lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from acts_of_people import (
    ANN,
    MODEL,
    SIGNED,
    People,
    approval,
    change,
    entry,
    findings,
)
from hypothesis import given
from hypothesis import strategies as st
from second_verdict import second

from components.approvals.trail import Trail
from components.audit.acts import ARCHIVE, ROLL_BACK, WITHDRAW
from components.audit.answers import AUDIT, RecordView
from components.audit.approval import Approval, open_approval
from components.audit.envelope import Envelope
from components.audit.keys import SigningKey
from components.audit.schema import FOLDER, check_approval, check_statement
from components.core.canonical import canonical_json, parse_json, sha256_bytes
from components.core.errors import DataError, IntegrityError, SettingsError
from pipelines.cli.one_line import checked_text

GOLDEN = Path(__file__).parent / "golden"
RECORDS = {"approval-record": 18, "registry-change-v2": 20}
"""One record of each kind: its schema's name, and its index in the log of `people`."""
READ = (*RECORDS, "registry-change")
"""Every form that is read; the last is written no more."""


def test_approvals_and_changes_that_may_be_give_no_finding(promoted: People) -> None:
    approved = promoted.approve("4", reason=None)
    promoted.promote("4", "3", approved)
    promoted.act(ROLL_BACK, change("4", "3"), "3")
    promoted.act(ARCHIVE, change(None, None, aliases=[]), "4")
    promoted.act(WITHDRAW, change(None, None, aliases=[]), "4")
    promoted.act(WITHDRAW, change("3", None), "3")
    assert findings(promoted.home) == []
    assert "checkpoints verify" in second(promoted.home)
    standing = Trail(promoted.home).standing.of(MODEL)
    assert (standing.champion, standing.withdrawn) == (None, {"3", "4"})


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_of_people_has_the_bytes_that_its_golden_file_froze(
    promoted: People, name: str
) -> None:
    leaf = entry(promoted.home, RECORDS[name]).read_bytes()
    assert leaf == (GOLDEN / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", READ)
def test_a_golden_record_of_people_fits_its_schema_and_names_its_predicate(
    name: str, key: SigningKey
) -> None:
    leaf = (GOLDEN / f"{name}.json").read_bytes()
    value = Envelope.from_bytes(leaf).statement(key.public)
    schema = parse_json((FOLDER / f"{name}.json").read_bytes())
    assert value["predicateType"] == schema["properties"]["predicateType"]["const"]
    view = RecordView.from_statement(value, 0, sha256_bytes(leaf))
    assert RecordView.from_dict(json.loads(json.dumps(view.to_dict()))) == view
    assert view.facts == {k: v for k, v in value["predicate"].items() if k != AUDIT}
    check_statement(value)


def objects(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every object in a JSON value, without those left to the stages."""
    if path and path[-1] in ("settings", "environment"):
        return []
    steps = value.items() if isinstance(value, dict) else enumerate(value)
    inner = [
        found
        for step, item in steps
        if isinstance(item, dict | list)
        for found in objects(item, (*path, step))
    ]
    return [path, *inner] if isinstance(value, dict) else inner


@pytest.mark.parametrize("name", READ)
def test_an_unknown_field_in_any_object_of_a_record_of_people_is_refused(name: str) -> None:
    payload = Envelope.from_bytes((GOLDEN / f"{name}.json").read_bytes()).payload
    paths = objects(json.loads(payload))
    assert len(paths) > 8
    for path in paths:
        value = json.loads(payload)
        target = value
        for step in path:
            target = target[step]
        target["unknown"] = 1
        with pytest.raises(DataError):
            check_statement(value)


def test_an_unknown_or_missing_field_of_what_a_person_signs_is_refused(people: People) -> None:
    value = approval(people.version()).statement()
    check_approval(value)
    for path in objects(value):
        changed = json.loads(json.dumps(value))
        target = changed
        for step in path:
            target = target[step]
        target["unknown"] = 1
        with pytest.raises(DataError):
            check_approval(changed)
    for name in set(value["predicate"]) - {"reason"}:
        less = value | {"predicate": {k: v for k, v in value["predicate"].items() if k != name}}
        with pytest.raises(DataError):
            check_approval(less)


def test_what_a_person_signs_has_the_bytes_that_version_1_froze(people: People) -> None:
    signed = approval(people.version()).sign(ANN)["approval"]
    assert canonical_json(signed) == (GOLDEN / "approval.json").read_bytes()


def test_a_stages_draft_cannot_be_an_act_and_an_act_opens_no_stage(
    people: People, draft: Callable[..., dict[str, Any]]
) -> None:
    with pytest.raises(DataError):
        people.notary.submit(draft("ACT", "ingest_examples"))
    with pytest.raises(DataError):
        people.act("train_pytorch", change(None, "3"))


LINE_BREAKERS = "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters=LINE_BREAKERS),
    min_size=1,
    max_size=50,
).filter(lambda text: text.strip() != "")
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)


@given(
    name=TEXTS,
    reason=st.none() | TEXTS,
    signed=MOMENTS,
    until=st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    meaning=st.sampled_from(["review", "approval"]),
)
def test_an_approval_reads_what_it_writes(
    name: str, reason: str | None, signed: datetime, until: date, meaning: str
) -> None:
    made = Approval("m", "1", "ab" * 32, "cd" * 32, name, meaning, signed, until, reason)
    assert Approval.from_statement(made.statement()) == made
    assert open_approval(made.sign(ANN)) == (made, ANN.public)


SAID = Approval("m", "1", "ab" * 32, "cd" * 32, "Ann", "review", SIGNED, date(2026, 6, 3)).sign(ANN)


@given(place=st.integers(0, 10_000), bit=st.integers(0, 6))
def test_no_approval_with_a_changed_bit_opens(place: int, bit: int) -> None:
    assert open_approval(SAID)[0].name == "Ann"
    data = bytearray(canonical_json(SAID["approval"]))
    data[place % len(data)] ^= 1 << bit
    try:
        changed = json.loads(data)
    except ValueError:
        return
    with pytest.raises(IntegrityError, match="no signed approval"):
        open_approval(SAID | {"approval": changed})


FORGED = "good\n#99 2026-05-04T03:07:00.000Z  flight-delay champion: 3 -> 4"


@pytest.mark.parametrize("field", ["name", "reason", "model"])
def test_what_would_begin_a_line_of_its_own_cannot_be_signed(people: People, field: str) -> None:
    with pytest.raises(DataError, match="the approval breaks"):
        check_approval(approval(people.version(), **{field: FORGED}).statement())
    with pytest.raises(IntegrityError):
        people.approve(**{field: FORGED})


def test_no_reason_alias_or_actor_begins_a_line_of_its_own_in_the_history(people: People) -> None:
    first = people.approve()
    moved = [{"alias": FORGED, "from": "3", "to": None}]
    for act in (
        lambda: people.promote("3", None, first, reason=FORGED),
        lambda: people.act(ARCHIVE, change(None, None, aliases=moved)),
        lambda: people.act(ARCHIVE, change(None, None, aliases=[]), actor=FORGED),
    ):
        with pytest.raises(DataError):
            act()
    older = json.loads(Envelope.from_bytes((GOLDEN / "registry-change.json").read_bytes()).payload)
    older["predicate"]["reason"] = FORGED
    with pytest.raises(DataError):
        check_statement(older)


@pytest.mark.slow
def test_a_command_takes_the_words_that_the_schema_takes(people: People) -> None:
    value = approval(people.version()).statement()
    refused = set()
    for point in [*range(0x3000), *range(0xD700, 0x10000), 0x1F600, 0xE0001]:
        words = f"a{chr(point)}b"
        value["predicate"]["reason"] = words
        taken = takes(check_approval, value)
        assert takes(checked_text, "--reason", words) == taken, hex(point)
        if not taken:
            refused.add(point)
    controls = {*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000), *map(ord, LINE_BREAKERS)}
    assert refused == controls


def takes(check: Callable[..., Any], *words: Any) -> bool:
    try:
        check(*words)
    except (DataError, SettingsError):
        return False
    return True
