"""The verifier in an export against a thief of the notary's key, who packs what was forged.

The log's own attacks (THEFTS, the attacks on acts) are put to it too, beside some of an export.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import test_attacks_on_acts as on_acts
import test_verifier_attacks as on_records
from acts_of_people import ANN, BOB, SUBMITTER, People, change, entry, late_clock
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from exported_files import Files, exported, unpacked, verified
from stolen_exports import Change, Loot
from test_verifier_attacks import block

from components.audit import base64_strict
from components.audit.acts import ARCHIVE, WITHDRAW
from components.audit.envelope import Envelope
from components.audit.notary import open_notary
from components.core.canonical import parse_json, sha256_bytes

pytestmark = pytest.mark.slow
Statements = list[dict[str, Any]]
ENTRIES = 21
FAILED = {
    "name": "minimum_auc",
    "metric": "auc",
    "operator": ">=",
    "threshold": 0.7,
    "slice": "overall",
    "n": 25000,
    "value": 0.5,
    "interval": [0.5, 0.6],
    "passed": False,
}


@pytest.fixture(scope="module")
def loot(told: Path, tmp_path_factory: pytest.TempPathFactory) -> Loot:
    """A log with a promoted version, its export, and the key that signed it."""
    root = Path(shutil.copytree(told, tmp_path_factory.mktemp("loot") / "people"))
    with open_notary(root / "home", late_clock()) as notary:
        people = People(root / "home", notary)
        first = people.approve()
        people.approve(meaning="review", key=BOB, actor="actor-9")
        people.promote("3", None, first)
    entries = tuple(entry(root / "home", index).read_bytes() for index in range(ENTRIES))
    return Loot(entries, unpacked(exported(root / "home")), on_acts.KEY)


def nothing(statements: Statements) -> None:
    pass


def test_what_was_signed_again_without_a_change_verifies(loot: Loot, tmp_path: Path) -> None:
    assert verified(loot.forged(nothing), tmp_path / "same") == 0
    whole = loot.forged(nothing, packed=tuple(range(18)))
    assert verified(whole, tmp_path / "whole") == 0, "with all records of the run"


# What these contradict is in no export: a START, or the closing record of the run.
UNSEEN = (
    on_records.name_another_start,
    on_records.record_at_no_time,
    on_records.write_the_time_otherwise,
    on_records.record_at_the_end_of_time,
    on_records.change_a_dependency_of_a_start,
    on_records.count_other_stages,
    on_records.start_another_attempt,
    on_records.begin_earlier,
    on_records.run_other_code_than_was_started,
    on_records.complete_another_pipeline,
    on_records.use_another_entry_of_the_cache,
    on_records.run_elsewhere,
)
SEEN = [theft for theft in on_records.THEFTS if theft not in UNSEEN]


@pytest.mark.parametrize("theft", SEEN, ids=lambda theft: theft.__name__)
def test_a_record_that_contradicts_itself_or_others_is_found(
    loot: Loot, tmp_path: Path, theft: Change
) -> None:
    assert verified(loot.forged(theft), tmp_path) == 4


@pytest.mark.parametrize("theft", UNSEEN, ids=lambda theft: theft.__name__)
def test_what_contradicts_a_start_or_a_closing_is_found_where_these_are_packed_too(
    loot: Loot, tmp_path: Path, theft: Change
) -> None:
    assert verified(loot.forged(theft), tmp_path / "alone") == 0
    if theft is not on_records.name_another_start:
        whole = loot.forged(theft, packed=tuple(range(18)))
        assert verified(whole, tmp_path / "whole") == 4


@pytest.mark.parametrize("attack", on_acts.ATTACKS, ids=lambda attack: attack.__name__)
def test_an_act_that_should_not_have_been_is_found(
    loot: Loot, tmp_path: Path, attack: Change
) -> None:
    assert verified(loot.forged(on_acts.everywhere(attack)), tmp_path) == 4


def test_a_promotion_that_nobody_had_to_approve_verifies_as_the_log_does(
    loot: Loot, tmp_path: Path
) -> None:
    assert verified(loot.forged(on_acts.everywhere(on_acts.work_alone)), tmp_path) == 0


def signed(**changed: Any) -> Change:
    """Return the attack of having a person sign something else, as the thief's accomplice."""

    def attack(statements: Statements) -> None:
        held = statements[18]["predicate"]
        said = json.loads(base64_strict.decode(held["approval"]["payload"]))
        said["predicateType"] = changed.get("type", said["predicateType"])
        said["predicate"] |= {name: v for name, v in changed.items() if name != "type"}
        held["approval"] = parse_json(Envelope.sign(said, ANN).to_bytes())

    return attack


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"version": "7"}, "the person signed for another version"),
        ({"model": "other"}, "the person signed for another version"),
        ({"type": "https://example.invalid/newsletter/v1"}, "what was signed is no approval"),
        ({"signedAt": "2026-05-04T05:00:00+05:00"}, "the approval was signed at no time"),
        ({"signedAt": "2026-05-04T03:05:00Z"}, "the approval was signed at no time"),
        ({"signedAt": "2026-05-04T03:00:00.000Z"}, "is not here, or does not count"),
        ({"signedAt": "2030-01-01T00:00:00.000Z", "until": "2031-01-01"}, "after its record"),
        ({"meaning": "gossip"}, "the approval has no meaning"),
        ({"until": "2026-02-31"}, "it lacks what it should have"),
        ({"note": "trust me"}, "the approval is of no form"),
        ({"name": 7}, "the approval is of no form"),
    ],
    ids=lambda said: str(said)[:40],
)
def test_what_a_person_signed_for_something_else_is_found(
    loot: Loot, tmp_path: Path, said: dict[str, Any], found: str, capsys
) -> None:
    assert verified(loot.forged(signed(**said)), tmp_path) == 4
    assert found in capsys.readouterr().out


