"""Approvals and changes in the registry as records: their bytes, their rules, and attacks."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from components.approvals.trail import Trail
from components.audit.acts import ARCHIVE, PROMOTE, ROLL_BACK, WITHDRAW, Act, Registered
from components.audit.answers import AUDIT, RecordView
from components.audit.approval import Approval, open_approval
from components.audit.checkpoint import Checkpoint, origin_of
from components.audit.envelope import Envelope
from components.audit.folder import AuditFolder
from components.audit.keys import SigningKey
from components.audit.log import entry_key
from components.audit.merkle import Tree, leaf_hash
from components.audit.model_standing import ModelStanding
from components.audit.notary import LocalNotary, open_notary
from components.audit.people import People as Joined
from components.audit.predicates import APPROVE, REGISTRY_CHANGE_1
from components.audit.schema import FOLDER, check_approval, check_statement
from components.audit.trust import keys_said
from components.audit.verify import verify_log
from components.core.canonical import canonical_json, parse_json, sha256_bytes, sha256_value
from components.core.errors import DataError, IntegrityError

GOLDEN = Path(__file__).parent / "golden"
RECORDS = {"approval-record": 18, "registry-change-v2": 20}
"""One record of each kind: its schema's name, and its index in the log of `people`."""
READ = (*RECORDS, "registry-change")
"""Every form that is read; the last is written no more."""
ANN = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
BOB = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34))))
SUBMITTER = "actor-7"
MODEL = "flight-delay"
SIGNED = datetime(2026, 5, 4, 3, 5, tzinfo=UTC)
CLAIMED = "2026-05-04T03:05:00.000+00:00"


def late_clock() -> Callable[[], datetime]:
    """Return a clock that starts after the told run and gains a second at each look."""
    moment = [datetime(2026, 5, 4, 3, 6, tzinfo=UTC)]

    def look() -> datetime:
        moment[0] += timedelta(seconds=1)
        return moment[0]

    return look


def approval(registered: Registered, /, **changed: Any) -> Approval:
    made = Approval(
        model=registered.model,
        version=registered.version,
        evaluation_sha256=registered.inputs["evaluation"].sha256,
        bundle_sha256=registered.inputs["bundle"].sha256,
        name="Ann, model risk",
        meaning="approval",
        signed=SIGNED,
        until=date(2026, 6, 3),
        reason="the intervals are clear of the gates",
    )
    return replace(made, **changed)


def change(
    before: str | None, to: str | None, approvals: tuple[str, ...] = (), **parts: Any
) -> dict[str, Any]:
    aliases = [{"alias": "champion", "from": before, "to": to}]
    required = {"review": 0, "approval": 1} if approvals else None
    facts = {"reason": "as agreed", "aliases": aliases, "required": required, "keys": None}
    return facts | {"approvals": list(approvals)} | parts


@dataclass
class People:
    """A home with a told run, its notary, and two versions of one model."""

    home: Path
    notary: LocalNotary

    def version(self, number: str = "3") -> Registered:
        return Trail(self.home).version(f"{MODEL}@{number}")

    def act(
        self, kind: str, facts: dict[str, Any], number: str = "3", actor: str = "actor-8"
    ) -> str:
        return self.notary.submit(self.version(number).draft(kind, actor, facts, CLAIMED)).record

    def approve(
        self, number: str = "3", key: SigningKey = ANN, actor: str = "actor-8", **changed: Any
    ) -> str:
        signed = approval(self.version(number), **changed).sign(key)
        return self.act(APPROVE, signed, number, actor)

    def promote(self, number: str, before: str | None, *approvals: str, **parts: Any) -> str:
        named = {
            signed.record: signed.keyid
            for version in ("3", "4")
            for signed in Trail(self.home).standing.approvals(MODEL, version)
        }
        counted = [named[record] for record in approvals if record in named]
        keys = keys_said([ANN.public.keyid, BOB.public.keyid], counted)
        facts = change(before, number, approvals, keys=keys, **parts)
        return self.act(PROMOTE, facts, number)


