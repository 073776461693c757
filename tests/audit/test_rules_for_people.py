"""What the notary refuses to record of people, and who counts as one."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from acts_of_people import (
    ANN,
    BOB,
    CLAIMED,
    MODEL,
    SUBMITTER,
    People,
    approval,
    change,
    entry,
    findings,
)
from careful_thief import keyed
from changed_keys import YEARLY
from hypothesis import given
from hypothesis import strategies as st
from second_verdict import found_by_second, second

from components.approvals.trail import Trail
from components.audit.acts import ARCHIVE, BUNDLE, PROMOTE, REGISTRATION, ROLL_BACK, WITHDRAW, Act
from components.audit.answers import AUDIT
from components.audit.envelope import Envelope
from components.audit.folder import AuditFolder
from components.audit.key_changes import KeyOrder
from components.audit.keyring import Keyring
from components.audit.keys import SigningKey
from components.audit.model_standing import ModelStanding
from components.audit.people import People as Joined
from components.audit.predicates import APPROVE
from components.audit.sequencer import Sequencer
from components.audit.storage import PosixStorage
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.errors import IntegrityError
from components.register_models.recorded_champion import recorded_champion


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
    assert "checkpoints verify" in second(people.home)


def test_an_approval_counts_for_the_bytes_that_were_judged_and_where_both_people_are_known(
    people: People,
) -> None:
    people.approve()
    standing, version, day = Trail(people.home).standing, people.version(), date(2026, 5, 4)
    (signed,) = standing.approvals(MODEL, "3")
    assert standing.why_not(signed, version, day) is None
    other = version.inputs | {"bundle": people.version("4").inputs["bundle"]}
    why = standing.why_not(signed, replace(version, inputs=other), day)
    assert why == "it is of another evaluation or bundle"
    for item, of in (
        (signed, replace(version, submitter=None)),
        (replace(signed, actor=None), version),
    ):
        assert "does not say who" in (standing.why_not(item, of, day) or "")


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


def revoke(people: People, first: int) -> None:
    """Have nothing count that the log's first key signed from an entry on."""
    people.notary.change_keys(KeyOrder("actor-7", "stolen"))
    first_key = people.notary.checkpoint().split("\n")[0].removeprefix("tandem.invalid/log-")
    people.notary.change_keys(KeyOrder("actor-7", "stolen", first_key, first))


def test_no_promotion_and_no_rollback_stands_on_a_registration_of_a_revoked_key(
    promoted: People,
) -> None:
    registration = Trail(promoted.home).index(promoted.version().inputs[REGISTRATION].record)
    promoted.promote("4", "3", promoted.approve("4"))
    revoke(promoted, registration)
    why = (
        f"the registration does not count: entry {registration} is signed by a key that is revoked"
    )
    refused(why, lambda: promoted.act(ROLL_BACK, change("4", "3"), "3"))
    promoted.act(WITHDRAW, change("4", None), "4")
    refused(why, lambda: promoted.promote("3", None, promoted.approve(name="Ann, again")))


def test_an_approval_of_a_revoked_key_counts_no_more_and_a_new_one_does(people: People) -> None:
    trust(people.home, ANN)
    stolen = people.approve()
    revoke(people, Trail(people.home).index(stolen))
    refused(
        "does not count: entry 18 is signed by a key", lambda: people.promote("3", None, stolen)
    )
    trail = Trail(people.home)
    (judged,) = trail.judged(trail.version(MODEL, "3"), date(2026, 5, 4))
    assert judged.refused == "entry 18 is signed by a key that is revoked from 18 on"
    people.promote("3", None, people.approve(name="Ann, once more"))
    assert {finding.check for finding in verify_log(people.home)} == {"key"}
    assert found_by_second(people.home).endswith("its key was revoked")


def test_a_promotion_that_stands_on_what_a_revoked_key_signed_is_found(promoted: People) -> None:
    """Whoever has the log's new key writes what the notary refuses."""
    home, trail = promoted.home, Trail(promoted.home)
    promotion = trail.standing.of(MODEL).last
    assert promotion is not None
    revoke(promoted, 15)
    assert not [message for check, message in findings(home) if check == "act"]
    again = Envelope.from_bytes(entry(home, trail.index(promotion.record)).read_bytes()).payload
    folder, key = AuditFolder(home), VerifiedLog.of(home).snapshot.keys.tenures[-1].key
    storage = PosixStorage(folder.log)
    sequencer = Sequencer(storage, Keyring(folder), lambda entry: None)
    statement = json.loads(again)
    clocks = {"notary": "2026-05-04T04:00:00.000Z", "claimed": "2026-05-04T04:00:00.000Z"}
    statement["predicate"][AUDIT]["clocks"] = clocks
    sequencer.append([Envelope.sign(keyed(statement), Keyring(folder).signing_key(key))])
    sequencer.seal()
    said = [message for check, message in findings(home) if check == "act"]
    assert "the registration does not count: entry 15 is signed by a key that is revoked" in said[0]
    assert found_by_second(home) == "entry 23: its registration is revoked"
    assert any("approval" in message and "entry 18 is signed by" in message for message in said)


