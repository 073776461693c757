"""A version that was registered in spite of a gate that failed: found by each of the verifiers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from exported_files import exported, unpacked, verified
from second_verdict import found_by_second, second

from components.audit.keys import SigningKey
from components.audit.notary import open_notary
from components.audit.verify import verify_log
from components.core.canonical import sha256_bytes, sha256_value
from components.core.errors import IntegrityError
from components.waivers import Waiver

Claim = dict[str, Any]
WAIVED = (
    Waiver(
        use_case="flights",
        schema_sha256="ab" * 32,
        gate="minimum_auc",
        slice=None,
        reason="few rows, as announced",
        issued=date(2026, 5, 1),
        until=date(2026, 6, 1),
    )
    .sign(SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35)))))
    .decode()
)
LOW = {"value": 0.5, "interval": [0.5, 0.6], "passed": False}
GATE = {"metric": "auc", "operator": ">=", "threshold": 0.7, "slice": "overall", "n": 25000}
TENSORFLOW = {"name": "tensorflow auc", **GATE, **LOW}


def told(
    home: Path,
    new_story: Any,
    stage: str,
    *gates: Claim,
    registered: str = "",
    settings: Claim | None = None,
    measured: Claim | None = None,
) -> dict[str, Claim]:
    """Tell a run whose stage claims these gates, and which registers one framework, or both.

    `settings` are those of the stage, if others than the story's, `measured` the facts of the
    evaluation. Return what each output is named as an input.
    """

    class Claiming:
        """The notary, and a stage before it that says what it likes."""

        def __init__(self, notary: Any) -> None:
            self.notary = notary

        def submit(self, draft: Claim) -> Any:
            if draft["stage"] == stage and settings is not None:
                digest = sha256_value(settings)
                draft = {**draft, "settings": settings, "settings_sha256": digest}
            if (draft["stage"], draft["event"]) == (stage, "COMPLETE"):
                draft = {**draft, "gates": list(gates)}
            if (draft["stage"], draft["event"]) == ("evaluate_models", "COMPLETE"):
                draft = {**draft, "facts": measured or {}}
            if draft["stage"] == "register_models" and draft["facts"] and registered:
                found = draft["facts"]["versions"].items()
                kept = {r: v for r, v in found if v["framework"] == registered}
                draft = {**draft, "facts": {**draft["facts"], "versions": kept}}
            return self.notary.submit(draft)

    with open_notary(home) as notary:
        story = new_story(Claiming(notary), home / "runs" / "run-1")
        story.tell()
    refs: dict[str, Claim] = story.refs
    return refs


@pytest.mark.parametrize("stage", ["validate_examples", "evaluate_models", "decide_release"])
def test_the_notary_records_no_registration_over_a_failed_gate(
    home: Path, new_story: Any, stage: str
) -> None:
    with pytest.raises(IntegrityError, match=r"this registration: .* gate minimum_auc of entry"):
        told(home, new_story, stage, {"name": "minimum_auc", **GATE, **LOW})
    with open_notary(home) as notary:
        assert notary.records("run-1")[-1].stage == "register_models"
        assert notary.records("run-1")[-1].event == "START"


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize("stage", ["validate_examples", "evaluate_models", "decide_release"])
def test_a_version_that_was_registered_over_a_failed_gate_is_found(
    home: Path, new_story: Any, stage: str, tmp_path: Path
) -> None:
    told(home, new_story, stage, {"name": "minimum_auc", **GATE, **LOW})
    (finding,) = verify_log(home)
    assert (finding.check, finding.where) == ("gate", "entry 15")
    assert "gate minimum_auc of entry" in finding.message
    assert found_by_second(home).startswith("entry 15: a gate failed behind what it registers")
    assert verified(unpacked(exported(home)), tmp_path) == 4


@pytest.mark.parametrize(
    "gates",
    [
        [{"name": "minimum_auc", **GATE, **LOW, "waived_by": sha256_bytes(WAIVED.encode())}],
        [{"name": "pytorch auc", **GATE, "value": 0.7, "passed": True}, TENSORFLOW],
    ],
    ids=["waived", "of the other candidate"],
)
def test_a_waived_gate_and_one_of_who_was_not_registered_are_no_finding(
    home: Path, new_story: Any, gates: list[Claim], tmp_path: Path
) -> None:
    settings = {"waivers": [WAIVED], "policy": {"prefer": "auc"}}
    told(home, new_story, "decide_release", *gates, registered="pytorch", settings=settings)
    assert verify_log(home) == []
    assert "checkpoints verify" in second(home)
    assert verified(unpacked(exported(home)), tmp_path) == 0


@pytest.mark.usefixtures("careless")
def test_the_gate_of_a_candidate_that_was_registered_too_is_found(
    home: Path, new_story: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    told(home, new_story, "decide_release", TENSORFLOW)
    (finding,) = verify_log(home)
    assert "gate tensorflow auc of entry 13" in finding.message
    assert found_by_second(home).startswith("entry 15: a gate failed")


def test_a_run_that_a_gate_stopped_is_no_finding(home: Path, draft: Callable[..., Claim]) -> None:
    cause = {"kind": "GateError", "message": "auc", "remedy": "look"}
    with open_notary(home) as notary:
        notary.submit(draft("START", "evaluate_models"))
        notary.submit(draft("FAIL", "evaluate_models", cause=cause, gates=[TENSORFLOW]))
    assert verify_log(home) == []
    assert "checkpoints verify" in second(home)