def swap_the_bundles(statements: Statements) -> None:
    """Register each version by the other's bundle, in facts and subjects."""
    said = block(statements[15])["facts"]["versions"]
    one, two = said["candidate"]["bundle_sha256"], said["challenger"]["bundle_sha256"]
    said["candidate"]["bundle_sha256"], said["challenger"]["bundle_sha256"] = two, one
    for item in statements[15]["subject"]:
        if item["name"].startswith("model/"):
            item["digest"]["sha256"] = two if item["name"] == "model/candidate" else one


def fail_a_gate_of_the_registration(statements: Statements) -> None:
    block(statements[15])["gates"] = [FAILED]


def name_a_candidate_after_a_blank(statements: Statements) -> None:
    block(statements[13])["gates"] = [{**FAILED, "name": " imported auc"}]


def fail_the_gate_of_a_registered_challenger(statements: Statements) -> None:
    block(statements[13])["gates"] = [{**FAILED, "name": "tensorflow auc"}]


def waive_by_nothing(statements: Statements) -> None:
    (gate,) = block(statements[11])["gates"]
    gate |= {**FAILED, "waived_by": None}
    statements[11]["predicate"] |= {
        "result": "WARNED",
        "passedTests": [],
        "warnedTests": ["minimum_auc (overall)"],
    }


def measure(value: Any, threshold: Any = 0.7) -> Change:
    def attack(statements: Statements) -> None:
        block(statements[11])["gates"][0] |= {"value": value, "threshold": threshold}

    attack.__name__ = f"measure_{str(value)[:9]}_of_{threshold}"
    return attack


def evaluate_by_nobody(statements: Statements) -> None:
    for statement in statements:
        for item in block(statement)["inputs"]:
            if item["name"] == "evaluation":
                item |= {"record": "", "sha256": "0" * 64}
        made_by = block(statement)["inputs"]
        block(statement)["parents"] = list(
            dict.fromkeys(item["record"] for item in made_by if item["record"])
        )


def ask_for_null(statements: Statements) -> None:
    statements[20]["predicate"] |= {"required": None, "approvals": []}


def close_no_start(statements: Statements) -> None:
    block(statements[15])["start"] = None


def ask_by_settings_of_another_digest(statements: Statements) -> None:
    none = {"review": 0, "approval": 0}
    block(statements[15])["settings"] = {"registry": {"approvals": none}}


def called(stage: str) -> Change:
    """Return the attack of calling a promotion another act, approvals and all."""

    def attack(statements: Statements) -> None:
        audit = block(statements[20])
        audit["record_id"] = audit["record_id"].replace("promote_model", stage)
        audit["stage"] = stage

    attack.__name__ = f"call_a_promotion_{stage}"
    return attack


def roll_back_to_what_was_not_promoted(statements: Statements) -> None:
    called("roll_back_model")(statements)
    statements[20]["predicate"] |= {"required": None, "approvals": [], "keys": None}


def judge_another_bundle(statements: Statements) -> None:
    statements[18]["subject"][1]["digest"]["sha256"] = "0" * 64
    block(statements[18])["inputs"][1]["sha256"] = "0" * 64