@pytest.fixture
def people(told: Path, tmp_path: Path) -> Any:
    root = Path(shutil.copytree(told, tmp_path / "people"))
    with open_notary(root / "home", late_clock()) as notary:
        yield People(root / "home", notary)


@pytest.fixture
def promoted(people: People) -> People:
    """Version 3 was reviewed, approved and promoted."""
    first = people.approve()
    people.approve(meaning="review", key=BOB, actor="actor-9")
    people.promote("3", None, first)
    return people


def entry(home: Path, index: int) -> Path:
    return AuditFolder(home).log / entry_key(index)


def findings(home: Path) -> list[tuple[str, str]]:
    return [(finding.check, finding.message) for finding in verify_log(home)]


def test_approvals_and_changes_that_may_be_give_no_finding(promoted: People) -> None:
    second = promoted.approve("4", reason=None)
    promoted.promote("4", "3", second)
    promoted.act(ROLL_BACK, change("4", "3"), "3")
    promoted.act(ARCHIVE, change(None, None, aliases=[]), "4")
    promoted.act(WITHDRAW, change(None, None, aliases=[]), "4")
    promoted.act(WITHDRAW, change("3", None), "3")
    assert findings(promoted.home) == []
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


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=50).filter(
    lambda text: text.strip() != ""
)
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


# What the notary refuses.


def refused(why: str, act: Callable[[], Any]) -> None:
    with pytest.raises(IntegrityError, match=why):
        act()


def test_the_notary_records_no_approval_that_is_not_signed_as_it_says(people: People) -> None:
    facts = approval(people.version()).sign(ANN)
    refused("another key", lambda: people.act(APPROVE, facts | {"publicKey": "00" * 32}))
    sig = facts["approval"]["signatures"][0]["sig"]
    other = approval(people.version(), name="Bob").sign(ANN)
    other["approval"]["signatures"][0]["sig"] = sig
    refused("signature is wrong", lambda: people.act(APPROVE, other))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"version": "4"}, "of another version"),
        ({"model": "other"}, "of another version"),
        ({"evaluation_sha256": "0" * 64}, "another evaluation"),
        ({"bundle_sha256": "0" * 64}, "another evaluation or bundle"),
        ({"signed": datetime(2026, 5, 4, 3, 30, tzinfo=UTC)}, "later than it was recorded"),
    ],
)
def test_the_notary_records_no_approval_of_anything_else(
    people: People, changed: dict[str, Any], why: str
) -> None:
    refused(why, lambda: people.approve(**changed))
    assert len(Trail(people.home).standing.approvals(MODEL, "3")) == 0


def test_an_act_on_a_version_that_no_registration_names_is_refused(people: People) -> None:
    version = people.version()
    for wrong in (replace(version, version="9"), replace(version, model="other")):
        draft = wrong.draft(WITHDRAW, "actor-8", change(None, None, aliases=[]), CLAIMED)
        refused("registered no version", lambda draft=draft: people.notary.submit(draft))
    swapped = version.inputs | {"bundle": people.version("4").inputs["bundle"]}
    draft = replace(version, inputs=swapped).draft(
        WITHDRAW, "actor-8", change(None, None, aliases=[]), CLAIMED
    )
    refused("not about the version", lambda: people.notary.submit(draft))


def test_a_promotion_without_the_approvals_that_settings_ask_for_is_refused(
    people: People,
) -> None:
    asked = {"required": {"review": 0, "approval": 1}}
    refused("1 people must", lambda: people.promote("3", None, **asked))
    review = people.approve(meaning="review")
    refused("1 people must", lambda: people.promote("3", None, review))
    none = {"required": {"review": 0, "approval": 0}}
    refused("does not ask for", lambda: people.promote("3", None, **none))
    refused("is no approval", lambda: people.promote("3", None, "0" * 64))
    other = people.approve("4")
    refused("it is of another version", lambda: people.promote("3", None, other))
    good = people.approve()
    refused("the alias champion was at", lambda: people.promote("3", "4", good))
    people.promote("3", None, good)
    refused("the champion already", lambda: people.promote("3", "3", good))