def test_a_promotion_that_a_revoked_key_signed_makes_no_champion(promoted: People) -> None:
    home = promoted.home
    third = promoted.version("3").inputs[BUNDLE].sha256
    promoted.promote("4", "3", promoted.approve("4"))
    stolen = Trail(home).standing.of(MODEL).last
    assert stolen is not None
    found = recorded_champion(home, MODEL)
    assert found is not None and found.version == "4"
    index = Trail(home).index(stolen.record)
    revoke(promoted, index)
    refused(
        f"version 4 by record {index} of the log, which does not count: entry {index} is signed "
        f"by a key that is revoked from {index} on",
        lambda: recorded_champion(home, MODEL),
    )
    promoted.act(ROLL_BACK, change("4", "3"), "3")
    found = recorded_champion(home, MODEL)
    assert found is not None and (found.version, found.bundle_sha256) == ("3", third)


@pytest.mark.parametrize("signed", ["promotion", "approval"])
def test_a_champion_by_a_revoked_key_is_promoted_again_by_one_that_counts(
    signed: str, people: People
) -> None:
    stolen = people.approve()
    people.promote("3", None, stolen)
    promotion = Trail(people.home).standing.of(MODEL).last
    assert promotion is not None
    refused("the champion already", lambda: people.promote("3", "3", stolen))
    approval = stolen if signed == "approval" else people.approve(name="Ann, again")
    revoke(people, Trail(people.home).index(stolen if signed == "approval" else promotion.record))
    refused("does not count", lambda: recorded_champion(people.home, MODEL))
    people.promote("3", "3", people.approve(name="Ann, once more"))
    found = recorded_champion(people.home, MODEL)
    assert found is not None and found.version == "3"
    refused("the champion already", lambda: people.promote("3", "3", approval))
    assert {finding.check for finding in verify_log(people.home)} == {"key"}
    assert found_by_second(people.home).endswith("its key was revoked")


def test_a_version_that_only_a_revoked_key_promoted_is_not_rolled_back_to(people: People) -> None:
    home, stolen = people.home, people.approve()
    people.promote("3", None, stolen)
    revoke(people, Trail(home).index(stolen))
    people.promote("4", "3", people.approve("4", name="Ann, again"))
    assert Trail(home).standing.previous(MODEL) is None
    back = change("4", "3")
    refused("the champion before is none, not 3", lambda: people.act(ROLL_BACK, back, "3"))
    people.promote("3", "4", people.approve(name="Ann, once more"))
    people.promote("4", "3", people.approve("4", name="Ann, the last time"))
    people.act(ROLL_BACK, back, "3")
    found = recorded_champion(home, MODEL)
    assert found is not None and found.version == "3"
    assert {finding.check for finding in verify_log(home)} == {"key"}
    assert found_by_second(home).endswith("its key was revoked")


def test_a_rollback_to_what_a_key_promoted_that_was_revoked_later_makes_no_champion(
    people: People,
) -> None:
    home, stolen = people.home, people.approve()
    index = Trail(home).index(stolen)
    people.promote("3", None, stolen)
    people.notary.change_keys(YEARLY)
    people.promote("4", "3", people.approve("4", name="Ann, again"))
    people.act(ROLL_BACK, change("4", "3"), "3")
    assert Trail(home).standing.reigns(MODEL)
    first_key = VerifiedLog.of(home).snapshot.keys.tenures[0].key.keyid
    people.notary.change_keys(KeyOrder("actor-7", "stolen", first_key, index))
    assert not Trail(home).standing.reigns(MODEL)
    refused("the champion before is none", lambda: recorded_champion(home, MODEL))
    people.promote("3", "3", people.approve(name="Ann, once more"))
    assert Trail(home).standing.reigns(MODEL)
    assert {finding.check for finding in verify_log(home)} == {"key"}
    assert found_by_second(home).endswith("its key was revoked")


