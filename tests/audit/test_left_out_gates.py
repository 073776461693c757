"""Gates that settings ask for and a record left out, and waivers that nobody holds: found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exported_files import exported, unpacked, verified
from second_verdict import found_by_second, second
from test_failed_gates import GATE, LOW, WAIVED, Claim, told

from components.audit.notary import open_notary
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
MEASURED = {
    "size_bytes": {"pytorch": {"onnx": 3, "pt2": 3}, "tensorflow": {"onnx": 3}},
    "overall": {"champion": {"auc": 0.7}, "pytorch": {"auc": 0.75}, "tensorflow": {"auc": 0.75}},
}
"""Which forms were measured, and that there was a champion."""
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
    told(home, new_story, "decide_release", *gates, settings=settings, measured=MEASURED)


def found(home: Path) -> list[tuple[str, str, str]]:
    """Return what the verifier finds, which each of the other two must find as well."""
    found = [(item.check, item.where, item.message) for item in verify_log(home)]
    code = verified(unpacked(exported(home)), home / "unpacked")
    if found:
        assert (code, found_by_second(home).split(":")[0]) == (4, found[0][1])
    else:
        assert (code, "checkpoints verify" in second(home)) == (0, True)
    return found


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


ALL_SECTIONS = {
    "gates": [
        {"metric": "f1", "operator": ">", "threshold": 0.1, "of_class": "late", "at": None},
        {"metric": "top_k_accuracy", "operator": ">=", "threshold": 0.2, "k": 3},
        {"metric": "log_loss", "operator": "<", "threshold": 1, "slice": "origin=*,at=a\\,b"},
    ],
    "fairness_gates": [
        {"metric": "recall", "compare": "ratio", "column": "sex", "operator": ">=", "threshold": 1}
    ],
    "forms": ["saved_model"],
    "form_gates": [
        {"form": "onnx", "metric": "size_bytes", "operator": "<=", "threshold": 10},
        {"form": "pt2", "metric": "size_bytes", "operator": "<=", "threshold": 10},
    ],
    "champion_gates": [
        {"margin": -0.01, "slice": "overall"},
        {"metric": "log_loss", "margin": 0.5, "slice": "origin=JFK"},
    ],
}
ASKED = [
    (("f1 of late", ">", 0.1, "overall"), "both"),
    (("top_k_accuracy@3", ">=", 0.2, "overall"), "both"),
    (("log_loss", "<", 1, "origin=J\\*K,at=a\\,b"), "both"),
    (("recall ratio by sex", ">=", 1, "overall"), "both"),
    (("saved_model", ">=", 1, "overall"), "both"),
    (("onnx size_bytes", "<=", 10, "overall"), "both"),
    (("pt2 size_bytes", "<=", 10, "overall"), "pytorch"),
    (("auc_over_champion", ">=", -0.01, "overall"), "both"),
    (("log_loss_over_champion", "<", -0.5, "origin=JFK"), "both"),
]
JUDGED = [
    {"name": f"{model} {name}", "metric": "m", "operator": operator, "threshold": threshold,
     "slice": of, "n": 9, "passed": True,
     "value": threshold + {">": 1, "<": -1}.get(operator, 0)}
    for model in ("pytorch", "tensorflow")
    for (name, operator, threshold, of), whose in ASKED
    if whose in ("both", model)
]  # fmt: skip


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize("gone", [None, *range(len(JUDGED))])
def test_a_gate_of_any_section_of_a_policy_that_was_left_out_is_found(
    home: Path, new_story: Any, gone: int | None
) -> None:
    kept = [gate for number, gate in enumerate(JUDGED) if number != gone]
    decided(home, new_story, *kept, policy=ALL_SECTIONS)
    messages = [message for _, _, message in found(home)]
    assert len(messages) == (0 if gone is None else 1)
    assert gone is None or f"asked for the gate {JUDGED[gone]['name']}" in messages[0]


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


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize("least", [10, 11])
def test_what_came_from_the_cache_was_judged_by_the_settings_of_who_took_it(
    home: Path, new_story: Any, draft: Callable[..., Claim], least: int
) -> None:
    refs = told(home, new_story, "validate_examples", *DATA_GATES, settings={"checks": CHECKS})
    taken = [refs[name] for name in ("statistics", "validation")]
    folder = home / "runs" / "run-1" / "artifacts" / "validate_examples"
    claims = {
        "inputs": [refs["examples"]],
        "outputs": [
            {"name": ref["name"], "sha256": ref["sha256"], "path": str(folder / ref["name"])}
            for ref in taken
        ],
        "facts": {"origin": {ref["name"]: ref["record"] for ref in taken}},
        "settings": {"checks": {**CHECKS, "minimum_rows": least}},
        "run": draft("START")["run"] | {"id": "run-2"},
    }
    with open_notary(home) as notary:
        notary.submit(draft("CACHED", "validate_examples", **claims))
    where = [(item.check, item.where) for item in verify_log(home)]
    if least == 10:
        assert (where, "checkpoints verify" in second(home)) == ([], True)
    else:
        assert where == [("gate", "entry 18")] * 2
        assert found_by_second(home) == "entry 18: it left out minimum_rows"


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