@pytest.mark.parametrize(
    ("actor", "changed", "why"),
    [
        (SUBMITTER, {}, "its signer submitted the run"),
        (
            "actor-8",
            {"signed": datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)},
            "before the run's gates",
        ),
        ("actor-8", {"until": date(2026, 5, 3)}, "it held until 2026-05-03"),
    ],
)
def test_an_approval_that_does_not_count_is_recorded_and_moves_nothing(
    people: People, actor: str, changed: dict[str, Any], why: str
) -> None:
    record = people.approve(actor=actor, **changed)
    refused(why, lambda: people.promote("3", None, record))
    assert findings(people.home) == []


def test_the_submitter_cannot_hand_in_their_approval_under_another_name(people: People) -> None:
    people.approve(actor=SUBMITTER)
    again = people.approve(actor="actor-8")
    refused("its signer submitted the run", lambda: people.promote("3", None, again))


def test_a_key_that_reaches_the_submitter_through_others_is_the_submitters(
    people: People,
) -> None:
    people.approve("4", key=ANN, actor=SUBMITTER)
    people.approve("4", key=ANN, actor="actor-8")
    people.approve("4", key=BOB, actor="actor-8")
    again = people.approve(key=BOB, actor="actor-9")
    refused("its signer submitted the run", lambda: people.promote("3", None, again))


def trust(home: Path, *keys: SigningKey) -> None:
    folder = AuditFolder(home).approver_keys
    folder.mkdir(exist_ok=True)
    for key in keys:
        (folder / f"{key.public.keyid}.pub").write_bytes(key.public.to_pem())


def lacking(people: People) -> list[str]:
    """Return what version 3 lacks where two must approve."""
    trail = Trail(people.home)
    version = replace(people.version(), required={"review": 0, "approval": 2})
    return trail.lacking(version, trail.judged(version, date(2026, 5, 4)))


ONE_OF_TWO = ["2 people must have signed with meaning approval, 1 have"]


def test_one_person_with_two_keys_or_two_names_is_one(people: People) -> None:
    trust(people.home, ANN, BOB)
    people.approve(key=ANN, actor="actor-8")
    people.approve(key=BOB, actor="actor-8", name="B")
    assert lacking(people) == ONE_OF_TWO
    people.approve(key=ANN, actor="actor-9", name="C")
    assert lacking(people) == ONE_OF_TWO


def test_an_approval_of_another_version_joins_keys_and_names_too(people: People) -> None:
    trust(people.home, ANN, BOB)
    people.approve(key=ANN, actor="actor-8")
    people.approve(key=BOB, actor="actor-9", name="B")
    assert lacking(people) == []
    people.approve("4", key=BOB, actor="actor-8")
    assert lacking(people) == ONE_OF_TWO


@given(
    joined=st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")), max_size=12)
)
def test_people_are_the_connected_keys_and_names(joined: list[tuple[str, str]]) -> None:
    told, parts = Joined(), [{key, name} for name, key in joined]
    for name, key in joined:
        told.join(name, key)
        touched = [part for part in parts if part & {name, key}]
        parts = [part for part in parts if not part & {name, key}] + [set().union(*touched)]
    assert told.count(key for _, key in joined) == len(parts)
    for name, key in itertools.product("abcdef", "uvwxyz"):
        assert told.are_one(name, key) == any({name, key} <= part for part in parts)


def test_a_key_that_is_not_trusted_here_does_not_count(people: People) -> None:
    people.approve()
    trail = Trail(people.home)
    (judged,) = trail.judged(trail.version("3"), date(2026, 5, 4))
    assert judged.refused == "its key is not trusted here"