def test_a_promotion_on_an_approval_that_a_revoked_key_signed_makes_no_champion(
    people: People,
) -> None:
    stolen = people.approve()
    index = Trail(people.home).index(stolen)
    people.notary.change_keys(KeyOrder("actor-7", "yearly"))
    people.promote("3", None, stolen)
    found = recorded_champion(people.home, MODEL)
    assert found is not None and found.version == "3"
    first_key = VerifiedLog.of(people.home).snapshot.keys.tenures[0].key.keyid
    people.notary.change_keys(KeyOrder("actor-7", "stolen", first_key, index))
    refused(
        f"the approval {stolen[:12]} does not count: entry {index} is signed by a key",
        lambda: recorded_champion(people.home, MODEL),
    )


def test_a_key_that_is_not_trusted_here_does_not_count(people: People) -> None:
    people.approve()
    trail = Trail(people.home)
    (judged,) = trail.judged(trail.version(MODEL, "3"), date(2026, 5, 4))
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
    standing = Trail(promoted.home).standing
    assert (standing.of(MODEL).champion, standing.previous(MODEL)) == (None, "3")
    promoted.act(ROLL_BACK, change(None, "3"), "3")
    standing = Trail(promoted.home).standing
    assert (standing.of(MODEL).champion, standing.previous(MODEL)) == ("3", None)


def test_a_rollback_passes_over_what_is_archived(promoted: People) -> None:
    promoted.promote("4", "3", promoted.approve("4"))
    promoted.act(ARCHIVE, change(None, None, aliases=[]), "3")
    refused("champion before is none", lambda: promoted.act(ROLL_BACK, change("4", "3"), "3"))


@pytest.mark.parametrize(
    "said",
    [
        {"approvals": ["0" * 64]},
        {"required": {"review": 0, "approval": 1}},
        {"keys": {"counted": [], "trusted_sha256": "0" * 64}},
    ],
    ids=lambda said: ",".join(said),
)
def test_no_act_but_a_promotion_says_anything_of_approvals(
    promoted: People, said: dict[str, Any]
) -> None:
    promoted.promote("4", "3", promoted.approve("4"))
    back, gone = change("4", "3"), change(None, None, aliases=[])
    why = "it names approvals, keys or how many are asked for"
    refused(why, lambda: promoted.act(ROLL_BACK, back | said, "3"))
    refused(why, lambda: promoted.act(ARCHIVE, gone | said, "3"))
    refused(why, lambda: promoted.act(WITHDRAW, gone | said, "3"))
    promoted.act(ROLL_BACK, back, "3")


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
            if not standing.former:
                continue
            number = standing.former[0]
        elif number in standing.withdrawn or (kind, number) == (ARCHIVE, standing.champion):
            continue
        standing.take(taken(kind, number))
        reigned |= {number} if kind in (PROMOTE, ROLL_BACK) else set()
        assert reigned - standing.archived - standing.withdrawn >= {*standing.former}
        assert standing.champion not in standing.former


def taken(kind: str, number: str) -> Act:
    """Return an act as a standing takes it."""
    now = datetime(2026, 5, 4, tzinfo=UTC)
    return Act("0" * 64, kind, "run-1", "actor-8", MODEL, number, now, {}, {})


@pytest.mark.parametrize(
    ("told", "before"),
    [
        ("p1 p2 p3", "21"),
        ("p1 p2 p3 a2", "1"),
        ("p1 p2 p3 w2", "1"),
        ("p1 p2 p3 a1", "2"),
        ("p1 p2 p3 a2 a1", ""),
        ("p1 p2 p1 a2", ""),
        ("p1 p2 p3 a2 r1", ""),
        ("p1 p2 p3 a2 r1 p2", "1"),
        ("p1 p2 a1 p1", "2"),
    ],
)
def test_the_champions_before_are_those_in_use_the_newest_first(told: str, before: str) -> None:
    kinds = {"p": PROMOTE, "r": ROLL_BACK, "a": ARCHIVE, "w": WITHDRAW}
    standing = ModelStanding()
    for word in told.split():
        standing.take(taken(kinds[word[0]], word[1:]))
    assert "".join(standing.former) == before


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
    assert "checkpoints verify" in second(promoted.home)


def test_the_same_act_again_is_the_same_record_and_a_restart_knows_it(promoted: People) -> None:
    assert promoted.approve() == Trail(promoted.home).standing.approvals(MODEL, "3")[0].record