def promote_in_another_run(statements: Statements) -> None:
    block(statements[20])["run"]["id"] = "run-2"
    block(statements[20])["record_id"] = "run-2/promote_model/1/ACT"


def move_another_alias(statements: Statements) -> None:
    statements[20]["predicate"]["aliases"][0]["alias"] = "shadow"


def promote_the_champion(statements: Statements) -> None:
    statements[20]["predicate"]["aliases"][0]["from"] = "3"


def submit_by_nobody(statements: Statements) -> None:
    block(statements[15])["actor"]["id"] = None


def put(index: int, value: Any, *path: str) -> Change:
    """Return the attack of a value of no form in a record's block."""

    def attack(statements: Statements) -> None:
        place = block(statements[index])
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value

    attack.__name__ = f"put_{value}_as_{path[-1]}_of_{index}"
    return attack


def approve_by_nobody(statements: Statements) -> None:
    block(statements[18])["actor"]["id"] = None


def review_by_the_submitter_with_the_approvers_key(statements: Statements) -> None:
    """The submitter handed in a review that the approver's key signed: they are one person."""
    held = statements[19]["predicate"]
    said = json.loads(base64_strict.decode(held["approval"]["payload"]))
    held["approval"] = parse_json(Envelope.sign(said, ANN).to_bytes())
    held["publicKey"] = ANN.public.raw.hex()
    block(statements[19])["actor"]["id"] = SUBMITTER


def of_type(index: int, kind: str) -> Change:
    def attack(statements: Statements) -> None:
        statements[index]["predicateType"] = kind

    attack.__name__ = f"give_{index}_the_type_{kind.rpartition('/')[0][-20:]}"
    return attack


def happen(event: str, index: int) -> Change:
    def attack(statements: Statements) -> None:
        block(statements[index])["event"] = event

    attack.__name__ = f"have_{index}_be_a_{event}"
    return attack


def lack(field: str) -> Change:
    def attack(statements: Statements) -> None:
        del block(statements[13])[field]

    attack.__name__ = f"lack_{field}"
    return attack


def timed(time: str) -> Change:
    """Return the attack of recording a decision at a time, in all copies of it."""

    def attack(statements: Statements) -> None:
        block(statements[13])["clocks"]["notary"] = time
        statements[13]["predicate"]["timeVerified"] = time

    attack.__name__ = f"decide_at_{time}"
    return attack


MINE: list[Change] = [
    swap_the_bundles,
    fail_a_gate_of_the_registration,
    name_a_candidate_after_a_blank,
    fail_the_gate_of_a_registered_challenger,
    waive_by_nothing,
    measure("1" + "0" * 500),
    measure("inf"),
    measure(0.71, "-inf"),
    measure("9e999"),
    measure(True, True),
    evaluate_by_nobody,
    ask_for_null,
    close_no_start,
    ask_by_settings_of_another_digest,
    called("roll_back_model"),
    called("archive_model"),
    called("withdraw_model"),
    called("bless_model"),
    roll_back_to_what_was_not_promoted,
    judge_another_bundle,
    promote_in_another_run,
    move_another_alias,
    promote_the_champion,
    submit_by_nobody,
    approve_by_nobody,
    put(15, {}, "actor", "id"),
    put(19, [1], "controls"),
    put(20, "some day", "retain_until"),
    put(9, 2, "schema_version"),
    put(9, {}, "stage"),
    review_by_the_submitter_with_the_approvers_key,
    of_type(5, "https://example.invalid/recipe/v1"),
    of_type(20, "https://tandem.invalid/registry-change/v1"),
    of_type(18, "https://tandem.invalid/stage-event/v1"),
    happen("NOTE", 20),
    happen("FAIL", 15),
    happen("START", 15),
    *map(lack, ("observed", "settings_sha256", "record_id", "retain_until", "code_sha256")),
    timed("2026-05-04T03:02:00.000Z"),
    timed("2026-13-45T99:99:99.000Z"),
    timed("2026-05-04T03:02:14.000+00:00"),
    timed("9999-12-31T23:59:59.999Z"),
]


@pytest.mark.parametrize("attack", MINE, ids=lambda attack: attack.__name__)
def test_an_attack_on_what_an_export_holds_is_found(
    loot: Loot, tmp_path: Path, attack: Change, capsys
) -> None:
    assert verified(loot.forged(attack), tmp_path) == 4
    assert "findings: " in capsys.readouterr().out