def test_a_withdrawn_version_is_neither_promoted_nor_rolled_back_to(promoted: People) -> None:
    second = promoted.approve("4")
    promoted.promote("4", "3", second)
    promoted.act(WITHDRAW, change(None, None, aliases=[]), "3")
    refused("champion before is none", lambda: promoted.act(ROLL_BACK, change("4", "3"), "3"))
    third = promoted.approve(name="again")
    refused("was withdrawn", lambda: promoted.promote("3", "4", third))
    refused("withdrawn", lambda: promoted.act(ARCHIVE, change(None, None, aliases=[]), "3"))
    refused("not archived", lambda: promoted.act(ARCHIVE, change(None, None, aliases=[]), "4"))


def test_a_rollback_goes_to_the_champion_before_and_no_other(promoted: People) -> None:
    refused("champion before is none", lambda: promoted.act(ROLL_BACK, change("3", "4"), "4"))
    promoted.promote("4", "3", promoted.approve("4"))
    promoted.act(WITHDRAW, change("4", None), "4")
    standing = Trail(promoted.home).standing.of(MODEL)
    assert (standing.champion, standing.previous) == (None, "3")
    promoted.act(ROLL_BACK, change(None, "3"), "3")
    standing = Trail(promoted.home).standing.of(MODEL)
    assert (standing.champion, standing.previous) == ("3", None)


def test_a_rollback_passes_over_what_is_archived(promoted: People) -> None:
    promoted.promote("4", "3", promoted.approve("4"))
    promoted.act(ARCHIVE, change(None, None, aliases=[]), "3")
    refused("champion before is none", lambda: promoted.act(ROLL_BACK, change("4", "3"), "3"))


ACTS = st.lists(
    st.tuples(st.sampled_from([PROMOTE, ROLL_BACK, ARCHIVE, WITHDRAW]), st.sampled_from("1234")),
    max_size=20,
)


@given(acts=ACTS)
def test_the_champion_before_has_reigned_is_in_use_and_is_another(
    acts: list[tuple[str, str]],
) -> None:
    standing, reigned = ModelStanding(), set()
    for kind, number in acts:
        if kind == ROLL_BACK:
            if standing.previous is None:
                continue
            number = standing.previous
        elif number in standing.withdrawn or (kind, number) == (ARCHIVE, standing.champion):
            continue
        standing.take(taken(kind, number))
        reigned |= {number} if kind in (PROMOTE, ROLL_BACK) else set()
        before = standing.previous
        assert before is None or before in reigned - standing.archived - standing.withdrawn
        assert before is None or before != standing.champion


def taken(kind: str, number: str) -> Act:
    """Return an act as a standing takes it."""
    now = datetime(2026, 5, 4, tzinfo=UTC)
    return Act("0" * 64, kind, "run-1", "actor-8", MODEL, number, now, {}, {})


@pytest.mark.parametrize(
    ("told", "before"),
    [
        ("p1 p2 p3 a2", "1"),
        ("p1 p2 p3 w2", "1"),
        ("p1 p2 p3 a1", "2"),
        ("p1 p2 p3 a2 a1", None),
        ("p1 p2 p1 a2", None),
        ("p1 p2 p3 a2 r1", None),
        ("p1 p2 p3 a2 r1 p2", "1"),
        ("p1 p2 a1 p1", "2"),
    ],
)
def test_the_champion_before_is_the_newest_that_is_in_use(told: str, before: str | None) -> None:
    kinds = {"p": PROMOTE, "r": ROLL_BACK, "a": ARCHIVE, "w": WITHDRAW}
    standing = ModelStanding()
    for word in told.split():
        standing.take(taken(kinds[word[0]], word[1:]))
    assert standing.previous == before


def test_taking_a_version_out_of_use_takes_its_aliases_away_and_moves_none(
    promoted: People,
) -> None:
    def out(kind: str, number: str, *aliases: tuple[str, str, str | None]) -> Callable[[], str]:
        moved = [{"alias": a, "from": before, "to": to} for a, before, to in aliases]
        return lambda: promoted.act(kind, change(None, None, aliases=moved), number)

    refused("moves an alias", out(ARCHIVE, "4", ("champion", "3", "4")))
    refused("moves an alias", out(WITHDRAW, "4", ("candidate", "3", None)))
    refused("loses the alias champion", out(WITHDRAW, "3", ("candidate", "3", None)))
    out(ARCHIVE, "4", ("challenger", "4", None))()
    out(WITHDRAW, "3", ("candidate", "3", None), ("champion", "3", None))()
    assert findings(promoted.home) == []


