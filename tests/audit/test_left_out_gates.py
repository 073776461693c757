"""Gates that settings ask for and a record left out, and waivers that nobody holds: found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_failed_gates import GATE, LOW, WAIVED, Claim, told

from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.canonical import sha256_bytes
from components.core.errors import IntegrityError

POLICY = {
    "gates": [
        {"metric": "auc", "operator": ">=", "threshold": 0.7, "slice": "overall"},
        {"metric": "recall", "operator": ">=", "threshold": 0.6, "slice": "origin=*", "at": 0.5},
    ],
}
RECALL = {**GATE, "metric": "recall", "threshold": 0.6, "slice": "origin=JFK"}
CHECKS = {"minimum_rows": 10, "drift": {"carrier": 0.1}, "skew": {}, "duplicate_rows": None}


def judged(model: str) -> list[Claim]:
    """Return what a stage says that judges all of the policy's gates of a candidate."""
    passed = {"value": 0.75, "passed": True}
    auc = {"name": f"{model} auc", **GATE, **passed}
    return [auc, {"name": f"{model} recall@0.5", **RECALL, **passed}]


BOTH = [*judged("pytorch"), *judged("tensorflow")]


def decided(home: Path, new_story: Any, *gates: Claim, policy: Claim | None = None) -> None:
    settings = {"policy": POLICY if policy is None else policy}
    told(home, new_story, "decide_release", *gates, settings=settings)


def found(home: Path) -> list[tuple[str, str, str]]:
    return [(item.check, item.where, item.message) for item in verify_log(home)]


def test_a_decision_that_judged_what_its_policy_names_is_no_finding(
    home: Path, new_story: Any
) -> None:
    decided(home, new_story, *BOTH)
    assert found(home) == []


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize("gone", range(len(BOTH)))
def test_a_gate_that_the_decision_left_out_is_found_by_index(
    home: Path, new_story: Any, gone: int
) -> None:
    decided(home, new_story, *BOTH[:gone], *BOTH[gone + 1 :])
    ((check, where, message),) = found(home)
    assert (check, where) == ("gate", "entry 13")
    assert f"its policy asked for the gate {BOTH[gone]['name']}" in message


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize(
    "other", [{"threshold": 0.6}, {"operator": "<=", "passed": False}, {"slice": "origin=JFK"}]
)
def test_a_gate_that_was_held_to_something_else_than_the_policy_says_is_found(
    home: Path, new_story: Any, other: Claim
) -> None:
    decided(home, new_story, {**BOTH[0], **other}, *BOTH[1:])
    assert "its policy asked for the gate pytorch auc >= 0.7" in found(home)[0][2]


@pytest.mark.usefixtures("careless")
def test_a_decision_without_any_gate_and_a_registration_of_what_it_did_not_judge_are_found(
    home: Path, new_story: Any, tmp_path: Path
) -> None:
    decided(home, new_story)
    none = "its policy asked for gates, and it judged those of no candidate"
    assert found(home)[0] == ("gate", "entry 13", none)
    assert [where for _, where, _ in found(home)] == ["entry 13", "entry 15", "entry 15"]


@pytest.mark.usefixtures("careless")
def test_a_framework_that_is_registered_unjudged_is_found(home: Path, new_story: Any) -> None:
    decided(home, new_story, *judged("pytorch"))
    said = "it registers tensorflow as challenger, of which its decision judged no gate"
    assert found(home) == [("gate", "entry 15", said)]


def test_the_notary_records_no_registration_where_a_gate_was_left_out(
    home: Path, new_story: Any
) -> None:
    with pytest.raises(IntegrityError, match=r"of entry 13: its policy asked for the gate pytorch"):
        decided(home, new_story, *BOTH[1:])
    assert VerifiedLog.of(home).views[-1].event == "START"


CHECKED = [
    {"name": "minimum_rows", "metric": "rows", "operator": ">=", "threshold": 10, "value": 10},
    {"name": "schema", "metric": "anomalies", "operator": "==", "threshold": 0, "value": 0},
    {"name": "drift:carrier", "metric": "d", "operator": "<=", "threshold": 0.1, "value": 0.05},
    {"name": "leakage", "metric": "columns", "operator": "==", "threshold": 0, "value": 0},
]
DATA_GATES = [
    {**gate, "slice": slice_, "passed": True}
    for gate, slices in zip(
        CHECKED,
        (("train", "eval"), ("train", "eval"), ("2013-02 against 2013-01",), ("all splits",)),
        strict=True,
    )
    for slice_ in slices
]


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize("gone", [None, *range(len(DATA_GATES))])
def test_a_data_gate_that_the_checks_ask_for_and_nobody_judged_is_found(
    home: Path, new_story: Any, gone: int | None
) -> None:
    gates = [gate for number, gate in enumerate(DATA_GATES) if number != gone]
    told(home, new_story, "validate_examples", *gates, settings={"checks": CHECKS})
    expected = [] if gone is None else [("gate", "entry 3")]
    assert [(check, where) for check, where, _ in found(home)] == expected
    if gone is not None:
        name = DATA_GATES[gone]["name"]
        assert f"its checks asked for the gate {name}" in found(home)[0][2]


def waived(waiver: str, **more: Any) -> Claim:
    by = sha256_bytes(waiver.encode())
    return {"name": "minimum_auc", **GATE, **LOW, "waived_by": by, **more}


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize(
    ("gate", "settings", "why"),
    [
        (waived(WAIVED), {"waivers": [WAIVED]}, None),
        (waived(WAIVED), {"waivers": []}, "which it does not hold"),
        (waived(WAIVED), {}, "which it does not hold"),
        (waived(WAIVED), {"waivers": WAIVED}, "which it does not hold"),
        (waived("word of mouth"), {"waivers": ["word of mouth"]}, "that is no waiver"),
        (waived(WAIVED, name="minimum_recall"), {"waivers": [WAIVED]}, "that is of another gate"),
        (waived(WAIVED), {"waivers": [WAIVED], "schema_text": "no"}, "that is of another schema"),
    ],
)
def test_a_waiver_must_be_in_the_record_and_be_about_the_gate(
    home: Path, new_story: Any, gate: Claim, settings: Claim, why: str | None
) -> None:
    told(home, new_story, "validate_examples", gate, settings=settings)
    messages = [message for _, _, message in found(home)]
    assert len(messages) == (0 if why is None else 1)
    assert why is None or why in messages[0]