def hide_a_failed_gate(statements: Statements) -> None:
    """A second evaluation passed, in place of a START, and is what the decision has as parent."""
    good = copy.deepcopy(statements[11])
    said = {"record_id": "run-1/evaluate_models/2/COMPLETE", "attempt": 2}
    block(good).update(said, clocks=block(statements[10])["clocks"])
    statements[10] = good
    block(statements[11])["gates"] = [FAILED]
    result = {"result": "FAILED", "passedTests": [], "failedTests": ["minimum_auc (overall)"]}
    statements[11]["predicate"] |= result


def name_the_other_as_parent(statements: Statements) -> None:
    good, failed = (
        sha256_bytes(Envelope.sign(statements[index], on_acts.KEY).to_bytes()) for index in (10, 11)
    )
    for index in (12, 13, 14, 15):
        found = block(statements[index])["parents"]
        block(statements[index])["parents"] = [good if item == failed else item for item in found]


def test_a_failed_gate_is_not_hidden_by_another_parent(loot: Loot, tmp_path: Path, capsys) -> None:
    forged = loot.forged(hide_a_failed_gate, name_the_other_as_parent, packed=(10,))
    assert verified(forged, tmp_path) == 4
    assert "its parents are not the records of its inputs" in capsys.readouterr().out


def test_an_export_says_what_became_of_the_version(
    promoted: People, tmp_path: Path, capsys
) -> None:
    promoted.act(WITHDRAW, change("3", None))
    files = unpacked(exported(promoted.home))
    assert verified(files, tmp_path) == 0
    text = capsys.readouterr().out
    assert "promoted at 2026-05-04T03:06:" in text and "(record 20)" in text
    assert "WITHDRAWN at 2026-05-04T03:06:" in text and "(record 21)" in text
    assert "no leave to use it" in text
    assert verified(files, tmp_path, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    acts = [(item["index"], item["act"]) for item in answer["acts"]]
    assert acts == [(20, "promote_model"), (21, "withdraw_model")]
    assert answer["withdrawn"] is True
    assert "withdrawn" in files["VERIFY.md"].decode()


def test_a_version_that_was_archived_is_called_so_and_not_withdrawn(
    people: People, tmp_path: Path, capsys
) -> None:
    people.act(ARCHIVE, change(None, None, aliases=[]))
    assert verified(unpacked(exported(people.home)), tmp_path) == 0
    text = capsys.readouterr().out
    assert "archived at " in text and "(record 18)" in text and "WITHDRAWN" not in text


def withdraw_before(statements: Statements) -> None:
    """Have the review be the withdrawal of the version, before it is promoted."""
    audit = block(statements[19])
    audit |= {"stage": "withdraw_model", "record_id": "run-1/withdraw_model/1/ACT"}
    statements[19]["predicateType"] = statements[20]["predicateType"]
    said = change(None, None, aliases=[]) | {"model": "flight-delay", "version": "3"}
    statements[19]["predicate"] = said | {"tandem_audit": audit}


def test_a_withdrawn_version_is_not_promoted(loot: Loot, tmp_path: Path, capsys) -> None:
    assert verified(loot.forged(withdraw_before), tmp_path) == 4
    assert "record 20: the version was withdrawn" in capsys.readouterr().out


def cosigned(files: Files, witness: Ed25519PrivateKey, time: int) -> Files:
    note = files["checkpoint"].decode()
    text, name, raw = note.rpartition("\n\n")[0], "w.example/w1", witness.public_key()
    own = hashlib.sha256(name.encode() + b"\n\x04" + raw.public_bytes_raw()).digest()[:4]
    signature = witness.sign(f"cosignature/v1\ntime {time}\n{text}\n".encode())
    data = base64_strict.encode(own + time.to_bytes(8) + signature)
    longer = f"{note}\u2014 {name} {data}\n".encode()
    return {place: data.replace(note.encode(), longer) for place, data in files.items()}


@pytest.mark.parametrize(("time", "code"), [(1_800_000_000, 0), (2**62, 4), (2**64 - 1, 4)])
def test_a_witness_at_no_time_of_a_calendar_is_a_finding(
    loot: Loot, tmp_path: Path, time: int, code: int
) -> None:
    witness = Ed25519PrivateKey.generate()
    files = cosigned(loot.files, witness, time)
    named = f"w.example/w1={witness.public_key().public_bytes_raw().hex()}"
    assert verified(files, tmp_path, "--witness", named) == code