def test_the_same_act_again_is_the_same_record_and_a_restart_knows_it(promoted: People) -> None:
    assert promoted.approve() == Trail(promoted.home).standing.approvals(MODEL, "3")[0].record


# Attacks with the notary's stolen key; rewritten without a change the log gives no finding.


def rewritten(home: Path, key: SigningKey, edit: Callable[[list[dict[str, Any]]], None]) -> None:
    """Sign every record and checkpoint again, with changed statements and their new digests."""
    count = len(list((AuditFolder(home).log / "entries").rglob("*.json")))
    leaves = [entry(home, index).read_bytes() for index in range(count)]
    statements = [json.loads(Envelope.from_bytes(leaf).payload) for leaf in leaves]
    edit(statements)
    tree, renamed = Tree(), {}
    for index, statement in enumerate(statements):
        text = json.dumps(statement)
        for old, new in renamed.items():
            text = text.replace(old, new)
        leaf = Envelope.sign(json.loads(text), key).to_bytes()
        renamed[sha256_bytes(leaves[index])] = sha256_bytes(leaf)
        entry(home, index).write_bytes(leaf)
        tree.append(leaf_hash(leaf))
        note = Checkpoint(origin_of(key.public), index + 1, tree.root()).sign(key)
        (AuditFolder(home).log / f"checkpoints/000000/{index + 1:09d}").write_text(note)


def change_the_envelope(statements: list[dict[str, Any]]) -> None:
    held = statements[18]["predicate"]["approval"]
    payload = held["payload"]
    held["payload"] = payload[:60] + ("A" if payload[60] != "A" else "B") + payload[61:]


def move_the_signature(statements: list[dict[str, Any]]) -> None:
    """Put what was signed for version 3 under a record about version 4."""
    statements[18]["predicate"]["version"] = "4"
    bundle = statements[15]["predicate"][AUDIT]["facts"]["versions"]["challenger"]["bundle_sha256"]
    made = next(
        item
        for item in statements[15]["predicate"][AUDIT]["inputs"]
        if item["name"] == "tensorflow_model"
    )
    statements[18]["subject"][1]["digest"]["sha256"] = bundle
    statements[18]["predicate"][AUDIT]["inputs"][1] |= {
        "sha256": made["sha256"],
        "record": made["record"],
    }


def resign_with_another_key(statements: list[dict[str, Any]]) -> None:
    statements[18]["predicate"]["publicKey"] = BOB.public.raw.hex()


def approve_as_the_submitter(statements: list[dict[str, Any]]) -> None:
    statements[18]["predicate"][AUDIT]["actor"]["id"] = SUBMITTER


def decide_after_the_approval(statements: list[dict[str, Any]]) -> None:
    for index in range(13, 18):
        statements[index]["predicate"][AUDIT]["clocks"]["notary"] = "2026-05-04T03:05:30.000Z"


def ask_for_nothing(statements: list[dict[str, Any]]) -> None:
    statements[20]["predicate"] |= {"required": {"review": 0, "approval": 0}, "approvals": []}


def count_a_review_as_an_approval(statements: list[dict[str, Any]]) -> None:
    review = sha256_bytes(Envelope.sign(statements[19], KEY).to_bytes())
    statements[20]["predicate"]["approvals"] = [review]


def expire_the_approval(statements: list[dict[str, Any]]) -> None:
    statements[20]["predicate"][AUDIT]["clocks"]["notary"] = "2026-07-01T00:00:00.000Z"


def work_alone(statements: list[dict[str, Any]], trusted: tuple[str, ...] = ()) -> None:
    """Ask for nothing, in the settings and in the promotion, with these keys trusted."""
    none = {"review": 0, "approval": 0}
    statements[15]["predicate"][AUDIT]["settings"]["registry"] = {"approvals": none}
    said = {"required": none, "approvals": [], "keys": keys_said(trusted, ())}
    statements[20]["predicate"] |= said


def work_alone_among_others(statements: list[dict[str, Any]]) -> None:
    work_alone(statements, (ANN.public.keyid,))


def name_another_key(statements: list[dict[str, Any]]) -> None:
    statements[20]["predicate"]["keys"]["counted"] = [BOB.public.keyid]


def trust_no_key(statements: list[dict[str, Any]]) -> None:
    statements[20]["predicate"]["keys"]["trusted_sha256"] = sha256_value([])


def say_nothing_of_keys(statements: list[dict[str, Any]]) -> None:
    statements[20]["predicate"]["keys"] = None


def promote_another(statements: list[dict[str, Any]]) -> None:
    statements[20]["predicate"]["version"] = "7"


def ask_in_an_unknown_form(statements: list[dict[str, Any]]) -> None:
    statements[15]["predicate"][AUDIT]["settings"]["registry"] = {"approvals": {"approval": "0"}}


def name_no_registry(statements: list[dict[str, Any]]) -> None:
    statements[15]["predicate"][AUDIT]["settings"]["registry"] = "none"


KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
ATTACKS: dict[Callable[[list[dict[str, Any]]], None], str] = {
    change_the_envelope: "it is no signed approval",
    move_the_signature: "what the person signed is of another version",
    resign_with_another_key: "another key signed it",
    approve_as_the_submitter: "its signer submitted the run",
    decide_after_the_approval: "signed before the run's gates",
    ask_for_nothing: "does not ask for what the settings",
    count_a_review_as_an_approval: "1 people must have signed with meaning approval, 0 have",
    expire_the_approval: "it held until 2026-06-03",
    work_alone_among_others: "1 people must have signed with meaning approval, 0 have",
    name_another_key: "the keys that it names are not those of its approvals",
    trust_no_key: "it counts approvals where no key was trusted",
    say_nothing_of_keys: "it does not say which keys were trusted",
    promote_another: "registered no version 7",
    ask_in_an_unknown_form: "does not say which approvals",
    name_no_registry: "does not say which approvals",
}


def test_the_log_signed_again_without_a_change_gives_no_finding(promoted: People) -> None:
    rewritten(promoted.home, KEY, lambda statements: None)
    assert findings(promoted.home) == []


def test_a_promotion_with_settings_of_zero_and_no_trusted_key_gives_no_finding(
    promoted: People,
) -> None:
    rewritten(promoted.home, KEY, work_alone)
    assert findings(promoted.home) == []


def test_a_promotion_of_version_1_which_names_no_keys_is_verified_as_it_was(
    promoted: People,
) -> None:
    def older(statements: list[dict[str, Any]]) -> None:
        statements[20]["predicateType"] = REGISTRY_CHANGE_1
        del statements[20]["predicate"]["keys"]

    rewritten(promoted.home, KEY, older)
    assert findings(promoted.home) == []


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_on_acts_with_the_stolen_key_is_found(
    promoted: People, attack: Callable[[list[dict[str, Any]]], None]
) -> None:
    rewritten(promoted.home, KEY, attack)
    found = findings(promoted.home)
    assert {check for check, _ in found} == {"act"}
    assert any(ATTACKS[attack] in message for _, message in found), found


def test_an_envelope_changed_in_place_is_found_by_the_notarys_signature(promoted: People) -> None:
    file = entry(promoted.home, 18)
    value = json.loads(file.read_bytes())
    statement = json.loads(Envelope.from_bytes(file.read_bytes()).payload)
    change_the_envelope([{}] * 18 + [statement])
    from components.audit import base64_strict

    changed = value | {"payload": base64_strict.encode(canonical_json(statement))}
    file.write_bytes(canonical_json(changed))
    assert "signature" in {check for check, _ in findings(promoted.home)}
